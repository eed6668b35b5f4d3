"""Chooses the hits on an alert that are shown with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gateway.contract.messages import page_of
from gateway.v1 import alert_service_pb2

HITS_BYTES = 1536 * 1024
"""Bytes of hits that are shown with an alert; its text and steps have room beside them."""


def best_hits(hits: Sequence[alert_service_pb2.AlertHit]) -> list[alert_service_pb2.AlertHit]:
    """Those that fit into a message, in order: the best of each thing before the second of any.

    So a party that many entries of a partner are like takes no other's room.
    """
    ranks: Counter[str] = Counter()
    ranked: list[tuple[int, int]] = []
    for at, hit in enumerate(hits):
        ranked.append((ranks[hit.field], at))
        ranks[hit.field] += 1
    ranked.sort()
    page = page_of(ranked, lambda place: hits[place[1]], limit=len(hits), most_bytes=HITS_BYTES)
    return [hits[at] for at in sorted(at for _, at in ranked[: len(page.messages)])]
