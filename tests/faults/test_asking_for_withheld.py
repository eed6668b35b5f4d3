"""A partner that may not have a class of fields learns nothing of them by asking, and nothing of how much is recorded.

The fields and their classes are read from the contract. Each withheld value stands in one record alone and is asked for
by every criterion.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message
from sqlalchemy import update

from gateway.contract.messages import to_timestamp
from gateway.contract.validation import violations
from gateway.errors import AgreementForbidsError, InvalidRequestError
from gateway.history.codec.signed_texts import parse_record
from gateway.history.commands.answer_retention import PurgeAnswersCommand
from gateway.history.commands.record import RecordCommand, check, records_feed
from gateway.history.service import record_messages
from gateway.history.tables import answers
from gateway.history.tables.schema import history_pages
from gateway.trust.rules.directory import FieldClass
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import goods_pb2, history_pb2, shipment_pb2
from tests.support.answers import KEEP_MS, Pair, pairs
from tests.support.contract_fields import Leaf, fill, leaves
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS
from tests.support.shipments import items, shipment

pytestmark = pytest.mark.both_databases

Pb = history_pb2
FIXED = {"inspections.goods_found.codes.scheme", "withdrawn_inspections.goods_found.codes.scheme"}
"""Fields that have one of a few words, which tell nothing."""

WITHHELD, ADDED = (
    [leaf for leaf in leaves(descriptor) if leaf.classes and leaf.is_text and leaf.path not in FIXED]
    for descriptor in (shipment_pb2.Shipment.DESCRIPTOR, shipment_pb2.ShipmentAddition.DESCRIPTOR)
)
FORMS = (
    "WITHHELD {number:02}",
    "withheld_{number:02}",
    "77{number:04}",
    "q-{number:02}",
    "XQ{letters}A",
    "X{letters}",
    "{letters}",
    "X{lower}q",
    "W{last}",
    "0190f3d4-5a3c-7c00-8000-0000000001{number:02}",
)
"""Forms of values, of which each field takes one."""

BASE = "base"


@pytest.fixture
def pair(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Pair]:
    with pairs(tmp_path, make_database) as made:
        yield made


def with_value(message: Message, leaf: Leaf, number: int) -> tuple[Message, str]:
    """The message with a value in one field, in the first form that the contract allows there."""
    letters = chr(ord("Q") + number // 26) + chr(ord("A") + number % 26)
    for form in FORMS:
        value = form.format(number=number, letters=letters, lower=letters.lower(), last=letters[1].lower())
        changed = type(message)()
        changed.CopyFrom(message)
        leaf.set(changed, value)
        if not violations(changed):
            return changed, value
    raise AssertionError(f"no form fits {leaf.path}")


def criteria_for(value: str) -> Iterator[Pb.SearchCriteria]:
    """Every criterion that may have the value; what alone would match everything, beside what all records meet."""
    open_criterion = {"containers": [BASE]}
    candidates = [
        *({name: [value]} for name in ("containers", "seals", "registrations", "commodity_codes", "substances")),
        *({name: value} for name in ("vessel", "journey")),
        {"vessel": value, "journey": BASE},
        {"vessel": BASE, "journey": value},
        *(
            {"references": [Pb.SearchReference(kind=kind, value=value)]}
            for kind in goods_pb2.ShipmentReferenceKind.values()
        ),
        {"party_identifiers": [Pb.SearchIdentifier(value=value)]},
        {"party_identifiers": [Pb.SearchIdentifier(scheme=BASE, value=value)]},
        {"party_names": [value]},
        {"places": [value], **open_criterion},
        {"places": [value], "procedures": [1], "declared_from": to_timestamp(1), **open_criterion},
    ]
    for candidate in candidates:
        criteria = Pb.SearchCriteria(**candidate)
        if not violations(criteria):
            yield criteria


def record_all(pair: Pair) -> list[tuple[Leaf, str, str]]:
    """Records of which each has a value in one withheld field, of a shipment or of what was added: field, value, id."""
    items: list[shipment_pb2.Shipment | shipment_pb2.ShipmentAddition] = []
    values = []
    for number, leaf in enumerate([*WITHHELD, *ADDED]):
        record_id, base = f"S-{number}", fill(shipment_pb2.Shipment())
        base.ClearField("releasable_to")  # it names members alone
        added = number >= len(WITHHELD)
        item, value = with_value(fill(shipment_pb2.ShipmentAddition()) if added else base, leaf, number)
        for one in (base, item) if added else (item,):
            assert isinstance(one, shipment_pb2.Shipment | shipment_pb2.ShipmentAddition)
            one.record_id = record_id
            items.append(one)
        values.append((leaf, value, record_id))
    pair.record(*items)
    return values


def finds(pair: Pair, criteria: Pb.SearchCriteria, record_id: str) -> bool:
    """Whether the node itself, which may have everything, finds the record."""
    records = (record for chunk in pair.search.chunks(criteria) for record in chunk.records)
    return any(record.shipment.record_id == record_id for record in records)


def test_no_criterion_finds_a_value_in_a_field_that_is_withheld(pair: Pair) -> None:
    finding = [
        (leaf, criteria)
        for leaf, value, record_id in record_all(pair)
        for criteria in criteria_for(value)
        if finds(pair, criteria, record_id)
    ]
    paths = {leaf.path for leaf, _ in finding}
    assert {"inspections.place.unlocode", "inspections.place.customs_office", "events.means"} <= paths
    assert {"licences.number", "references.value", "parties.names.text", "parties.identifiers.value"} <= paths
    for missing in FieldClass:
        pair.agree(field_classes=frozenset(FieldClass) - {missing})
        for leaf, criteria in finding:
            if missing.value not in leaf.classes:
                continue
            for mode in (Pb.ANSWER_MODE_RECORDS, Pb.ANSWER_MODE_HIT):
                try:
                    answer = pair.ask(criteria=criteria, mode=mode, keep=False)
                except AgreementForbidsError:
                    continue
                assert not answer.records, (leaf.path, criteria)
                assert not answer.statement.hit, (leaf.path, criteria)


def test_an_alternative_finds_no_more_than_the_criteria(pair: Pair) -> None:
    inspected = shipment_pb2.ShipmentInspection(
        result=1, inspected_at=to_timestamp(pair.clock()), place=goods_pb2.Place(unlocode="MOMFM", territory="MO")
    )
    pair.record(shipment("HK-1", inspections=[inspected]), shipment("HK-2"))
    pair.agree(field_classes=frozenset({FieldClass.PERSONAL, FieldClass.COMMERCIAL}))
    here = {"containers": ["CSQU3054383"]}
    answer = pair.ask(
        criteria=Pb.SearchCriteria(places=["MOMFM"], **here),
        alternatives=[Pb.SearchCriteria(places=["HK"], **here), Pb.SearchCriteria(places=["MO"], **here)],
    )
    assert [list(parse_record(one).met) for one in answer.records] == [[1], [1]]
    assert pair.ask(criteria=Pb.SearchCriteria(places=["MOMFM"], **here), whole=True, limit=1).statement.count == 0


OPEN = frozenset({FieldClass.PERSONAL, FieldClass.COMMERCIAL})
HERE = Pb.SearchCriteria(containers=["CSQU3054383"])


def inspection(**more: object) -> shipment_pb2.ShipmentInspection:
    return shipment_pb2.ShipmentInspection(result=1, inspected_at=to_timestamp(1_768_000_000_000), **more)


def added(record_id: str, *, remarks: str = "") -> shipment_pb2.ShipmentAddition:
    return shipment_pb2.ShipmentAddition(record_id=record_id, inspections=[inspection(remarks=remarks)])


def test_an_answer_is_the_same_with_an_inspection_and_without(pair: Pair) -> None:
    pair.agree(field_classes=OPEN)
    pair.record(shipment("HK-1"), shipment("HK-2"), shipment("HK-3"))
    ids = {"HK-1", "HK-2"}

    def told() -> tuple[list[bytes], int, int]:
        answer = pair.ask(criteria=HERE, limit=2, keep=False)
        by_id = pair.ask(criteria=Pb.SearchCriteria(record_ids=sorted(ids)), limit=1, keep=False)
        return [*answer.records, *by_id.records], answer.statement.count, answer.statement.withheld

    before = told()
    pair.record(added("HK-1", remarks="antimony"), added("HK-1", remarks="x" * 8_000), added("HK-3"))
    assert told() == before
    assert pair.ask(criteria=HERE, limit=3, whole=True).statement.count == 3
    (record, *_) = map(parse_record, before[0])
    assert {one.path for one in record.withheld} == {"inspections"}


def test_what_is_withheld_is_named_by_the_agreement_and_not_by_the_record(pair: Pair) -> None:
    event = shipment_pb2.ShipmentEvent(kind=1, occurred_at=to_timestamp(1_768_000_000_000))
    said = shipment_pb2.ShipmentEvent(means="AB 1234", remarks="the driver is known")
    said.MergeFrom(event)
    money = goods_pb2.Money(currency_code="USD", units=10)
    pair.record(
        shipment("HK-A", events=[event]),
        shipment("HK-B", events=[said], inspections=[inspection()], total_value=money),
    )
    pair.agree(field_classes=frozenset())
    told, empty = map(parse_record, pair.ask(criteria=HERE).records)
    for record in (told, empty):
        record.shipment.record_id = ""
        record.recorded_at.Clear()
    assert told == empty
    assert [one.path for one in told.withheld] == [
        "references.value",
        "parties.names.text",
        "parties.identifiers.value",
        "goods.customs_value",
        "goods.value_usd",
        "total_value",
        "freight",
        "incoterms",
        "events.means",
        "events.remarks",
        "inspections",
    ]


def test_additions_that_a_partner_may_not_have_take_no_room_from_those_that_it_may(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [shipment_pb2.ShipmentEvent(kind=1, occurred_at=to_timestamp(1_768_000_000_000), source="gate 7")]
    pair.record(shipment("HK-1"), shipment_pb2.ShipmentAddition(record_id="HK-1", events=events))
    pair.record(*(added("HK-1", remarks="x" * 4_000) for _ in range(5)))
    monkeypatch.setattr(record_messages, "MAX_RECORD_BYTES", record_messages._FRAME_BYTES + 10_000)
    (whole,) = map(parse_record, pair.ask(criteria=HERE).records)
    assert [one.reason for one in whole.withheld] == [
        "the first 4 of 6 additions to this record are too much for one message"
    ]
    pair.agree(field_classes=OPEN)
    (record,) = map(parse_record, pair.ask(criteria=HERE).records)
    assert [event.source for event in record.shipment.events] == ["gate 7"]
    assert not any(one.reason for one in record.withheld)


def test_how_much_is_recorded_isnt_told(pair: Pair) -> None:
    pair.record(shipment("HK-1"), shipment("HK-2"), shipment("HK-3"))
    first = pair.ask(criteria=HERE, limit=2, keep=False)
    pair.record(*(shipment(f"OTHER-{number}", equipment=[]) for number in range(300)))
    second = pair.ask(criteria=HERE, limit=2, keep=False)
    assert first.records == second.records
    for answer in (first, second):
        assert not any(parse_record(record).position for record in answer.records)
        assert answer.statement.as_of == pytest.approx(pair.clock(), abs=1_000)
        assert answer.statement.as_of_time is not None
        assert 0 < answer.statement.more_before < answer.statement.as_of
    numbers = {pair.ask(criteria=HERE, limit=2, keep=False).statement.more_before for _ in range(5)}
    assert len(numbers) == 5  # drawn anew
    nothing = pair.ask(criteria=Pb.SearchCriteria(containers=["MSKU0000000"]), mode=Pb.ANSWER_MODE_HIT)
    assert nothing.statement.as_of == pytest.approx(pair.clock(), abs=1_000)


def test_an_answer_says_until_when_it_searched_where_the_index_is_behind(pair: Pair) -> None:
    pair.record(shipment("HK-1"))
    pair.clock.now += 10_000
    late = pair.clock()
    good, _ = check(items(shipment("HK-2")), retention_classes=lambda name: False)
    pair.hk.writer.run(RecordCommand(records_feed(FEDERATION, "hk"), good, "clearance"))
    pair.clock.now += 10_000
    assert pair.ask(criteria=HERE).statement.as_of == pytest.approx(late, abs=100)


def test_pages_go_on_from_answers_alone(pair: Pair) -> None:
    pair.record(*(shipment(f"HK-{number}") for number in range(9)))
    found: list[str] = []
    answer = pair.ask(criteria=HERE, limit=2)
    pair.record(shipment("HK-LATE"))
    while True:
        found += [parse_record(record).shipment.record_id for record in answer.records]
        statement = answer.statement
        if not statement.more_before:
            break
        answer = pair.ask(criteria=HERE, limit=2, before=statement.more_before, as_of=statement.as_of)
        assert answer.statement.as_of == statement.as_of
    assert found == [f"HK-{number}" for number in reversed(range(9))]

    first = pair.ask(criteria=HERE, limit=2)
    as_of, before = first.statement.as_of, first.statement.more_before
    for wrong in (
        {"before": 3, "as_of": 3},
        {"before": (1 << 64) - 1},
        {"as_of": as_of},
        {"before": before - 1, "as_of": as_of},
        {"before": before, "as_of": 9},
    ):
        with pytest.raises(InvalidRequestError, match="no answer to this node goes on there"):
            pair.ask(criteria=HERE, **wrong)
    with pair.hk.database.write() as conn:
        conn.execute(update(history_pages).values(partner="mo"))
    with pytest.raises(InvalidRequestError, match="no answer to this node goes on there"):
        pair.ask(criteria=HERE, before=before, as_of=as_of)


def test_where_an_answer_goes_on_is_forgotten_with_it(pair: Pair) -> None:
    pair.record(shipment("HK-1"), shipment("HK-2"))
    answer = pair.ask(criteria=HERE, limit=1)
    pair.clock.now += KEEP_MS + DAY_MS
    assert pair.hk.writer.run(PurgeAnswersCommand()) == 1
    with pair.hk.database.read() as conn:
        assert answers.find_page(conn, "cn", answer.statement.more_before) is None
