"""Reads OFAC's SDN list, and others in its form, from the CSV files sdn, alt and add.

Format: OFAC's data specification for the comma-delimited files: no header, `-0-` for null, ent_num links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO

from gateway.errors import MalformedError, TooLargeError, Violation
from gateway.formats.lists.ofac_remarks import read_remarks
from gateway.formats.lists.rows import BadRow, ListOptions, Row, SkippedRow, finish
from gateway.formats.lists.scripts import script_of
from gateway.formats.tables.lines import cells, decoded, numbered_lines
from gateway.formats.territories import territory_code
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_ALIAS,
    LISTED_NAME_KIND_FORMER,
    LISTED_NAME_KIND_PRIMARY,
    WATCHLIST_KIND_AIRCRAFT,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WATCHLIST_KIND_VESSEL,
    WatchlistContent,
    WatchlistKind,
)

NULL = "-0-"
SDN_COLUMNS = (
    "ent_num",
    "SDN_Name",
    "SDN_Type",
    "Program",
    "Title",
    "Call_Sign",
    "Vess_type",
    "Tonnage",
    "GRT",
    "Vess_flag",
    "Vess_owner",
    "Remarks",
)
ALT_COLUMNS = ("ent_num", "alt_num", "alt_type", "alt_name", "alt_remarks")
ADD_COLUMNS = ("ent_num", "add_num", "Address", "City", "Country", "add_remarks")

KINDS: Mapping[str, WatchlistKind.ValueType] = MappingProxyType(
    {
        "": WATCHLIST_KIND_ORGANISATION,
        "entity": WATCHLIST_KIND_ORGANISATION,
        "individual": WATCHLIST_KIND_PERSON,
        "vessel": WATCHLIST_KIND_VESSEL,
        "aircraft": WATCHLIST_KIND_AIRCRAFT,
    }
)
"""SDN_Type to kind; entities have none."""

PROGRAMME = "Sanctions programme: "
"""Begins the reason; the programmes follow."""

MAX_RELATED = 2_000_000
"""Most rows of alt and add; all are held in memory."""

IN_WORDS = MappingProxyType(
    {
        "Title": "Title",
        "Vess_type": "Vessel type",
        "Tonnage": "Tonnage",
        "GRT": "Gross registered tonnage",
        "Vess_owner": "Vessel owner",
    }
)
"""Columns of sdn without a field, and their names in remarks."""

Record = Mapping[str, str]
_END_OF_FILE = b"\x1a"


@dataclass(slots=True)
class RelatedRows:
    """Rows of alt and add for one entry; `problem`: one can't be read, so the entry is incomplete."""

    names: list[Record] = field(default_factory=list)
    addresses: list[Record] = field(default_factory=list)
    problem: bool = False


def read_ofac(sdn: BinaryIO, alt: BinaryIO | None, add: BinaryIO | None, options: ListOptions) -> Iterator[Row]:
    """Entries in the order of sdn; a problem in alt or add has its file as the field.

    Memory grows with alt and add alone.

    Raises:
        TooLargeError: alt and add have more than MAX_RELATED rows.
    """
    related: dict[str, RelatedRows] = {}
    for file, stream, columns in (("alt", alt, ALT_COLUMNS), ("add", add, ADD_COLUMNS)):
        if stream is not None:
            yield from _collect(file, stream, columns, related)
    for number, record in _records(sdn, SDN_COLUMNS):
        if isinstance(record, str):
            yield BadRow(number, "", "", f"sdn: {record}")
            continue
        mine = related.pop(record["ent_num"], None) or RelatedRows()
        yield from _entry(number, record, mine, options)
    for entry_id in related:
        yield SkippedRow(0, entry_id[:64], "alt or add has rows for an entry that sdn doesn't have")


def _entry(number: int, record: Record, related: RelatedRows, options: ListOptions) -> Iterator[Row]:
    entry_id = record["ent_num"]
    if record["SDN_Type"].casefold() not in KINDS:
        reason = f"SDN_Type: {record['SDN_Type'][:40]!r} isn't one of {', '.join(filter(None, KINDS))}"
        yield BadRow(number, entry_id, "SDN_Type", reason)
    elif related.problem:
        yield BadRow(number, entry_id, "", "one of its rows in alt or add can't be read, so it isn't known whole")
    else:
        try:
            content = content_of(record, related)
        except ValueError as error:  # protobuf's own, e.g. a lone surrogate
            yield BadRow(number, entry_id, "", str(error))
            return
        yield from finish(number, entry_id, content, options, _column)


def content_of(record: Record, related: RelatedRows) -> WatchlistContent:
    """Without defaults."""
    kind = KINDS[record["SDN_Type"].casefold()]
    content = WatchlistContent(kind=kind)
    is_person = kind == WATCHLIST_KIND_PERSON
    _name(content, record["SDN_Name"], LISTED_NAME_KIND_PRIMARY, is_person)
    kept = []
    for alt in related.names:
        former = alt["alt_type"].casefold() == "fka"
        _name(content, alt["alt_name"], LISTED_NAME_KIND_FORMER if former else LISTED_NAME_KIND_ALIAS, is_person)
        kept += [f"{alt['alt_name']}: {alt['alt_remarks']}"] if alt["alt_remarks"] else []
    for add in related.addresses:
        kept += _address(content, add)
    kept = sorted(kept)
    kept += [f"{label}: {record[column]}" for column, label in IN_WORDS.items() if record[column]]
    if record["Call_Sign"]:
        content.identifiers.add(scheme="call_sign", value=record["Call_Sign"])
    if record["Vess_flag"]:
        code = territory_code(record["Vess_flag"])
        content.territories.extend([code] if code else [])
        kept += [] if code else [f"Flag: {record['Vess_flag']}"]
    words = read_remarks(record["Remarks"], content)
    content.remarks = "; ".join(dict.fromkeys([*words, *kept]))
    if record["Program"]:
        content.reason = f"{PROGRAMME}{', '.join(record['Program'].replace('[', '').split('] '))}".rstrip("]")
    return content


def _name(content: WatchlistContent, text: str, kind: int, is_person: bool) -> None:
    surname, comma, given = text.partition(", ")
    whole = f"{given} {surname}" if is_person and comma else text
    if whole:
        content.names.add(text=whole, script=script_of(whole), kind=kind)


def _address(content: WatchlistContent, add: Record) -> list[str]:
    country, city = add["Country"], add["City"]
    code = territory_code(country) or ""
    if country and not code:
        city = ", ".join(filter(None, (city, country)))
    if add["Address"] or city or code:
        content.addresses.add(street=add["Address"], city=city, territory=code)
    return [f"Address {add['Address']}: {add['add_remarks']}"] if add["add_remarks"] else []


def _column(violation: Violation, _: WatchlistContent) -> str:
    names = {"names": "SDN_Name or alt_name", "identifiers": "Remarks", "birth_dates": "Remarks", "addresses": "add"}
    names |= {"birth_periods": "Remarks", "birth_places": "Remarks"}
    path = violation.field.partition(".")[0].partition("[")[0]
    return {**names, "remarks": "Remarks", "reason": "Program"}.get(path, path) or "the entry"


def _collect(
    file: str, stream: BinaryIO, columns: tuple[str, ...], related: dict[str, RelatedRows]
) -> Iterator[BadRow]:
    rows = 0
    for number, record in _records(stream, columns):
        rows += 1
        if rows > MAX_RELATED:
            raise TooLargeError(f"{file} has more than {MAX_RELATED} rows, which don't fit into memory")
        if isinstance(record, str):
            entry_id = record.partition("\t")[0]
            if entry_id:
                related.setdefault(entry_id, RelatedRows()).problem = True
            yield BadRow(number, entry_id[:64], file, f"{file}: {record.partition(chr(9))[2]}")
            continue
        mine = related.setdefault(record["ent_num"], RelatedRows())
        (mine.names if columns is ALT_COLUMNS else mine.addresses).append(record)


def _records(stream: BinaryIO, columns: tuple[str, ...]) -> Iterator[tuple[int, Record | str]]:
    for number, line in numbered_lines(stream):
        if line is not None and not line.strip(_END_OF_FILE + b" \t\r\n"):
            continue
        try:
            values = [cell.strip() for cell in cells(decoded(line))]
        except MalformedError as error:
            yield number, f"\t{error.message}"
            continue
        if len(values) != len(columns):
            yield number, f"{values[0] if values else ''}\tthe line has {len(values)} columns, {len(columns)} are known"
        else:
            yield number, {column: "" if cell == NULL else cell for column, cell in zip(columns, values, strict=True)}
