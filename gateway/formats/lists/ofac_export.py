"""Writes persons, organisations and vessels in OFAC's three CSV files sdn, alt and add."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from gateway.formats.lists.export import Export, Tally, lost
from gateway.formats.lists.ofac import (
    ADD_COLUMNS,
    ALT_COLUMNS,
    NULL,
    PROGRAMME,
    SDN_COLUMNS,
    Record,
    Related,
    content_of,
)
from gateway.formats.lists.ofac_remarks import write_remarks
from gateway.formats.lists.territories import NameOf, territory_name
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_FORMER,
    LISTED_NAME_KIND_WEAK_ALIAS,
    WATCHLIST_KIND_AIRCRAFT,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WATCHLIST_KIND_VESSEL,
    WatchlistEntry,
)

_LINE_END = "\n"
_TYPES: Mapping[int, str] = {
    WATCHLIST_KIND_ORGANISATION: "",
    WATCHLIST_KIND_PERSON: "individual",
    WATCHLIST_KIND_VESSEL: "vessel",
    WATCHLIST_KIND_AIRCRAFT: "aircraft",
}


def write_ofac(sdn: BinaryIO, alt: BinaryIO, add: BinaryIO, entries: Iterable[WatchlistEntry]) -> Export:
    """Writes entries into the three files, all opened in binary mode.

    The format's own numbers of entries are whole; an id that is none stands in ent_num all the same, and is read back
    here, but other readers may refuse it.
    """
    tally = Tally()
    numbers = {"alt": 0, "add": 0}
    files = [io.TextIOWrapper(stream, "utf-8", newline="", write_through=True) for stream in (sdn, alt, add)]
    try:
        writers = [csv.writer(file, lineterminator="\r\n") for file in files]
        for entry in entries:
            kind = _TYPES.get(entry.content.kind)
            if kind is None or not entry.content.names:
                tally.refused(entry.id, "the format has named persons, organisations, vessels and aircraft only")
                continue
            record = _record(entry, kind)
            related = _related(entry, numbers)
            for writer, columns, rows in zip(
                writers,
                (SDN_COLUMNS, ALT_COLUMNS, ADD_COLUMNS),
                ([record], related.names, related.addresses),
                strict=True,
            ):
                writer.writerows([row[column] or NULL for column in columns] for row in rows)
            tally.wrote(lost(entry.content, content_of(record, related)))
    finally:
        for file in files:
            file.detach()
    return tally.export()


def _record(entry: WatchlistEntry, kind: str) -> Record:
    content = entry.content
    is_vessel = content.kind == WATCHLIST_KIND_VESSEL
    call_signs = [each.value for each in content.identifiers if each.scheme == "call_sign"]
    items = [*write_remarks(content), *([content.remarks] if content.remarks else [])]
    programmes = content.reason.removeprefix(PROGRAMME) if content.reason.startswith(PROGRAMME) else ""
    return {
        **dict.fromkeys(SDN_COLUMNS, ""),
        "ent_num": _cell(entry.id),
        "SDN_Name": _cell(content.names[0].text),
        "SDN_Type": kind,
        "Program": _cell("] [".join(programmes.split(", "))),
        "Call_Sign": _cell(next(iter(call_signs), "")),
        "Vess_flag": territory_name(content.territories[0], NameOf.OFAC) if is_vessel and content.territories else "",
        "Remarks": f"{_cell('; '.join(items).replace(_LINE_END, '; '))}." if items else "",
    }


def _related(entry: WatchlistEntry, numbers: dict[str, int]) -> Related:
    related = Related()
    for name in entry.content.names[1:]:
        if name.kind != LISTED_NAME_KIND_WEAK_ALIAS:
            kind = "fka" if name.kind == LISTED_NAME_KIND_FORMER else "aka"
            row = {"alt_type": kind, "alt_name": _cell(name.text), "alt_remarks": ""}
            related.names.append({"ent_num": _cell(entry.id), "alt_num": _next(numbers, "alt"), **row})
    for each in entry.content.addresses:
        country = territory_name(each.territory, NameOf.OFAC)
        row = {"Address": _cell(each.street), "City": _cell(each.city), "Country": country, "add_remarks": ""}
        related.addresses.append({"ent_num": _cell(entry.id), "add_num": _next(numbers, "add"), **row})
    return related


def _next(numbers: dict[str, int], name: str) -> str:
    numbers[name] += 1
    return str(numbers[name])


def _cell(text: str) -> str:
    """On one line, as every record is."""
    return " ".join(text.split()) if "\n" in text or "\r" in text else text.strip()
