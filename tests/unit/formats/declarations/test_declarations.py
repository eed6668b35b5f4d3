"""Declarations from CSV: the real file, one of quite another shape, and lines and mappings that are wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError
from gateway.formats.declarations.declarations import (
    DECLARATION_MAPPINGS,
    FIELDS,
    MAX_TEXT_CHARS,
    REQUIRED,
    DeclarationRow,
    read_declarations,
)
from gateway.formats.tables import mapping as mapping_module
from gateway.formats.tables.cell_values import MAX_DIGITS
from gateway.formats.tables.layout import Problem
from gateway.formats.tables.lines import MAX_LINE_BYTES
from gateway.formats.tables.mapping import TableMapping
from gateway.risk.controlled_goods_file import load_controlled_goods
from tests.support.public_files import DECLARATIONS

SMALL = """
[columns]
declaration_number = "No"
date = "Day"
hs_code = "Code"
country_of_origin = "From"
net_mass_kg = "Kg"
"""

OTHER_SHAPE = """
description = "Exports of another authority, as its spreadsheet writes them"
encoding = "gb18030"
delimiter = ";"
mass_unit = "t"

[date]
format = "%d.%m.%Y"

[decimal]
point = ","
group = "."

[columns]
date = "申报日期"
declaration_number = "报关单号"
hs_code = "商品编号"
goods_description = "品名"
gross_mass_kg = "毛重(吨)"
value = "总价"
exporter_id = "出口商"
country_of_destination = "目的国"
mode_of_transport = "运输方式"
container_number = "集装箱号"
transport_document = "提运单号"

[constants]
currency = "CNY"
tariff_territory = "CN"

[values.mode_of_transport]
"公路" = "road"
"水路" = "sea"
"""


def small(**changes: str) -> TableMapping:
    """The small mapping with lines put before it or after it."""
    return DECLARATION_MAPPINGS.parse(changes.get("before", "") + SMALL + changes.get("after", ""), source="small.toml")


def read(text: str | bytes, mapping: TableMapping) -> list[DeclarationRow | Problem]:
    content = text.encode(mapping.encoding or "utf-8") if isinstance(text, str) else text
    return list(read_declarations(io.BytesIO(content), mapping, source="test.csv"))


def only_row(text: str, mapping: TableMapping) -> DeclarationRow:
    (row,) = read(text, mapping)
    assert isinstance(row, DeclarationRow)
    return row


def test_the_real_file_is_read_whole() -> None:
    path = DECLARATIONS.path
    with path.open("rb") as file:
        rows = list(read_declarations(file, DECLARATION_MAPPINGS.builtin()))
    with path.open(encoding="utf-8", newline="") as text:
        expected = list(csv.DictReader(text))
    assert len(rows) == len(expected) == DECLARATIONS.lines
    for number, (row, wanted) in enumerate(zip(rows, expected, strict=True), start=2):
        assert row == DeclarationRow(
            line=number,
            declaration_number=wanted["Declaration ID"],
            date=date.fromisoformat(wanted["Date"]),
            hs_code=wanted["HS6 Code"],
            office=wanted["Office ID"],
            mode_of_transport=wanted["Mode of Transport"],
            declarant_id=wanted["Declarant ID"],
            importer_id=wanted["Importer ID"],
            seller_id=wanted["Seller ID"],
            courier_id=wanted["Courier ID"],
            country_of_origin=wanted["Country of Origin"],
            country_of_departure=wanted["Country of Departure"],
            net_mass_kg=Decimal(wanted["Net Mass"]),
            value=Decimal(wanted["Item Price"]),
        )


def test_controlled_rows_of_the_real_file_by_their_own_date_and_as_of_2026() -> None:
    goods = load_controlled_goods()
    own_date = as_of = 0
    with DECLARATIONS.path.open("rb") as file:
        for row in read_declarations(file, DECLARATION_MAPPINGS.builtin()):
            assert isinstance(row, DeclarationRow)
            own_date += bool(goods.match(row.hs_code, row.date, territory=row.tariff_territory))
            as_of += bool(goods.match(row.hs_code, date(2026, 1, 15), territory=row.tariff_territory))
    assert (own_date, as_of) == (0, DECLARATIONS.listed)


def test_a_file_of_quite_another_shape_is_read_by_its_own_mapping() -> None:
    mapping = DECLARATION_MAPPINGS.parse(OTHER_SHAPE, source="other.toml")
    text = (
        "序号;报关单号;申报日期;商品编号;品名;毛重(吨);总价;出口商;目的国;运输方式;集装箱号;提运单号\r\n"
        '1;530120250525641690;05.11.2025;8110.1010.00;"锑锭; 99,65%";1.024,5;1.234.567,89;'
        "914403001922038216;HK;公路;;\r\n"
        "2;530120250525641691;6.11.2025;7801100000;铅锭;0,02;;;MO;水路;CSQU3054383;ZHMO-1\r\n"
    )
    one, two = read(text, mapping)
    assert one == DeclarationRow(
        line=2,
        declaration_number="530120250525641690",
        date=date(2025, 11, 5),
        hs_code="8110101000",
        tariff_territory="CN",
        goods_description="锑锭; 99,65%",
        gross_mass_kg=Decimal("1024500"),
        value=Decimal("1234567.89"),
        currency="CNY",
        exporter_id="914403001922038216",
        country_of_destination="HK",
        mode_of_transport="road",
    )
    assert isinstance(two, DeclarationRow)
    assert (two.date, two.gross_mass_kg, two.value, two.mode_of_transport) == (
        date(2025, 11, 6),
        Decimal(20),
        None,
        "sea",
    )
    assert (two.container_number, two.transport_document) == ("CSQU3054383", "ZHMO-1")


def test_malformed_lines_are_reported_and_the_rest_goes_on() -> None:
    content = b"\r\n".join(
        [
            b"No,Day,Code,From,Kg",
            b"1,2021-04-01,811292,CN,1.0",
            b"2,2021-04-31,81129,cn,-1",
            b",2021-04-01,811292,CN,1.0",
            b"4,2021-04-01,811292,CN",
            b'5,2021-04-01,811292,"CN,1.0',
            b"",
            b"7,2021-04-01,811292,\xff\xfe,1.0",
            b"8,2021-04-01,811292,CN," + b"1" * MAX_LINE_BYTES,
            b"9,2021-04-01,811292,,",
            b"x" * (3 * MAX_LINE_BYTES),
            b"11,2021-04-01,811292,CN,1e3",
            b"1\x1b[2J,2021-04-01,811292,CN,1",
            b"9" * (MAX_TEXT_CHARS + 1) + b",2021-04-01,811292,CN,1",
            b"15,2021-04-01,811292,CN,1",
        ]
    )
    result = read(content, small())
    assert [row.declaration_number for row in result if isinstance(row, DeclarationRow)] == ["1", "9", "15"]
    assert [row.line for row in result] == sorted(row.line for row in result)
    problems = [problem for problem in result if isinstance(problem, Problem)]
    assert problems == [
        Problem(3, "column 'Day'", "column 'Day': '2021-04-31' isn't a date %Y-%m-%d"),
        Problem(3, "column 'Code'", "column 'Code': '81129' is not a commodity code of 6, 8, 10 or 12 digits"),
        Problem(3, "column 'From'", "column 'From': 'cn' is not a country of two capital letters (ISO 3166-1)"),
        Problem(3, "column 'Kg'", "column 'Kg': '-1' can't be negative"),
        Problem(4, "column 'No'", "column 'No': is empty"),
        Problem(5, "", "the line has 4 columns, the header has 5"),
        Problem(6, "", "the line is not CSV: unexpected end of data"),
        Problem(8, "", "byte 21 of the line is not utf-8; --encoding names the file's encoding"),
        Problem(9, "", "the line is longer than 1048576 bytes"),
        Problem(11, "", "the line is longer than 1048576 bytes"),
        Problem(12, "column 'Kg'", "column 'Kg': '1e3' is not a number like 1234.5"),
        Problem(13, "column 'No'", "column 'No': has control characters"),
        Problem(14, "column 'No'", "column 'No': has 513 characters, at most 512 are allowed"),
    ]


def test_a_translation_that_is_missing_is_a_problem_of_its_line() -> None:
    mapping = small(after='[values.country_of_origin]\nChina = "CN"\n')
    one, two, three = read(
        "No,Day,Code,From,Kg\n1,2021-04-01,811292,China,1\n2,2021-04-01,811292,Chile,1\n3,2021-04-01,811292,,\n",
        mapping,
    )
    assert isinstance(one, DeclarationRow)
    assert one.country_of_origin == "CN"
    assert two == Problem(3, "column 'From'", "column 'From': 'Chile' isn't translated by [values.country_of_origin]")
    assert isinstance(three, DeclarationRow)
    assert (three.country_of_origin, three.net_mass_kg) == ("", None)


class CountingFile(io.RawIOBase):
    """A file without an end that counts what has been read from it."""

    def __init__(self) -> None:
        self.lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        self.lines += 1
        return b"No,Day,Code,From,Kg\n" if self.lines == 1 else b"1,2021-04-01,811292,CN,1.0\n"


def test_reading_is_streaming() -> None:
    file = CountingFile()
    rows: Iterator[DeclarationRow | Problem] = read_declarations(file, small())  # type: ignore[arg-type]
    assert file.lines == 2  # one line ahead: a header alone is refused
    for _ in range(3):
        next(rows)
    assert file.lines == 4


def test_columns_are_found_by_name_in_any_order_with_a_byte_order_mark() -> None:
    row = only_row("\ufeff Kg ,extra,From,Code,Day,No\n2.5,x,JP,811292,2021-04-01,77", small())
    assert (row.declaration_number, row.net_mass_kg, row.country_of_origin) == ("77", Decimal("2.5"), "JP")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "has no column 'No', which the mapping names for declaration_number; its columns: "),
        (
            b"No,Day,Code,Kg\n",
            "has no column 'From', which the mapping names for country_of_origin; its columns: 'No', ",
        ),
        (b"No,Day,Code,From,Kg,Kg\n", "has 2 columns 'Kg', which the mapping names for net_mass_kg"),
        (b'No,"Day\n', "the header can't be read: the line is not CSV"),
        (b"\xffNo\n", "the header can't be read: byte 1 of the line is not utf-8"),
        (b"N" * (MAX_LINE_BYTES + 1), "the header can't be read: the line is longer than"),
    ],
)
def test_a_file_that_does_not_fit_the_mapping_is_refused_before_the_first_row(content: bytes, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_declarations(io.BytesIO(content), small(), source="test.csv")
    assert caught.value.message.startswith("test.csv")
    assert complaint in caught.value.message


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[columns", "is not TOML"),
        ('colums = ""' + SMALL, "colums is unknown; known are description, encoding"),
        (SMALL + 'vessel = "V"', "columns.vessel is unknown; known are declaration_number"),
        (SMALL.replace("date", "office"), "[columns] doesn't name a column for date"),
        ("", "[columns] doesn't name a column for declaration_number"),
        (SMALL + '[constants]\nhs_code = "811292"', "hs_code is both in [columns] and in [constants]"),
        (SMALL + "[constants]\nvalue = 3", "constants.value must be text in quotes"),
        (SMALL + '[constants]\ncurrency = "Yuan"', "constants.currency: 'Yuan' is not a currency"),
        (SMALL + '[constants]\nweight = "1"', "constants.weight is unknown"),
        (SMALL + '[values.currency]\nRMB = "CNY"', "[values.currency] translates a field that [columns] doesn't fill"),
        (SMALL + '[values]\ndate = "x"', "values.date must be a table [values.date]"),
        (SMALL + "[values.date]\nx = 1", "values.date.x must be text"),
        ("columns = 1", "columns must be a table [columns]"),
        ("delimiter = 1" + SMALL, "delimiter must be text"),
        ('delimiter = ""' + SMALL, "delimiter '' must be one ASCII character"),
        ('delimiter = ",,"' + SMALL, "delimiter"),
        ("delimiter = '\"'" + SMALL, "delimiter"),
        ('delimiter = "；"' + SMALL, "delimiter"),
        ('encoding = "utf-7"' + SMALL, "encoding 'utf-7' is unknown; use one of 'utf-8'"),
        ('mass_unit = "lb"' + SMALL, "mass_unit 'lb' is unknown; use one of 'g', 'kg', 't'"),
        (SMALL + '[decimal]\npoint = ";"', "decimal.point"),
        (SMALL + '[decimal]\ngroup = "_"', "decimal.group"),
        (SMALL + '[decimal]\ngroup = "."', "decimal.group and decimal.point must differ"),
        (SMALL + '[date]\nformat = "%d %B %Y"', "date.format '%d %B %Y'"),
        (SMALL + '[date]\nformat = "%d/%m/%y"', "date.format"),
        (SMALL + '[date]\nformat = "%Y-%m"', "date.format"),
        (SMALL + '[date]\nformat = "%Y-%m-%d %d"', "date.format"),
        (SMALL + '[date]\nzone = "x"', "date.zone is unknown; known are format"),
    ],
)
def test_a_wrong_mapping_is_refused_and_names_the_key(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        DECLARATION_MAPPINGS.parse(text, source="own.toml")
    assert caught.value.message.startswith("own.toml")
    assert complaint in caught.value.message


def test_mappings_are_loaded_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.toml"
    path.write_text(SMALL, "utf-8-sig")
    assert DECLARATION_MAPPINGS.load(path) == small()
    with pytest.raises(ConfigurationError, match=r"none\.toml can't be read"):
        DECLARATION_MAPPINGS.load(tmp_path / "none.toml")
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="can't be read"):
        DECLARATION_MAPPINGS.load(path)
    monkeypatch.setattr(mapping_module, "MAX_MAPPING_BYTES", 10)
    path.write_text(SMALL)
    with pytest.raises(ConfigurationError, match="larger than 10 bytes"):
        DECLARATION_MAPPINGS.load(path)
    with pytest.raises(ConfigurationError, match="no mapping 'x'; those that come along: import_declarations"):
        DECLARATION_MAPPINGS.builtin("x")


def test_the_mapping_fills_exactly_the_rows_fields_and_its_file_documents_them() -> None:
    assert set(FIELDS) == {f.name for f in fields(DeclarationRow)} - {"line"}
    assert set(REQUIRED) <= set(FIELDS)
    documented = (Path(mapping_module.__file__).parents[2] / "reference/mappings/import_declarations.toml").read_text(
        "utf-8"
    )
    assert [target for target in FIELDS if target not in documented] == []
    assert all(f'"{unit}"' not in documented or unit == "kg" for unit in ("g", "kg", "t"))


@pytest.mark.parametrize(
    ("notation", "text", "expected"),
    [
        (("%Y-%m-%d"), "2021-4-1", date(2021, 4, 1)),
        (("%Y%m%d"), "20210401", date(2021, 4, 1)),
        (("%Y%m%d"), "2021041", None),
        (("%d/%m/%Y"), "04/01/2021", date(2021, 1, 4)),
        (("%Y-%m-%dT%H:%M:%S"), "2021-04-01T23:59:59", date(2021, 4, 1)),
        (("%Y年%m月%d日"), "2021年04月01日", date(2021, 4, 1)),
        (("%Y-%m-%d"), "２０２１-04-01", None),
        (("%Y-%m-%d"), "2021-02-29", None),
        (("%Y-%m-%d"), "21-02-28", None),
    ],
)
def test_dates(notation: str, text: str, expected: date | None) -> None:
    mapping = small(after=f'[date]\nformat = "{notation}"\n')
    (result,) = read(f"No,Day,Code,From,Kg\n1,{text},811292,CN,1\n", mapping)
    assert (result.date if isinstance(result, DeclarationRow) else None) == expected


@pytest.mark.parametrize(
    ("point", "group", "text", "expected"),
    [
        (".", "", "1234.5", "1234.5"),
        (".", "", "1,234.5", None),
        (".", ",", "1,234.5", "1234.5"),
        (".", ",", "1234.5", "1234.5"),
        (".", ",", "1,5", None),
        (".", ",", "12,34.5", None),
        (",", ".", "1.234,5", "1234.5"),
        # With dots as groups this isn't fifteen.
        (",", ".", "1.5", None),
        (",", " ", "1 234 567", "1234567"),
        (".", "'", "1'234.5", "1234.5"),
        (".", "", "", None),
        (".", "", ".5", None),
        (".", "", "5.", None),
        (".", "", "+5", None),
        (".", "", "NaN", None),
        (".", "", "Infinity", None),
        (".", "", "٣", None),
        (".", "", "-0", "0"),
        (".", "", "1" * 19, None),
        (".", "", "73.72000000000001", "73.72000000000001"),
        (".", "", "0." + "1" * 19, None),
        (".", ",", "111" + ",111" * 5, "111" * 6),
        (".", ",", "111" + ",111" * 6, None),
    ],
)
def test_numbers(point: str, group: str, text: str, expected: str | None) -> None:
    mapping = small(before='delimiter = ";"', after=f'[decimal]\npoint = "{point}"\ngroup = "{group}"\n')
    (result,) = read(f"No;Day;Code;From;Kg\n1;2021-04-01;811292;CN;{text}\n", mapping)
    mass = result.net_mass_kg if isinstance(result, DeclarationRow) else None
    assert mass == (Decimal(expected) if expected else None)
    assert isinstance(result, Problem) is (expected is None and text != "")


def test_masses_in_grams_become_kilograms() -> None:
    row = only_row("No,Day,Code,From,Kg\n1,2021-04-01,811292,CN,250\n", small(before='mass_unit = "g"'))
    assert row.net_mass_kg == Decimal("0.25")
    exact = f"{'9' * MAX_DIGITS}.{'9' * MAX_DIGITS}"
    row = only_row(f"No,Day,Code,From,Kg\n1,2021-04-01,811292,CN,{exact}\n", small(before='mass_unit = "t"'))
    assert row.net_mass_kg == Decimal(f"{'9' * (MAX_DIGITS + 3)}.{'9' * (MAX_DIGITS - 3)}")


safe_text = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)


@given(
    st.lists(
        st.tuples(
            safe_text.filter(lambda text: text.strip() == text),
            st.dates(date(1000, 1, 1)),
            st.from_regex("[0-9]{6}|[0-9]{8}|[0-9]{10}", fullmatch=True),
            st.decimals(0, 10**15, places=3),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([(",", ".", "", "%Y-%m-%d"), (";", ",", ".", "%d.%m.%Y"), ("\\t", ".", ",", "%Y%m%d")]),
)
def test_what_a_csv_writer_writes_is_read_back(
    rows: list[tuple[str, date, str, Decimal]], notation: tuple[str, str, str, str]
) -> None:
    delimiter, point, group, day = notation
    mapping = small(
        before=f'delimiter = "{delimiter}"',
        after=f'[decimal]\npoint = "{point}"\ngroup = "{group}"\n[date]\nformat = "{day}"\n',
    )
    text = io.StringIO()
    writer = csv.writer(text, delimiter=mapping.delimiter)
    writer.writerow(["No", "Day", "Code", "From", "Kg"])
    swap = str.maketrans({",": group, ".": point})
    for number, on, code, mass in rows:
        writer.writerow([number, on.strftime(day), code, "CN", f"{mass:,.3f}".translate(swap)])
    result = read(text.getvalue(), mapping)
    assert [
        (r.declaration_number, r.date, r.hs_code, r.net_mass_kg) for r in result if isinstance(r, DeclarationRow)
    ] == rows
    assert len(result) == len(rows)


@given(st.binary(max_size=300))
def test_no_content_is_ever_an_error(content: bytes) -> None:
    result = read(b"No,Day,Code,From,Kg\n" + content + b"\n1,2021-04-01,811292,CN,1\n", small())
    last = result[-1]
    assert isinstance(last, DeclarationRow)
    assert last.declaration_number == "1"
    assert all(isinstance(item, DeclarationRow | Problem) for item in result)
