"""Reads customs declarations from CSV files by a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, BinaryIO

from gateway.contract.identification.code_lists import normalise_code
from gateway.errors import MalformedError
from gateway.formats.tables.cell_values import Format, as_day, as_mass, as_number
from gateway.formats.tables.fields import Field, Read
from gateway.formats.tables.layout import Line, Problem, Table
from gateway.formats.tables.lines import Dialect
from gateway.formats.tables.mapping import Family, MappingKind, TableMapping, Zone
from gateway.formats.tables.table_file import read_table

MAX_TEXT_CHARS = 512
"""Longest text; goods descriptions are the longest (WCO: an..512)."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarationRow:
    """One item of a declaration; empty or None where not stated.

    Attributes:
        line: from 1 for the header.
        hs_code: 6, 8, 10 or 12 digits.
        tariff_territory: whose tariff the code is beyond six digits, ISO 3166-1.
        mode_of_transport: coded as in the file or the mapping.
        country_of_origin, country_of_departure, country_of_destination: ISO 3166-1 alpha-2, or ZZ.
        value: price of the item in `currency`, ISO 4217.
        licence: number of the export licence; empty for none, None where the file doesn't say.
    """

    line: int
    declaration_number: str
    date: date
    hs_code: str
    tariff_territory: str = ""
    office: str = ""
    mode_of_transport: str = ""
    declarant_id: str = ""
    importer_id: str = ""
    exporter_id: str = ""
    seller_id: str = ""
    courier_id: str = ""
    country_of_origin: str = ""
    country_of_departure: str = ""
    country_of_destination: str = ""
    net_mass_kg: Decimal | None = None
    gross_mass_kg: Decimal | None = None
    value: Decimal | None = None
    currency: str = ""
    goods_description: str = ""
    container_number: str = ""
    transport_document: str = ""
    licence: str | None = None


def _text(parts: list[str], _: Format) -> str:
    text = parts[0]
    if len(text) > MAX_TEXT_CHARS:
        raise MalformedError(f"has {len(text)} characters, at most {MAX_TEXT_CHARS} are allowed")
    if _UNPRINTABLE.search(text):
        raise MalformedError("has control characters")
    return text


def _code(parts: list[str], _: Format) -> str:
    try:
        return normalise_code(parts[0])
    except MalformedError:
        raise MalformedError(f"{parts[0][:40]!r} is not a commodity code of 6, 8, 10 or 12 digits") from None


def _letters(count: int, what: str) -> Read:
    pattern = re.compile(rf"[A-Z]{{{count}}}")

    def read(parts: list[str], _: Format) -> str:
        if pattern.fullmatch(parts[0]) is None:
            raise MalformedError(f"{parts[0][:40]!r} is not {what}")
        return parts[0]

    return read


_TEXT = Field(read=_text)
_COUNTRY = Field(read=_letters(2, "a country of two capital letters (ISO 3166-1)"))
_PARTIES = ("declarant_id", "importer_id", "exporter_id", "seller_id", "courier_id")

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "declaration_number": _TEXT,
        "date": Field(read=as_day),
        "hs_code": Field(read=_code),
        "tariff_territory": _COUNTRY,
        **dict.fromkeys(("office", "mode_of_transport", *_PARTIES), _TEXT),
        **dict.fromkeys(("country_of_origin", "country_of_departure", "country_of_destination"), _COUNTRY),
        "net_mass_kg": Field(read=as_mass),
        "gross_mass_kg": Field(read=as_mass),
        "value": Field(read=as_number),
        "currency": Field(read=_letters(3, "a currency of three capital letters (ISO 4217)")),
        **dict.fromkeys(("goods_description", "container_number", "transport_document", "licence"), _TEXT),
    }
)

REQUIRED = ("declaration_number", "date", "hs_code")
"""Fields that every mapping and line must have."""

DECLARATION_MAPPINGS = MappingKind(
    table=Table(fields=FIELDS, needed=REQUIRED),
    family=Family.DECLARATIONS,
    default="import_declarations",
    record="declaration",
    date="%Y-%m-%d",
    zone=Zone.NEVER,
)


def read_declarations(
    stream: BinaryIO, mapping: TableMapping, dialect: Dialect | None = None, *, source: str = "the file"
) -> Iterator[DeclarationRow | Problem]:
    """Rows and problems in the file's order; arguments and errors as `read_table`."""
    lines = read_table(stream, mapping, dialect, source=source)
    return (row for line in lines for row in _row(line))


def _row(line: Line) -> Iterator[DeclarationRow | Problem]:
    values: dict[str, Any] = {}
    for target in () if line.problems else line.layout.sources:
        value = line.value(target)
        if value is not None:
            values[target] = value
        elif target == "licence":
            values[target] = ""
        elif target in REQUIRED and not line.has(target):
            line.problem(line.layout.label(target), "is empty")
    if line.problems:
        yield from line.problems
    else:
        yield DeclarationRow(line=line.number, **values)
