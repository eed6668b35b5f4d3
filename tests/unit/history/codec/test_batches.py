"""What one process prepares and another writes is the same on both sides."""

from __future__ import annotations

from gateway.history.codec.batches import IndexBatch, PreparedItem, RiskBatch
from gateway.v1 import trace_pb2


def test_a_batch_comes_back_as_it_went() -> None:
    item = PreparedItem(7, "CN-1", 0, 1_700_000_000_000, "ab" * 32, -5, 2, "", (1, 1 << 61))
    batch = IndexBatch(6, 9, (item,), (3,), ((4, "黃大文 \u0000"),), ((5, 4), (6, 4)))

    assert IndexBatch.decode(batch.encode()) == batch


def test_what_rules_found_comes_back_as_it_went() -> None:
    hit = trace_pb2.Discrepancy(rule_id="R01", measured=float("inf"), inputs={"a": "é"}, legs=[1])
    judged = RiskBatch(0, 4, (1, 2), ((2, hit),))

    assert RiskBatch.decode(judged.encode()) == judged
