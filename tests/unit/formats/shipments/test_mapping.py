"""CSV of shipments with other people's columns, by a mapping, and mappings that make no sense."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pytest

from gateway.errors import ConfigurationError
from gateway.formats.shipments.columns import SHIPMENT_MAPPINGS
from gateway.formats.shipments.csv_files import read_csv
from gateway.formats.shipments.rows import BadRecord, ItemRow, Row
from gateway.v1 import goods_pb2, shipment_pb2
from gateway.v1.shipment_pb2 import Shipment
from tests.support.shipment_files import one, table, wrong

FOREIGN = """
encoding = "big5"
delimiter = ";"
mass_unit = "t"
[date]
format = "%d/%m/%Y %H:%M"
zone = "+08:00"
[decimal]
point = ","
group = "."
[columns]
record_id = "Ref"
declared_at = "Am"
procedure = "Art"
containers = "Boxes"
seals = "Seals"
net_mass_kg = "Netto"
value = "Wert"
office = "Zoll"
route = ["Von", "Nach"]
hs_code = "Code"
incoterms = "Terms"
origin = "Origin"
[[names]]
column = "名稱"
role = "exporter"
script = "Hant"
language = "zh"
separator = "、"
[[identifiers]]
column = "BR"
role = "exporter"
scheme = "hk_brn"
territory = "HK"
[[registrations]]
column = "Plate"
scheme = "hk_vehicle_plate"
separator = "/"
[places]
office = "customs_code"
route = "name"
[constants]
currency = "EUR"
tariff_territory = "CN"
[defaults]
incoterms = "FOB"
origin = "CN"
[separators]
containers = "+"
seals = "+"
[values.procedure]
"A" = "export"
"E" = "import"
"""

LINE = {
    "Ref": "R1",
    "Am": "10/01/2026 12:30",
    "Art": "A",
    "Boxes": "C1+C2",
    "Seals": "S1+S2",
    "Netto": "1.234,5",
    "Wert": "1.000,25",
    "Zoll": "5345",
    "Von": "皇崗",
    "Nach": "Lok Ma Chau",
    "Code": "8110101000",
    "Terms": "",
    "Origin": "",
    "名稱": "範例、樣本",
    "BR": "12345678",
    "Plate": "AB 1/AB 2",
}


def foreign(*rows: Mapping[str, str], text: str = FOREIGN) -> list[Row]:
    data = table(*rows, delimiter=";").getvalue().decode().encode("big5")
    return list(read_csv(io.BytesIO(data), SHIPMENT_MAPPINGS.parse(text, source="m.toml")))


def test_a_mapping_reads_another_encoding_notation_and_places() -> None:
    (row,) = foreign({**LINE, "Von": "Wenjindu"})
    assert isinstance(row, ItemRow), row
    made = row.item
    assert isinstance(made, Shipment)
    assert (made.declared_at.ToJsonString(), made.utc_offset_minutes) == ("2026-01-10T04:30:00Z", 480)
    assert made.procedure == shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
    assert [(each.id, list(each.seals)) for each in made.equipment] == [("C1", ["S1"]), ("C2", ["S2"])]
    (goods,) = made.goods
    assert goods.net_mass_kg == 1_234_500.0
    assert goods.customs_value == goods_pb2.Money(currency_code="EUR", units=1000, nanos=250_000_000)
    assert (goods.origin_territory, made.incoterms) == ("CN", "FOB")
    assert made.office.unlocode == "CNSZW"
    assert [getattr(made.route[0], "from").unlocode, made.route[0].to.name] == ["CNWJD", "Lok Ma Chau"]
    assert made.route[0].to.unlocode == "HKHKG"  # the port that this control point belongs to
    (party,) = made.parties
    assert [(n.text, n.script) for n in party.names] == [("範例", "Hant"), ("樣本", "Hant")]
    assert [(i.scheme, i.value, i.territory) for i in party.identifiers] == [("hk_brn", "12345678", "HK")]
    assert [each.value for each in made.means[0].registrations] == ["AB 1", "AB 2"]


def test_complaints_of_a_mapped_file_name_its_columns() -> None:
    (row,) = foreign({**LINE, "Art": "Q", "Netto": "1234,5.6", "Am": "2026-01-10", "Zoll": "9999", "Von": "Atlantis"})
    assert isinstance(row, BadRecord)
    found = {problem.field: problem.reason for problem in row.problems}
    assert set(found) == {
        "column 'Art'",
        "column 'Netto'",
        "column 'Am'",
        "column 'Zoll'",
        "column 'Von' and 'Nach'",
    }
    assert "isn't translated by [values.procedure]" in found["column 'Art'"]
    assert "like 1.2345,5" in found["column 'Netto'"] or "number like" in found["column 'Netto'"]
    assert "%d/%m/%Y" in found["column 'Am'"]
    assert "say its territory" in found["column 'Zoll'"]


def test_a_default_of_the_whole_doesnt_contradict_what_the_first_line_said() -> None:
    (row,) = foreign({**LINE, "Von": "Wenjindu", "Terms": "CIF"}, {"Ref": "R1", "Netto": "1", "Code": "811010"})
    assert isinstance(row, ItemRow), row
    assert isinstance(row.item, Shipment)
    assert row.item.incoterms == "CIF"
    assert [item.origin_territory for item in row.item.goods] == ["CN", "CN"]


def test_an_office_that_isnt_known_needs_its_territory() -> None:
    small = '[columns]\nrecord_id = "R"\nprocedure = "P"\ndeclared_at = "D"\noffice = "O"\n'
    line = {"R": "1", "P": "import", "D": "2026-01-10T12:00:00Z", "O": "40"}
    places = '[places]\noffice = "customs_code"\n'
    found = wrong(line, mapping=SHIPMENT_MAPPINGS.parse(small + places, source="m"))
    assert [column for _, column, _ in found] == ["column 'O'"]
    with_territory = SHIPMENT_MAPPINGS.parse(small + places + '[constants]\noffice_territory = "KR"\n', source="m")
    assert one(line, mapping=with_territory).office == goods_pb2.Place(customs_office="40", territory="KR")
    # 5345 is Shenzhen Bay's on the mainland, and nothing that is known elsewhere
    assert one({**line, "O": "5345"}, mapping=with_territory).office.name == ""


COLUMNS = '[columns]\nrecord_id = "R"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns", "not TOML"),
        ('[columns]\nucr = "U"', "column for record_id"),
        ('[columns]\nrecord_id = ["A", "B"]', "one column"),
        (COLUMNS + 'colour = "C"', "columns.colour is unknown"),
        (COLUMNS + 'mode = ["A", "B"]', "columns.mode must name one column"),
        (COLUMNS + "mode = 7", "text in quotes"),
        (COLUMNS + 'mode = "M"\n[constants]\nmode = "3"', "both in"),
        (COLUMNS + '[defaults]\nmode = "3"\n[constants]\nmode = "3"', "both in"),
        (COLUMNS + '[values.mode]\n"T" = "road"', "doesn't fill"),
        (COLUMNS + '[separators]\ncontainers = ";"', "doesn't fill containers"),
        (COLUMNS + '[separators]\nmode = ";"', "separators.mode is unknown"),
        (COLUMNS + '[date]\nformat = "%Y-%m-%d"', "date.zone is missing"),
        (COLUMNS + '[date]\nformat = "%Y-%m-%d"\nzone = "CST"', "isn't a zone"),
        (COLUMNS + '[date]\nformat = "%Y-%m-%d"\nzone = "+15:00"', "isn't a zone"),
        (COLUMNS + '[date]\nformat = "%Y"\nzone = "Z"', "once each"),
        (COLUMNS + '[date]\nzone = "Z"', "carry theirs"),
        (COLUMNS + '[decimal]\npoint = ","\ngroup = ","', "must differ"),
        (COLUMNS + '[places]\noffice = "postcode"', "places.office 'postcode'"),
        (COLUMNS + '[places]\nmode = "name"', "places.mode is unknown"),
        (COLUMNS + '[[names]]\ncolumn = "N"', "names\\[0\\] has no role"),
        (COLUMNS + '[[names]]\ncolumn = "N"\nrole = "boss"', "'boss' is unknown"),
        (COLUMNS + '[[identifiers]]\ncolumn = "N"\nrole = "agent"\nscheme = "Br No"', "small letters"),
        (COLUMNS + '[constants]\nprocedure = "exort"', "isn't one of export"),
        (COLUMNS + '[constants]\nexport_territory = "Atlantis"', "known name"),
        (COLUMNS + '[defaults]\npackage_count = "x"', "not a number"),
        ('mass_unit = "lb"\n' + COLUMNS, "mass_unit 'lb'"),
        ('encoding = "utf-7"\n' + COLUMNS, "encoding 'utf-7'"),
        ('delimiter = ";;"\n' + COLUMNS, "delimiter"),
        ('colour = "red"\n' + COLUMNS, "colour is unknown"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_with_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        SHIPMENT_MAPPINGS.parse(text, source="ours.toml")
    assert refused.value.message.startswith("ours.toml")


def test_a_column_that_the_file_lacks_is_named_with_those_it_has() -> None:
    mapping = SHIPMENT_MAPPINGS.parse(COLUMNS + 'ucr = "U"', source="m")
    with pytest.raises(ConfigurationError, match=r"no column 'U', which the mapping names for ucr; its columns: 'R'"):
        read_csv(io.BytesIO(b"R\n"), mapping)


def test_mappings_are_found_by_name_among_those_for_shipments() -> None:
    with pytest.raises(ConfigurationError, match="those that come along: shipments_import_declarations"):
        SHIPMENT_MAPPINGS.builtin("import_declarations")
