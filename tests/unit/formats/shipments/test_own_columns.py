"""Shipments from CSV with the gateway's own columns: every column, and lines that belong together."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.validation import violations
from gateway.formats.shipments.columns import FIELDS, PARTY_FIELDS, SHIPMENT_MAPPINGS
from gateway.formats.shipments.csv_files import read_csv
from gateway.formats.shipments.group import MAX_LINES
from gateway.formats.shipments.json_lines import read_json_lines
from gateway.formats.shipments.rows import BadRecord, ItemRow
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2
from gateway.v1.shipment_pb2 import Shipment, ShipmentAddition
from tests.support.shipment_files import MINIMUM, one, table, wrong

FULL = {
    **MINIMUM,
    "office": "CNSZW",
    "declaration": "534520260000000101|CN",
    "ucr": "6CN-1",
    "transport_documents": "BL-7;BL-8",
    "previous_documents": "P-1",
    "licences": "L-1|1|MOFCOM|CN|2026-01-01T00:00:00+08:00|2026-07-01T00:00:00+08:00",
    "exporter_name": "範例金屬有限公司|Hant|zh; Example Metals",
    "exporter_id": "uscc:91440300715267260G|CN;aeo:X-1",
    "exporter_address": "1 Road|Shenzhen|China",
    "driver_name": "Wong",
    "containers": "CSQU3054383;MSKU0000006",
    "seals": "S1|S2;S3",
    "e_locks": "EL-1;EL-2",
    "mode": "3",
    "plates": "cn_cross_border_plate:粤Z·A123港;hk_vehicle_plate:AB 1234",
    "vessel": "Example Star",
    "imo": "9074729",
    "voyage": "12E",
    "route": "CNSZW;|HK|Man Kam To;MOMFM",
    "departed_at": "2026-01-10T13:00:00+08:00",
    "arrived_at": "2026-01-11T09:30:00+08:00",
    "vgm_kg": "20400",
    "weighbridge_mass_kg": "20500.5",
    "export_territory": "China",
    "destination_territory": "HK",
    "package_count": "20",
    "total_gross_mass_kg": "20480",
    "total_value": "1000.505",
    "total_currency": "CNY",
    "freight": "7",
    "freight_currency": "HKD",
    "incoterms": "FOB",
    "retention_class": "case",
    "item": "3",
    "hs_code": "8110.10.1000@CN;811010",
    "description": "antimony ingots",
    "substance": "antimony ingot",
    "element": "Sb",
    "purity_percent": "99.65",
    "form": "ingot",
    "net_mass_kg": "73.72000000000001",
    "gross_mass_kg": "80",
    "supplementary_quantity": "2.5",
    "packages": "4",
    "package_type": "PX",
    "package_volume_m3": "1.2",
    "package_marks": "none",
    "value": "12.3",
    "currency": "USD",
    "value_usd": "12.3",
    "origin": "ZZ",
    "event": "gate_out",
    "event_at": "2026-01-10T14:00:00+08:00",
    "event_place": "CNSZW",
    "event_source": "gate camera 7",
    "event_container": "CSQU3054383",
    "event_seal": "S1",
    "event_means": "粤Z·A123港",
    "event_remarks": "late",
}


def test_every_own_column_sets_its_field() -> None:
    made = one(FULL)
    assert violations(made) == []
    (goods,) = made.goods
    assert [(code.code, code.scheme, code.territory) for code in goods.codes] == [
        ("811010", "hs", ""),
        ("8110101000", "tariff", "CN"),
        ("811010", "hs", ""),
    ]
    assert (goods.sequence, goods.net_mass_kg, goods.gross_mass_kg, goods.purity_percent) == (3, 73.72, 80.0, 99.65)
    assert (goods.substance, goods.element, goods.form, goods.origin_territory) == ("antimony ingot", "Sb", "ingot", "")
    assert (goods.supplementary_quantity, goods.value_usd) == (2.5, 12.3)
    assert goods.packages[0] == shipment_pb2.Packaging(type="PX", count=4, volume_m3=1.2, marks="none")
    assert goods.customs_value == goods_pb2.Money(currency_code="USD", units=12, nanos=300_000_000)
    assert (made.procedure, made.utc_offset_minutes) == (shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, 480)
    assert made.declared_at.ToJsonString() == "2026-01-10T04:00:00Z"
    assert made.office == goods_pb2.Place(
        unlocode="CNSZW", customs_office="5345", territory="CN", name="Shenzhen Bay (Mainland side)"
    )
    kinds = goods_pb2.ShipmentReferenceKind
    assert [(kinds.Name(each.kind).rpartition("KIND_")[2], each.value, each.territory) for each in made.references] == [
        ("DECLARATION", "534520260000000101", "CN"),
        ("UCR", "6CN-1", ""),
        ("TRANSPORT_DOCUMENT", "BL-7", ""),
        ("TRANSPORT_DOCUMENT", "BL-8", ""),
        ("PREVIOUS_DOCUMENT", "P-1", ""),
    ]
    exporter, driver = made.parties
    assert (exporter.role, driver.role) == (party_pb2.PARTY_ROLE_EXPORTER, party_pb2.PARTY_ROLE_DRIVER)
    assert [(n.text, n.script, n.language) for n in exporter.names] == [
        ("範例金屬有限公司", "Hant", "zh"),
        ("Example Metals", "", ""),
    ]
    assert [(i.scheme, i.value, i.territory) for i in exporter.identifiers] == [
        ("uscc", "91440300715267260G", "CN"),
        ("aeo", "X-1", ""),
    ]
    assert exporter.addresses[0] == party_pb2.Address(street="1 Road", city="Shenzhen", territory="CN")
    assert [(each.id, list(each.seals), each.e_lock) for each in made.equipment] == [
        ("CSQU3054383", ["S1", "S2"], "EL-1"),
        ("MSKU0000006", ["S3"], "EL-2"),
    ]
    (means,) = made.means
    assert (means.mode, means.name, means.journey) == (goods_pb2.TRANSPORT_MODE_ROAD, "Example Star", "12E")
    assert [(each.scheme, each.value) for each in means.registrations] == [
        ("cn_cross_border_plate", "粤Z·A123港"),
        ("hk_vehicle_plate", "AB 1234"),
        ("imo_ship", "9074729"),
    ]
    first, second = made.route
    assert (getattr(first, "from").unlocode, first.to.name, first.to.territory) == ("CNSZW", "Man Kam To", "HK")
    assert (getattr(second, "from"), second.to.unlocode) == (first.to, "MOMFM")
    assert first.departure.ToJsonString() == "2026-01-10T05:00:00Z"
    assert second.arrival.ToJsonString() == "2026-01-11T01:30:00Z"
    assert not first.HasField("arrival")
    assert not second.HasField("departure")
    assert [(each.mass_kg, each.source) for each in made.masses] == [
        (20_400.0, shipment_pb2.MASS_SOURCE_VGM),
        (20_500.5, shipment_pb2.MASS_SOURCE_WEIGHBRIDGE),
    ]
    (licence,) = made.licences
    assert (licence.number, licence.type, licence.authority, licence.territory) == ("L-1", "1", "MOFCOM", "CN")
    assert licence.valid_until.ToJsonString() == "2026-06-30T16:00:00Z"
    assert (made.export_territory, made.destination_territory, made.package_count) == ("CN", "HK", 20)
    assert (made.gross_mass_kg, made.incoterms, made.retention_class) == (20_480.0, "FOB", "case")
    assert made.total_value == goods_pb2.Money(currency_code="CNY", units=1000, nanos=505_000_000)
    assert made.freight == goods_pb2.Money(currency_code="HKD", units=7)
    (event,) = made.events
    assert (event.kind, event.seal, event.equipment_id) == (
        shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT,
        "S1",
        "CSQU3054383",
    )
    assert (event.means, event.source, event.remarks, event.place.unlocode) == (
        "粤Z·A123港",
        "gate camera 7",
        "late",
        "CNSZW",
    )
    assert (event.occurred_at.ToJsonString(), event.utc_offset_minutes) == ("2026-01-10T06:00:00Z", 480)


def test_a_places_territory_that_isnt_known_is_the_one_that_its_code_or_another_column_says() -> None:
    made = one({**MINIMUM, "office": "|ZZ|Man Kam To", "office_territory": "HK", "route": "CNSZX|ZZ;HKHKG|ZZ|Port"})
    (leg,) = made.route
    assert (getattr(leg, "from").territory, leg.to.territory, leg.to.name) == ("CN", "HK", "Port")
    assert (made.office.territory, made.office.name) == ("HK", "Man Kam To")


def test_columns_in_any_order_a_mark_at_the_start_and_empty_lines() -> None:
    text = "\ufeffdeclared_at,record_id,procedure\n\n2026-01-10T12:00:00Z,A-1,import\n\n"
    (row,) = read_csv(io.BytesIO(text.encode()))
    assert isinstance(row, ItemRow)
    assert (row.line, row.item.record_id) == (3, "A-1")


class TestLinesOfOneRecord:
    """Lines that follow each other with one record id are one shipment."""

    def test_goods_containers_and_events_add_up(self) -> None:
        made = one(
            {**MINIMUM, "containers": "A", "seals": "S1", "hs_code": "790111", "exporter_name": "E"},
            {"record_id": "A-1", "containers": "A", "seals": "S2", "hs_code": "811010", "exporter_name": "E"},
            {"record_id": "A-1", "containers": "B", "e_locks": "EL", "consignee_name": "C"},
            {"record_id": "A-1", "event": "release", "event_at": "2026-01-10T14:00:00+08:00"},
        )
        assert [(item.sequence, item.codes[0].code) for item in made.goods] == [(1, "790111"), (2, "811010")]
        assert [(each.id, list(each.seals), each.e_lock) for each in made.equipment] == [
            ("A", ["S1", "S2"], ""),
            ("B", [], "EL"),
        ]
        assert [party.names[0].text for party in made.parties] == ["E", "C"]
        assert [event.kind for event in made.events] == [shipment_pb2.SHIPMENT_EVENT_KIND_RELEASE]

    def test_lines_that_say_otherwise_of_the_whole_are_refused_with_both_lines(self) -> None:
        found = wrong({**MINIMUM, "incoterms": "FOB"}, {**MINIMUM, "incoterms": "CIF"})
        assert found == [(3, "incoterms", "incoterms: differs from line 2, which has the same record id")]

    def test_another_id_begins_another_record_and_the_same_one_later_is_its_next_revision(self) -> None:
        rows = list(read_csv(table(MINIMUM, {**MINIMUM, "record_id": "A-2"}, {**MINIMUM, "incoterms": "FOB"})))
        assert [row.item.record_id for row in rows if isinstance(row, ItemRow)] == ["A-1", "A-2", "A-1"]

    def test_one_bad_line_leaves_the_whole_record_out_and_no_other(self) -> None:
        good, bad, after = read_csv(
            table(
                {**MINIMUM, "record_id": "A-0", "net_mass_kg": "1"},
                {**MINIMUM, "net_mass_kg": "1"},
                {"record_id": "A-1", "net_mass_kg": "x"},
                {**MINIMUM, "record_id": "A-2", "net_mass_kg": "1"},
            )
        )
        assert isinstance(good, ItemRow)
        assert isinstance(after, ItemRow)
        assert isinstance(bad, BadRecord)
        assert (bad.line, bad.record_id, bad.lines) == (3, "A-1", 2)
        assert [(problem.line, problem.field) for problem in bad.problems] == [(4, "net_mass_kg")]

    @pytest.mark.parametrize("line", [b"A-1,export\n", b'A-1,"exp,x\n', b"\xff\xff\n"])
    def test_a_line_that_cant_be_split_between_two_of_a_record_spoils_it(self, line: bytes) -> None:
        whole = b"record_id,procedure,declared_at\nA-1,export,2026-01-10T12:00:00Z\n" + line + b"A-1,,\n"
        (bad,) = read_csv(io.BytesIO(whole))
        assert isinstance(bad, BadRecord)
        assert (bad.lines, [problem.line for problem in bad.problems]) == (3, [3])

    def test_a_line_that_cant_be_split_elsewhere_stands_alone(self) -> None:
        text = 'record_id,procedure,declared_at\nA-1,export,2026-01-10T12:00:00Z\n"x\nA-2,import,2026-01-10T12:00:00Z\n'
        first, bad, second = read_csv(io.BytesIO(text.encode()))
        assert isinstance(first, ItemRow)
        assert isinstance(second, ItemRow)
        assert isinstance(bad, BadRecord)
        assert (bad.line, bad.record_id) == (3, "")

    def test_a_record_of_too_many_lines_ends_and_is_told_once(self) -> None:
        rows = [MINIMUM, *({"record_id": "A-1", "net_mass_kg": "1"} for _ in range(MAX_LINES + 50))]
        (bad,) = read_csv(table(*rows))
        assert isinstance(bad, BadRecord)
        assert bad.lines == MAX_LINES + 51
        assert [problem.line for problem in bad.problems] == [MAX_LINES + 2]

    def test_lines_that_cant_be_split_count_as_lines_of_their_record_too(self) -> None:
        lines = b"A-1,export\n" * (MAX_LINES + 50) + b'A-1,"x\n' * 50 + b"A-1,,\n"
        (bad,) = read_csv(io.BytesIO(b"record_id,procedure,declared_at\nA-1,export,2026-01-10T12:00:00Z\n" + lines))
        assert isinstance(bad, BadRecord)
        assert bad.lines == MAX_LINES + 102
        assert [problem.line for problem in bad.problems] == list(range(3, MAX_LINES + 3))
        assert f"more than {MAX_LINES} lines" in bad.problems[-1].reason

    def test_lines_that_tell_of_events_alone_are_an_addition(self) -> None:
        made = one(
            {"record_id": "A-1", "event": "gate_in", "event_at": "2026-01-10T14:00:00+08:00", "event_place": "HKHKG"},
            {"record_id": "A-1", "event": "e-lock applied", "event_at": "2026-01-10T15:00:00+08:00", "event_seal": "E"},
        )
        assert isinstance(made, ShipmentAddition)
        assert [event.kind for event in made.events] == [
            shipment_pb2.SHIPMENT_EVENT_KIND_GATE_IN,
            shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_APPLIED,
        ]

    @given(st.lists(st.sampled_from("ABC"), min_size=1, max_size=30))
    def test_no_line_gets_lost_however_records_follow_each_other(self, ids: list[str]) -> None:
        rows = [{**MINIMUM, "record_id": each, "net_mass_kg": str(at)} for at, each in enumerate(ids)]
        found = list(read_csv(table(*rows, columns=[*MINIMUM, "net_mass_kg"])))
        assert sum(row.lines for row in found) == len(ids)
        masses = [item.net_mass_kg for row in found if isinstance(row, ItemRow) for item in row.item.goods]
        assert masses == [float(at) for at in range(len(ids))]


@dataclass
class Counted:
    """A file that is endless, to see how far it was read."""

    lines: int = 0

    def readline(self, _: int = -1) -> bytes:
        self.lines += 1
        return (
            b"record_id,procedure,declared_at\n"
            if self.lines == 1
            else b"A-%d,export,2026-01-10T12:00:00Z\n" % self.lines
        )


def test_a_file_is_read_as_it_is_asked_for() -> None:
    file: Any = Counted()
    rows = read_csv(file)
    for _ in range(3):
        next(rows)
    assert file.lines <= 6


@pytest.mark.drift
def test_the_documentation_lists_every_column_once() -> None:
    text = (Path(__file__).parents[4] / "docs" / "shipment-formats.md").read_text("utf-8")
    columns = [target for target in FIELDS if target not in PARTY_FIELDS]
    columns += [f"ROLE_{part}" for part in ("name", "id", "address")]
    assert {column: text.count(f"\n| `{column}` |") for column in columns} == dict.fromkeys(columns, 1)


@pytest.mark.drift
def test_the_documentations_example_is_read_as_one_shipment() -> None:
    text = (Path(__file__).parents[4] / "docs" / "shipment-formats.md").read_text("utf-8")
    (row,) = read_csv(io.BytesIO(text.split("```csv\n")[1].split("```")[0].encode()))
    assert isinstance(row, ItemRow), row
    assert isinstance(row.item, Shipment)
    assert (len(row.item.goods), len(row.item.events), row.lines) == (2, 1, 3)
    mapping = SHIPMENT_MAPPINGS.parse(text.split("```toml\n")[1].split("```")[0], source="docs")
    assert mapping.columns["record_id"] == ("Ref.",)
    items = list(read_json_lines(io.BytesIO(text.split("```json\n")[1].split("```")[0].encode())))
    assert [type(each.item) for each in items if isinstance(each, ItemRow)] == [Shipment, ShipmentAddition]


@pytest.mark.parametrize(("cell", "nodes"), [("", None), ("-", []), ("hk; mo", ["hk", "mo"])])
def test_a_release_list_says_whom_it_names_and_a_dash_nobody(cell: str, nodes: list[str] | None) -> None:
    item = one({**MINIMUM, "releasable_to": cell})
    assert item.HasField("releasable_to") == (nodes is not None)
    assert list(item.releasable_to.nodes) == (nodes or [])


@pytest.mark.parametrize("cell", ["-;hk", "HK"])
def test_a_release_list_of_no_names_is_a_problem_of_its_column(cell: str) -> None:
    ((_, field, _),) = wrong({**MINIMUM, "releasable_to": cell})
    assert field == "releasable_to"
