"""Records that are recorded and not indexed yet: an answer tells of those that it lacks, and of no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.messages import to_ms, to_timestamp
from gateway.history.codec.signed_texts import parse_record
from gateway.history.rules.unindexed import NONE, SOME, Unindexed
from gateway.history.service import backlog
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import alert_pb2, goods_pb2, history_pb2, shipment_pb2
from tests.support.answers import Answered, Pair, one_pair
from tests.support.nodes import DAY_MS
from tests.support.shipments import shipment

Pb = history_pb2
NAMED = Pb.SearchCriteria(party_names=["Wang Tat Metals"])
OTHER_CONTAINER = Pb.SearchCriteria(containers=["MSKU0000000"])


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with one_pair(tmp_path) as made:
        yield made


def ids(answered: Answered) -> list[str]:
    return [parse_record(one).shipment.record_id for one in answered.records]


def lag(pair: Pair, criteria: Pb.SearchCriteria, **asked: Any) -> backlog.Lag:
    """What an own search lacks."""
    return next(pair.search.chunks(criteria, **asked)).lag


def inspected(record_id: str) -> shipment_pb2.ShipmentAddition:
    inspection = shipment_pb2.ShipmentInspection(
        result=alert_pb2.FINDING_RESULT_CONFIRMED,
        inspected_at=shipment().declared_at,
        place=goods_pb2.Place(unlocode="HKKWN", territory="HK"),
    )
    return shipment_pb2.ShipmentAddition(record_id=record_id, inspections=[inspection])


def test_a_signed_answer_tells_what_it_lacks_and_isnt_complete(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    recorded_at = pair.clock()
    pair.record_alone(shipment("HK-2"))
    pair.clock.forward(1_000)
    behind = pair.ask()
    assert ids(behind) == ["HK-1"]
    assert (behind.statement.unindexed, behind.statement.is_complete) == (Unindexed(1), False)
    assert b"\nunindexed 1\nrecords\n" in behind.statement_note
    assert b"complete" not in behind.statement_note
    assert recorded_at <= behind.statement.as_of < pair.clock()
    pair.index()
    after = pair.ask()
    assert ids(after) == ["HK-2", "HK-1"]
    assert (after.statement.unindexed, after.statement.is_complete) == (NONE, True)
    assert b"\ncomplete\nrecords\n" in after.statement_note


def test_what_cant_match_is_no_lag_and_tells_nothing(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    pair.record_alone(shipment("HK-2"))
    pair.clock.forward(1_000)
    before = Pb.SearchCriteria(containers=["CSQU3054383"])
    before.declared_until.CopyFrom(to_timestamp(to_ms(shipment().declared_at) - DAY_MS))
    reexported = Pb.SearchCriteria(
        containers=["CSQU3054383"], procedures=[shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT]
    )
    for criteria in (OTHER_CONTAINER, before, reexported):
        said = pair.ask(criteria=criteria).statement
        assert said.is_complete
        assert said.as_of == pytest.approx(pair.clock(), abs=100)  # and not the time of what was recorded
        assert not lag(pair, criteria).records


def test_a_new_revision_of_a_record_that_is_shown_is_a_lag(pair: Pair) -> None:
    """It may no longer say what was asked for; the answer shows it as it was before."""
    pair.record(shipment("HK-1"))
    moved = shipment("HK-1", equipment=[goods_pb2.Equipment(id="MSKU0000000")])
    pair.record_alone(moved)
    said = pair.ask()
    assert (ids(said), said.statement.unindexed) == (["HK-1"], Unindexed(1))
    pair.index()
    (record,) = map(parse_record, pair.ask().records)
    assert (record.revision, record.matched_revision) == (2, 1)


def test_each_page_tells_the_lag_of_the_first(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{at}") for at in range(4)))
    pair.record_alone(shipment("HK-4"), shipment("HK-5"))
    first = pair.ask(limit=2)
    assert b"\nmore-before " in first.statement_note
    assert first.statement.unindexed == Unindexed(2)
    pair.index()
    last = pair.ask(limit=2, before=first.statement.more_before, as_of=first.statement.as_of)
    assert (ids(last), last.statement.more_before) == (["HK-1", "HK-0"], 0)
    assert (last.statement.unindexed, last.statement.is_complete) == (Unindexed(2), False)


def test_a_partner_learns_nothing_of_what_it_may_not_have(pair: Pair) -> None:
    pair.agree(field_classes=frozenset({FieldClass.COMMERCIAL, FieldClass.PERSONAL}))
    pair.record(shipment("HK-1"))
    pair.record_alone(inspected("HK-1"))
    pair.clock.forward(1_000)
    said = pair.ask().statement
    assert (said.unindexed, said.is_complete) == (NONE, True)
    assert said.as_of == pytest.approx(pair.clock(), abs=100)
    assert lag(pair, Pb.SearchCriteria(containers=["CSQU3054383"])).records == 1


def test_where_a_number_would_tell_how_much_is_recorded_a_partner_gets_none(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.record_alone(*(shipment(f"HK-{at}") for at in range(3)))
    # Names are compared by the index; a record with any name may be the one.
    assert pair.ask(criteria=NAMED).statement.unindexed == SOME
    assert (lag(pair, NAMED).records, lag(pair, NAMED).compared) == (3, False)
    assert not lag(pair, Pb.SearchCriteria(party_names=["Wang Tat Metals"], containers=["MSKU0000000"])).records
    # Hit or no hit is less than a number.
    hit = pair.ask(mode=Pb.ANSWER_MODE_HIT).statement
    assert (hit.hit, hit.unindexed) == (False, SOME)
    # A long backlog isn't read.
    monkeypatch.setattr(backlog, "MOST_COMPARED", 2)
    said = pair.ask(criteria=OTHER_CONTAINER)
    assert said.statement.unindexed == SOME
    assert b"\nunindexed 1+\n" in said.statement_note
    assert (lag(pair, OTHER_CONTAINER).records, lag(pair, OTHER_CONTAINER).position) == (3, 3)


def test_what_was_erased_is_no_lag(pair: Pair) -> None:
    pair.record_alone(shipment("HK-1"))
    with pair.hk.database.write() as conn:
        conn.exec_driver_sql("UPDATE record_log SET salt = x'', content = x''")
    assert pair.ask().statement.is_complete
