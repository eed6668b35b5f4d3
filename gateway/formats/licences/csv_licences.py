"""Reads licences from CSV, a line of goods each; lines of one number that follow each other are one licence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO

from gateway.contract.validation import violations
from gateway.formats.tables.cell_values import as_count, as_enum
from gateway.formats.tables.fields import Column, Read, as_text
from gateway.formats.tables.layout import FilledColumn, Line, Problem, Table
from gateway.formats.tables.lines import Dialect
from gateway.formats.tables.notation import Notation
from gateway.formats.tables.table_file import read_table
from gateway.v1 import licence_pb2
from gateway.v1.licence_pb2 import LicenceContent, LicenceRevision

_PLAIN = Notation(members="", parts="", escapes=False)
_LIST = Notation(members=";", parts="", escapes=False)


def _one(name: str, read: Read = as_text) -> Column:
    return Column(path=f"content.{name}", read=read, own=_PLAIN)


def _many(name: str, read: Read = as_text) -> Column:
    return Column(path=f"content.{name}", read=read, own=_LIST, many=True)


def _goods(name: str) -> Column:
    def put(licence: LicenceRevision, values: list[str]) -> None:
        setattr(licence.content.goods[0], name, values[0])

    return Column(own=_PLAIN, put=put)


def _party(name: str) -> Column:
    def put(licence: LicenceRevision, values: list[str]) -> None:
        party = getattr(licence.content, name)
        for text in values:
            scheme, colon, value = text.partition(":")
            if colon and scheme.replace("_", "").isalnum() and scheme.islower():
                party.identifiers.add(scheme=scheme, value=value.strip())
            else:
                party.names.add(text=text)

    return Column(own=_LIST, many=True, put=put)


def _put_codes(licence: LicenceRevision, values: list[str]) -> None:
    for text in values:
        code, _, territory = text.replace(".", "").partition("@")
        licence.content.goods[0].codes.add(code=code, scheme="tariff" if territory else "hs", territory=territory)


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "number": Column(path="number", own=_PLAIN),
        "holder": _party("holder"),
        "consignee": _party("consignee"),
        "end_user": _party("end_user"),
        "end_use": _one("end_use"),
        "control_code": _goods("control_code"),
        "codes": Column(own=_LIST, many=True, put=_put_codes),
        "description": _goods("description"),
        "quantity": _goods("quantity"),
        "unit": _goods("unit"),
        "tolerance_percent": _goods("tolerance_percent"),
        "uses": _one("uses", as_count),
        "valid_from": _one("valid_from"),
        "valid_until": _one("valid_until"),
        "destinations": _many("destinations"),
        "conditions": _many("conditions", as_enum(licence_pb2.LicenceCondition, "LICENCE_CONDITION_")),
        "other_conditions": _many("other_conditions"),
        "purpose": _one("purpose"),
        "legal_basis": _one("legal_basis"),
        "parties": _many("parties"),
    }
)
"""Lists are joined by `;`. A code is HS digits, or a tariff's with its territory: `8112929010@CN`. A party is a list of
names and of identifiers `scheme:value`.
"""

LICENCES = Table(fields=COLUMNS, needed=("number", "quantity", "unit"), help=f"the columns are {', '.join(COLUMNS)}")


@dataclass(frozen=True, slots=True)
class LicenceLine:
    """A licence and the line on which it begins."""

    line: int
    number: str
    content: LicenceContent


def read_licence_csv(
    stream: BinaryIO, defaults: LicenceContent, dialect: Dialect | None = None, *, source: str = "the file"
) -> Iterator[LicenceLine | Problem]:
    """Licences in the file's order, or all problems of one; arguments and errors as `read_table`.

    Args:
        defaults: for what a line doesn't say.
    """
    table = read_table(stream, LICENCES, dialect, source=source)
    columns = table.layout.columns(COLUMNS)
    group: list[_Row] = []
    for line in table:
        row = _read(line, columns, defaults)
        if group and row.licence.number != group[0].licence.number:
            yield from _licence(group)
            group = []
        group.append(row)
    yield from _licence(group)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the file, with its problems."""

    line: int
    licence: LicenceRevision
    problems: Sequence[Problem]


def _read(line: Line, columns: Sequence[FilledColumn], defaults: LicenceContent) -> _Row:
    licence = LicenceRevision()
    goods = licence.content.goods.add()
    if not line.problems:  # it is a line of the table
        line.fill(licence, columns)
    said = {field.name for field, _ in licence.content.ListFields()}
    for field, value in defaults.ListFields():
        if field.name not in said:
            licence.content.MergeFrom(LicenceContent(**{field.name: value}))
    problems = list(line.problems) or [
        Problem(line.number, _column(broken.field), f"{_column(broken.field)}: {broken.message}")
        for broken in violations(goods)
    ]
    return _Row(line.number, licence, problems)


def _licence(rows: Sequence[_Row]) -> Iterator[LicenceLine | Problem]:
    """One licence of its lines, or what is wrong with them."""
    first = rows[0]
    problems = [problem for row in rows for problem in row.problems]
    content = LicenceContent()
    content.CopyFrom(first.licence.content)
    for row in rows[1:]:
        content.goods.extend(row.licence.content.goods)
        problems.extend(_differences(first, row))
    if not problems:
        whole = LicenceRevision(number=first.licence.number, revision=1, effective_on="2000-01-01", content=content)
        problems = [
            Problem(first.line, _column(broken.field), f"{_column(broken.field)}: {broken.message}")
            for broken in violations(whole)
        ]
    if problems:
        yield from problems
    else:
        yield LicenceLine(first.line, first.licence.number, content)


def _differences(first: _Row, row: _Row) -> Iterator[Problem]:
    """Cells beside goods in which a further line differs from the first; empty ones don't."""
    for field, value in row.licence.content.ListFields():
        if field.name != "goods" and value != getattr(first.licence.content, field.name):
            reason = f"{field.name}: differs from line {first.line}, which has the same number"
            yield Problem(row.line, field.name, reason)


def _column(path: str) -> str:
    """The column that fills a field of the contract."""
    name = path.removeprefix("content.").partition("[")[0].partition(".")[0]
    return name if name in COLUMNS else path
