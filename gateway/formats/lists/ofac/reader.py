"""Reads OFAC's SDN list, and others in its form, from the CSV files sdn, alt, add and sdn_comments.

Format: OFAC's data specification for the comma-delimited files: no header, `-0-` for null, ent_num links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO

from gateway.errors import MalformedError, TooLargeError, Violation
from gateway.formats.lists.ofac.remarks import read_remarks
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
COMMENT_COLUMNS = ("ent_num", "comments")
MOST_REMARKS = 1000
"""Characters of sdn's remarks. Longer ones are cut there, also inside a word; sdn_comments has the rest."""

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

NOT_SAID = frozenset({"None Identified", "undetermined", "Unknown"})
"""Countries and flags that name none."""

Record = Mapping[str, str]
_END_OF_FILE = b"\x1a"


@dataclass(slots=True)
class RelatedRows:
    """Rows of alt and add for one entry; `problem`: one can't be read, so the entry is incomplete."""

    names: list[Record] = field(default_factory=list)
    addresses: list[Record] = field(default_factory=list)
    comments: list[Record] = field(default_factory=list)
    problem: bool = False

    def rows_of(self, columns: tuple[str, ...]) -> list[Record]:
        return {ALT_COLUMNS: self.names, ADD_COLUMNS: self.addresses, COMMENT_COLUMNS: self.comments}[columns]


def read_ofac(
    sdn: BinaryIO,
    alt: BinaryIO | None,
    add: BinaryIO | None,
    options: ListOptions,
    *,
    comments: BinaryIO | None = None,
) -> Iterator[Row]:
    """Entries in the order of sdn; a problem in another file has that file as the field.

    Memory grows with alt, add and sdn_comments alone.

    Args:
        comments: sdn_comments, the rest of remarks that sdn cuts.

    Raises:
        TooLargeError: the other files have more than MAX_RELATED rows.
    """
    related: dict[str, RelatedRows] = {}
    others = (("alt", alt, ALT_COLUMNS), ("add", add, ADD_COLUMNS), ("sdn_comments", comments, COMMENT_COLUMNS))
    for file, stream, columns in others:
        if stream is not None:
            yield from _collect(file, stream, columns, related)
    for number, record in _records(sdn, SDN_COLUMNS):
        if isinstance(record, str):
            entry_id, _, reason = record.partition("\t")
            yield BadRow(number, entry_id[:64], "", f"sdn: {reason}")
            continue
        mine = related.pop(record["ent_num"], None) or RelatedRows()
        yield from _entry(number, record, mine, options)
    for entry_id in related:
        yield SkippedRow(0, entry_id[:64], "alt, add or sdn_comments has rows for an entry that sdn doesn't have")


def _entry(number: int, record: Record, related: RelatedRows, options: ListOptions) -> Iterator[Row]:
    entry_id = record["ent_num"]
    if record["SDN_Type"].casefold() not in KINDS:
        reason = f"SDN_Type: {record['SDN_Type'][:40]!r} isn't one of {', '.join(filter(None, KINDS))}"
        yield BadRow(number, entry_id, "SDN_Type", reason)
    elif related.problem:
        yield BadRow(number, entry_id, "", "one of its rows in another file can't be read, so it isn't known whole")
    else:
        try:
            content, not_understood = content_of(record, related)
        except ValueError as error:  # protobuf's own, e.g. a lone surrogate
            yield BadRow(number, entry_id, "", str(error))
            return
        yield from finish(number, entry_id, content, options, _column, not_understood=not_understood)


def content_of(record: Record, related: RelatedRows) -> tuple[WatchlistContent, tuple[str, ...]]:
    """The content without defaults, and texts in its remarks that weren't understood."""
    kind = KINDS[record["SDN_Type"].casefold()]
    content = WatchlistContent(kind=kind)
    is_person = kind == WATCHLIST_KIND_PERSON
    _name(content, record["SDN_Name"], LISTED_NAME_KIND_PRIMARY, is_person)
    kept, unknown = [], []
    for alt in related.names:
        former = alt["alt_type"].casefold() == "fka"
        _name(content, alt["alt_name"], LISTED_NAME_KIND_FORMER if former else LISTED_NAME_KIND_ALIAS, is_person)
        kept += [f"{alt['alt_name']}: {alt['alt_remarks']}"] if alt["alt_remarks"] else []
    for add in related.addresses:
        kept += _address(content, add)
        country = add["Country"]
        unknown += [] if not country or territory_code(country) or country in NOT_SAID else [f"Country: {country}"]
    kept = sorted(kept)
    kept += [f"{label}: {record[column]}" for column, label in IN_WORDS.items() if record[column]]
    if record["Call_Sign"]:
        content.identifiers.add(scheme="call_sign", value=record["Call_Sign"])
    if record["Vess_flag"]:
        code = territory_code(record["Vess_flag"])
        content.territories.extend([code] if code else [])
        kept += [] if code else [f"Flag: {record['Vess_flag']}"]
        unknown += [] if code or record["Vess_flag"] in NOT_SAID else [f"Flag: {record['Vess_flag']}"]
    text, cut = _remarks(record, related)
    remarks = read_remarks(text, content)
    content.remarks = "; ".join(dict.fromkeys([*remarks.kept, *cut, *kept]))
    if record["Program"]:
        content.reason = f"{PROGRAMME}{', '.join(record['Program'].replace('[', '').split('] '))}".rstrip("]")
    return content, (*remarks.not_understood, *cut, *unknown)


def _remarks(record: Record, related: RelatedRows) -> tuple[str, list[str]]:
    """Remarks whole; of those whose rest is missing, the last item apart, since it is cut."""
    text, rest = record["Remarks"], "".join(row["comments"] for row in related.comments)
    if len(text) >= MOST_REMARKS:
        if rest:
            return f"{text}{rest}", []
        head, _, tail = text.rpartition("; ")
        return head, [tail]
    return "; ".join(filter(None, (text.strip().removesuffix("."), rest.strip()))), []


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
        related.setdefault(record["ent_num"], RelatedRows()).rows_of(columns).append(record)


def _records(stream: BinaryIO, columns: tuple[str, ...]) -> Iterator[tuple[int, Record | str]]:
    for number, line in numbered_lines(stream):
        if line is not None and not line.strip(_END_OF_FILE + b" \t\r\n"):
            continue
        try:
            values = cells(decoded(line))
        except MalformedError as error:
            likely = re.match(rb"[0-9]+", line or b"")
            yield number, f"{likely[0].decode() if likely else ''}\t{error.message}"
            continue
        if len(values) != len(columns):
            yield (
                number,
                f"{values[0].strip() if values else ''}\tthe line has {len(values)} columns, {len(columns)} are known",
            )
        else:
            yield number, dict(zip(columns, map(_value, columns, values), strict=True))


def _value(column: str, cell: str) -> str:
    """A cell without spaces around it, but for those at which remarks are cut."""
    text = cell.strip()
    return "" if text == NULL else cell if column in ("Remarks", "comments") else text
