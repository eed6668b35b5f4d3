"""A file of real declarations, or the sample: all of them shipments, and nothing of what is mapped lost."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from gateway.formats.shipments.columns import SHIPMENT_MAPPINGS
from gateway.formats.shipments.csv_files import read_csv
from gateway.formats.shipments.rows import ItemRow, Row
from gateway.v1 import goods_pb2
from gateway.v1.shipment_pb2 import Shipment
from tests.support.public_files import DECLARATIONS, DECLARATIONS_SAMPLE


def read(path: Path) -> list[Row]:
    with path.open("rb") as stream:
        return list(read_csv(stream, SHIPMENT_MAPPINGS.builtin("shipments_import_declarations")))


def known_territory(code: str) -> str:
    return "" if code == "ZZ" else code


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return read(DECLARATIONS.path)


def test_every_line_is_a_shipment_and_none_is_left_out(rows: list[Row]) -> None:
    assert len(rows) == DECLARATIONS.lines
    assert {type(row) for row in rows} == {ItemRow}
    assert [row.line for row in rows] == list(range(2, DECLARATIONS.lines + 2))
    assert len({row.item.record_id for row in rows if isinstance(row, ItemRow)}) == DECLARATIONS.lines


def test_each_says_what_its_line_says(rows: list[Row]) -> None:
    with DECLARATIONS.path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    for line, row in zip(lines, rows, strict=True):
        assert isinstance(row, ItemRow)
        made = row.item
        assert isinstance(made, Shipment)
        (goods,) = made.goods
        assert made.record_id == line["Declaration ID"] == made.references[0].value
        assert made.office == goods_pb2.Place(customs_office=line["Office ID"], territory="KR")
        assert [code.code for code in goods.codes] == [line["HS6 Code"]]
        assert goods.net_mass_kg == pytest.approx(float(line["Net Mass"]), abs=1e-6)
        money = goods.customs_value
        assert money.units + money.nanos / 1e9 == pytest.approx(float(line["Item Price"]), abs=1e-6)
        known = {"declarant": "Declarant ID", "importer": "Importer ID", "seller": "Seller ID"}
        wanted = [line[column] for column in (*known.values(), "Courier ID") if line[column]]
        assert sorted(each.value for party in made.parties for each in party.identifiers) == sorted(wanted)
        assert made.export_territory == known_territory(line["Country of Departure"])
        assert goods.origin_territory == known_territory(line["Country of Origin"])


def test_the_first_one_in_full() -> None:
    first = read(DECLARATIONS_SAMPLE.path)[0]
    assert isinstance(first, ItemRow)
    assert MessageToDict(first.item, preserving_proto_field_name=True) == {
        "record_id": "70000001",
        "procedure": "SHIPMENT_PROCEDURE_IMPORT",
        "declared_at": "2021-03-31T15:00:00Z",  # midnight of 1 April in Seoul
        "utc_offset_minutes": 540,
        "office": {"customs_office": "40", "territory": "KR"},
        "references": [{"kind": "SHIPMENT_REFERENCE_KIND_DECLARATION", "value": "70000001"}],
        "parties": [
            {"role": "PARTY_ROLE_DECLARANT", "identifiers": [{"scheme": "trader_id", "value": "SAMPD01"}]},
            {"role": "PARTY_ROLE_IMPORTER", "identifiers": [{"scheme": "trader_id", "value": "SAMPI01"}]},
            {"role": "PARTY_ROLE_SELLER", "identifiers": [{"scheme": "trader_id", "value": "SAMPS01"}]},
        ],
        "goods": [
            {
                "sequence": 1,
                "codes": [{"code": "420231", "scheme": "hs"}],
                "net_mass_kg": 1.5,
                "customs_value": {"currency_code": "KRW", "units": "1260", "nanos": 700000000},
                "origin_territory": "RO",
            }
        ],
        "means": [{"mode": "TRANSPORT_MODE_AIR"}],
        "export_territory": "IT",
        "destination_territory": "KR",
        "licences_not_known": True,
    }


def test_modes_are_those_of_recommendation_19(rows: list[Row]) -> None:
    found = [row.item.means[0].mode if row.item.means else 0 for row in rows if isinstance(row, ItemRow)]
    counts = {mode: found.count(mode) for mode in set(found)}
    assert counts == DECLARATIONS.modes
