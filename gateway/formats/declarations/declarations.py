"""Reads customs declarations from CSV files of any shape, by a mapping, into neutral rows.

A record is one line: line ends inside quotes aren't supported, so that a stray quote spoils its own line only.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO

from gateway.errors import ConfigurationError, MalformedError
from gateway.formats.declarations.declaration_mapping import REQUIRED, DeclarationMapping, read_value
from gateway.formats.tables.mapping_tables import Places

MAX_LINE_BYTES = 64 << 10
"""Longest line in bytes; a declaration line has a few hundred, and longer ones are skipped without being held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarationRow:
    """One item of a declaration. Empty text and None mean that the file doesn't say.

    Attributes:
        line: line in the file, from 1 for the header.
        declaration_number: as the declaring office numbers it.
        date: day of the declaration.
        hs_code: commodity code, 6, 8, 10 or 12 digits.
        tariff_territory: ISO 3166-1 code of the tariff that the code belongs to beyond six digits.
        office: customs office, coded.
        mode_of_transport: coded as in the file, or as the mapping translates it.
        declarant_id, importer_id, exporter_id, seller_id, courier_id: the parties' numbers.
        country_of_origin, country_of_departure, country_of_destination: ISO 3166-1 alpha-2, or ZZ where unknown.
        net_mass_kg, gross_mass_kg: kilograms.
        value: price of the item in `currency`.
        currency: ISO 4217 alpha-3.
        goods_description, container_number, transport_document: as declared.
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


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One reason why a line can't be used; a line may have several.

    Attributes:
        line: line in the file, from 1 for the header.
        field: field of DeclarationRow; empty where the line as a whole can't be read.
        reason: a sentence that names the column.
    """

    line: int
    field: str
    reason: str


def read_declarations(
    stream: BinaryIO, mapping: DeclarationMapping, *, source: str = "the file"
) -> Iterator[DeclarationRow | RowProblem]:
    """Rows and problems of a CSV file in its order; memory doesn't grow with the file.

    Args:
        stream: the file, opened in binary mode; the caller closes it.
        mapping: what its columns mean.
        source: names the file in errors.

    Raises:
        ConfigurationError: at once, before any row: the file is empty, its header can't be read, or it lacks a column
            that the mapping names; the message names field and column.
    """
    lines = _lines(stream)
    _, first = next(lines, (1, b""))
    try:
        header = [name.strip() for name in _cells(first, mapping, skip_mark=True)]
    except MalformedError as error:
        raise ConfigurationError(f"{source}: the header can't be read: {error.message}") from None
    place = Places(header, source)
    places = {target: place.of(column, target) for target, column in mapping.columns.items()}
    return _rows(lines, mapping, places, len(header))


def _rows(
    lines: Iterable[tuple[int, bytes | None]], mapping: DeclarationMapping, places: Mapping[str, int], width: int
) -> Iterator[DeclarationRow | RowProblem]:
    for number, line in lines:
        if line is not None and not line.strip():
            continue
        try:
            cells = _cells(line, mapping)
            if len(cells) != width:
                raise MalformedError(f"the line has {len(cells)} columns, the header has {width}")
        except MalformedError as error:
            yield RowProblem(number, "", error.message)
            continue
        yield from _row(number, cells, mapping, places)


def _row(
    number: int, cells: list[str], mapping: DeclarationMapping, places: Mapping[str, int]
) -> Iterator[DeclarationRow | RowProblem]:
    values: dict[str, Any] = {}
    problems: list[RowProblem] = []
    texts = {target: cells[place].strip() for target, place in places.items()}
    for target, text in {**mapping.constants, **texts}.items():
        try:
            if text or target in REQUIRED:
                values[target] = read_value(target, text, mapping)
        except MalformedError as error:
            where = f"column {mapping.columns[target]!r} " if target in mapping.columns else ""
            problems.append(RowProblem(number, target, f"{where}{error.message}"))
    if problems:
        yield from problems
    else:
        yield DeclarationRow(line=number, **values)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines; None for one that is too long, of which no more than MAX_LINE_BYTES are held at a time."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        too_long = len(line) > MAX_LINE_BYTES
        if too_long:
            _skip_rest_of_line(stream, line)
        yield number, None if too_long else line


def _skip_rest_of_line(stream: BinaryIO, chunk: bytes) -> None:
    while chunk and not chunk.endswith(b"\n"):
        chunk = stream.readline(MAX_LINE_BYTES)


def _cells(line: bytes | None, mapping: DeclarationMapping, *, skip_mark: bool = False) -> list[str]:
    if line is None:
        raise MalformedError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        text = line.decode(mapping.encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise MalformedError(f"byte {error.start + 1} of the line is not {mapping.encoding}") from None
    if skip_mark:
        text = text.removeprefix("\ufeff")
    try:
        return next(csv.reader([text], delimiter=mapping.delimiter, strict=True), [])
    except csv.Error as error:
        raise MalformedError(f"the line is not CSV: {error}") from None
