"""What is missing never makes a rule fire, and nothing that a record can hold makes judging fail."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import RuleSetting
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2, trace_pb2
from tests.support.risk_records import (
    CONTAINER,
    DOCUMENT,
    EXPORT,
    IMPORT,
    REEXPORT,
    UCR,
    at,
    item,
    party,
    refer,
    shipment,
    trace,
)

NOW = datetime(2025, 6, 4, tzinfo=UTC)


def unable(rule: str, why: str) -> None:
    pytest.fail(f"{rule} couldn't judge: {why}")


RULES = RuleEngine.load(failed=unable)


def complete(**fields: object) -> shipment_pb2.Shipment:
    """A record that says everything that rules look at, with nothing wrong: aluminium, no licence needed."""
    goods = item(
        volume_m3=0.7, value_usd=2800.0, gross_mass_kg=1050.0, form="ingot", substance="aluminium", element="Al"
    )
    record = shipment(goods, gross_mass_kg=1050.0, **fields)
    refer(record, UCR, "5CN123456789")
    refer(record, DOCUMENT, "160-12345675")
    record.office.territory = "CN" if record.procedure != IMPORT else "HK"
    record.parties.append(party(party_pb2.PARTY_ROLE_EXPORTER, "Shun Fat Metals", uscc="91350100M000100Y43"))
    record.parties.append(party(party_pb2.PARTY_ROLE_CONSIGNEE, "Wing Lung Metals"))
    record.equipment.add(id=CONTAINER, seals=["CN1"], e_lock="EL1")
    record.means.add(mode=goods_pb2.TRANSPORT_MODE_AIR)
    record.route.add().to.territory = "HK"
    record.masses.add(mass_kg=1060.0, source=shipment_pb2.MASS_SOURCE_WEIGHBRIDGE, measured_at=at("2025-06-02T10:00"))
    record.events.add(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED,
        occurred_at=at("2025-06-02T10:00"),
        equipment_id=CONTAINER,
        seal="EL1",
    )
    return record


def pair() -> trace_pb2.Trace:
    return trace(("cn", complete()), ("hk", complete(procedure=IMPORT, day="2025-06-02", record_id="HK1")))


def places(message: Message, prefix: tuple[int | str, ...] = ()) -> Iterator[tuple[int | str, ...]]:
    """Every field that is set, and every one within, as steps from the top."""
    for field, value in message.ListFields():
        yield (*prefix, field.name)
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            below = list(enumerate(value)) if field.is_repeated else [("", value)]
            for index, each in below:
                yield from places(each, (*prefix, field.name, index))


def clear(message: Message, place: tuple[int | str, ...]) -> None:
    *way, last = place
    for name, index in zip(way[::2], way[1::2], strict=True):
        message = getattr(message, str(name)) if index == "" else getattr(message, str(name))[index]
    message.ClearField(str(last))


def test_a_complete_record_and_its_mirror_give_nothing() -> None:
    assert RULES.screen(complete()) == []
    assert RULES.examine(pair(), NOW) == []


def test_whatever_one_record_leaves_out_nothing_fires() -> None:
    for place in places(complete()):
        record = complete()
        clear(record, place)
        assert RULES.screen(record) == [], place


MADE_WRONG_BY_LESS = frozenset({"procedure", "destination_territory", "declared_at", "office"})
"""What says that the import is an import at the destination, after the export: without it there is none."""


@pytest.mark.parametrize("leg", [0, 1])
def test_whatever_a_leg_leaves_out_nothing_fires(leg: int) -> None:
    for place in places(complete()):
        if place[0] not in MADE_WRONG_BY_LESS:
            examined = pair()
            clear(examined.legs[leg].record.shipment, place)
            assert RULES.examine(examined, NOW) == [], place


_numbers = st.sampled_from([0.0, 1e-300, 0.5, 1000.0, 1e12, float("inf"), float("nan")])
_codes = st.sampled_from(["7601", "760110", "8110101000", "811292", "81129290101", "00000000000000", "2804501"])
_texts = st.sampled_from(["", "ingots", "金属制品", "zinc oxide", "x" * 1024, '"\\{measured}', "Ga", "logistics"])


@st.composite
def odd_records(draw: st.DrawFn) -> shipment_pb2.Shipment:
    record = complete()
    record.declared_at.seconds = draw(st.sampled_from([0, 1, 1_700_000_000, 253_402_300_799, 1 << 40, -(1 << 40)]))
    record.utc_offset_minutes = draw(st.sampled_from([-840, 0, 840]))
    record.procedure = draw(st.sampled_from(list(shipment_pb2.ShipmentProcedure.values())))
    for goods in record.goods:
        goods.net_mass_kg, goods.gross_mass_kg, goods.value_usd = (draw(_numbers) for _ in range(3))
        goods.packages[0].volume_m3 = draw(_numbers)
        goods.codes[0].code = draw(_codes)
        goods.description, goods.substance, goods.form, goods.element = (draw(_texts) for _ in range(4))
    record.masses[0].mass_kg = draw(_numbers)
    record.equipment[0].id = draw(_texts)
    record.parties[1].names[0].text = draw(_texts)
    record.destination_territory = draw(st.sampled_from(["", "HK", "MO", "VN"]))
    return record


@settings(max_examples=150, deadline=None)
@given(st.lists(odd_records(), max_size=4))
def test_nothing_that_a_record_can_hold_makes_judging_fail(records: list[shipment_pb2.Shipment]) -> None:
    for record in records:
        RULES.sibling_queries(record)
        RULES.screen(record, records)
    for hit in RULES.examine(trace(*(("cn", record) for record in records)), NOW):
        assert hit.explanation
        assert hit.severity


def test_records_as_large_as_the_contract_allows_are_judged() -> None:
    codes = [str(280000 + number) for number in range(400)]
    out = complete(procedure=EXPORT)
    into = complete(procedure=IMPORT, day="2025-06-02")
    again = complete(procedure=REEXPORT, day="2025-06-03", destination_territory="MO")
    again.office.territory = "HK"
    for record, first in ((out, 0), (into, 200), (again, 200)):
        record.goods.extend(item(code, sequence=2) for code in codes[first : first + 199])
        record.licences.extend(shipment_pb2.Licence(number=str(number)) for number in range(64))
    found = RULES.examine(trace(("cn", out), ("hk", into), ("hk", again)), NOW)
    assert {"R07", "R12"} <= {hit.rule_id for hit in found}


def test_a_long_row_of_exports_is_judged() -> None:
    limited = RuleEngine.load(settings={"R19": RuleSetting(thresholds={"limit_kg": 1001})}, failed=unable)
    records = [("cn", complete(record_id=f"CN{number}")) for number in range(150)]
    found = limited.examine(trace(*records), NOW)
    assert next(hit for hit in found if hit.rule_id == "R19").measured == 150


def test_threads_share_the_rules() -> None:
    wrong = complete()
    wrong.goods[0].net_mass_kg = 9000.0
    records = [complete(), wrong] * 200
    alone = [RULES.screen(record) for record in records]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(RULES.screen, records)) == alone
    assert any(alone)
