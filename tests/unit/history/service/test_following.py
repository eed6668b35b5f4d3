"""Links of what a question finds are followed by the node that answers, within what the asker may see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from gateway.history.codec.signed_texts import parse_record
from gateway.history.service.following import MOST_CRITERIA, FoundRecords, follow_links
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import goods_pb2, history_pb2, shipment_pb2
from gateway.v1.history_service_pb2 import SearchShipmentsResponse
from tests.support.answers import Answered, Pair, one_pair
from tests.support.shipments import Kind, shipment

UCR = "6CN9144030071526726XG-7"
LONG_AGO = "HKI-2025-1"
DECLARATION = Kind.SHIPMENT_REFERENCE_KIND_DECLARATION
BY_UCR = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=UCR)])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """hk has an import, a re-export that names it, and last year's use of the same container."""
    with one_pair(tmp_path_factory.mktemp("pair")) as made:
        lorry, entry = "GWDU2601174", reference(DECLARATION, "HKI-2026-1")
        before = reference(Kind.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT, entry.value)
        made.record(
            record("HK-IMPORT", lorry, "SEAL-0001", reference(Kind.SHIPMENT_REFERENCE_KIND_UCR, UCR), entry),
            record("HK-REEXPORT", "TGHU7654321", "", before),
            record("HK-SEALED", "MSKU9070323", "SEAL-0001", reference(DECLARATION, "HKI-2026-9")),
            record("HK-LONG-AGO", lorry, "SEAL-0002", reference(DECLARATION, LONG_AGO), days=-400),
        )
        yield made


def reference(kind: Kind.ValueType, value: str) -> goods_pb2.ShipmentReference:
    return goods_pb2.ShipmentReference(kind=kind, value=value)


def record(
    record_id: str, container: str, seal: str, *references: goods_pb2.ShipmentReference, days: int = 0
) -> shipment_pb2.Shipment:
    made = shipment(record_id, references=references, parties=[], means=[])
    made.ClearField("equipment")
    made.equipment.add(id=container, seals=filter(None, [seal]))
    made.declared_at.seconds += days * 86_400
    return made


def ids(answered: Answered) -> list[str]:
    return [parse_record(data).shipment.record_id for data in answered.records]


def ask(pair: Pair, **asked: Any) -> Answered:
    return pair.ask(keep=False, criteria=BY_UCR, **asked)


def test_what_was_found_is_followed_and_the_answer_says_by_what(pair: Pair) -> None:
    assert ids(ask(pair)) == ["HK-IMPORT"]
    followed = ask(pair, follow=True)
    assert sorted(ids(followed)) == ["HK-IMPORT", "HK-REEXPORT", "HK-SEALED"]
    assert followed.statement.count == 3
    assert followed.statement.is_complete
    criteria = [BY_UCR, *followed.received.followed]
    for data in followed.records:
        found = parse_record(data)
        named = {value for unit in found.shipment.equipment for value in (unit.id, *unit.seals, unit.e_lock)}
        named |= {one.value for one in found.shipment.references} | {found.shipment.record_id}
        for number in found.met or (0,):
            asked = criteria[number]
            assert named & {*(one.value for one in asked.references), *asked.containers, *asked.seals}


def test_a_container_is_used_again_so_what_it_finds_is_not_followed(pair: Pair) -> None:
    by_container = history_pb2.SearchCriteria(containers=["GWDU2601174"])
    answered = pair.ask(keep=False, criteria=by_container, follow=True)
    assert sorted(ids(answered)) == ["HK-IMPORT", "HK-LONG-AGO"]
    assert not answered.received.followed
    # Nor are two consignments that one question finds.
    two = [history_pb2.SearchReference(value=value) for value in (UCR, LONG_AGO)]
    answered = pair.ask(keep=False, criteria=history_pb2.SearchCriteria(references=two), follow=True)
    assert sorted(ids(answered)) == ["HK-IMPORT", "HK-LONG-AGO"]


@pytest.mark.parametrize("asked", [{"whole": True, "limit": 50}, {"mode": history_pb2.ANSWER_MODE_HIT}, {"limit": 2}])
def test_only_a_whole_answer_with_room_is_followed(pair: Pair, asked: dict[str, Any]) -> None:
    answered = ask(pair, follow=True, **asked)
    assert len(answered.records) <= 1
    assert not answered.received.followed
    assert answered.statement.is_complete


def test_nothing_is_followed_by_what_the_asker_may_not_ask_for(pair: Pair) -> None:
    before = pair.hk.trust
    personal = frozenset({FieldClass.PERSONAL, FieldClass.INVESTIGATIVE})
    try:
        pair.agree(id="hk-cn", field_classes=personal)
        by_seal = history_pb2.SearchCriteria(record_ids=["HK-IMPORT"])
        answered = pair.ask(keep=False, criteria=by_seal, follow=True)
        asked = {field.name for criteria in answered.received.followed for field, _ in criteria.ListFields()}
        assert "references" not in asked
    finally:
        pair.hk.trust = pair.cn.trust = before


def test_what_isnt_found_whole_isnt_followed() -> None:
    def further(
        known: Sequence[history_pb2.HistoryRecord], asked: Sequence[history_pb2.SearchCriteria]
    ) -> Sequence[history_pb2.SearchCriteria]:
        return [history_pb2.SearchCriteria(seals=[f"{len(asked)}"])]

    def find(criteria: Sequence[history_pb2.SearchCriteria]) -> FoundRecords:
        message, seal = SearchShipmentsResponse(), criteria[0].seals[0]
        message.records.records.add(node="hk").shipment.record_id = f"R-{seal}"
        return FoundRecords([message], 0, complete=seal == "1")

    first = history_pb2.HistoryRecord(node="hk")
    first.shipment.record_id = "R-0"
    links = follow_links([first], [BY_UCR], further, find, may=lambda _: True, limit=100)
    assert [list(one.seals) for one in links.criteria] == [["1"]]
    assert [one.shipment.record_id for message in links.messages for one in message.records.records] == ["R-1"]


def test_links_without_end_are_followed_within_bounds() -> None:
    """Each record names the next."""
    calls: list[Sequence[history_pb2.SearchCriteria]] = []

    def further(
        known: Sequence[history_pb2.HistoryRecord], asked: Sequence[history_pb2.SearchCriteria]
    ) -> Sequence[history_pb2.SearchCriteria]:
        return [history_pb2.SearchCriteria(seals=[f"{len(asked) + number}"]) for number in range(3)]

    def find(criteria: Sequence[history_pb2.SearchCriteria]) -> FoundRecords:
        calls.append(criteria)
        message = SearchShipmentsResponse()
        message.records.records.add(node="hk").shipment.record_id = f"R-{len(calls)}"
        message.records.records.add(node="hk").shipment.record_id = "R-0"  # known before
        return FoundRecords([message], 0, complete=len(calls) < 9)

    first = history_pb2.HistoryRecord(node="hk")
    first.shipment.record_id = "R-0"
    links = follow_links([first], [BY_UCR], further, find, may=lambda _: True, limit=100)
    assert len(links.criteria) == MOST_CRITERIA
    found = [one.shipment.record_id for message in links.messages for one in message.records.records]
    assert found == [f"R-{number}" for number in range(1, len(calls) + 1)]
    assert [list(one.met) for message in links.messages for one in message.records.records] == [[1], [4], [7]]
    calls.clear()
    few = follow_links([first], [BY_UCR], further, find, may=lambda _: True, limit=2)
    assert [len(message.records.records) for message in few.messages] == [1]
    assert not follow_links([first], [BY_UCR], further, find, may=lambda _: False, limit=100).criteria
