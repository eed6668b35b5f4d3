"""Shipments in CSV: a line for each goods item, container or event, with the gateway's own columns or by a mapping.

Line ends inside quotes aren't supported, so that a stray quote spoils its own line only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from gateway.errors import MalformedError
from gateway.formats.shipments.build import line_reader
from gateway.formats.shipments.group import Group
from gateway.formats.shipments.layout import Cells, Layout, own_layout
from gateway.formats.shipments.mapping import ShipmentMapping
from gateway.formats.shipments.rows import BadRecord, Problem, Row
from gateway.formats.tables.lines import cells, decoded, numbered_lines, read_header
from gateway.v1 import shipment_pb2

MAX_STRAYS = 1_000
"""Lines in a row without a readable record id after which the record before them is taken to have ended."""


def read_csv(stream: BinaryIO, mapping: ShipmentMapping | None = None, *, source: str = "the file") -> Iterator[Row]:
    """Items from a CSV file with a header, in its order; memory doesn't grow with the file.

    A record of which one line can't be used is left out whole: half of it would pass for all of it.

    Args:
        stream: the file, opened in binary mode; the caller closes it.
        mapping: what foreign columns mean; None: the columns are those of layout.TARGETS, in any order.
        source: names the file in errors.

    Raises:
        ConfigurationError: at once, before any row: the header can't be read, lacks a column that is needed, or has
            one twice or, without a mapping, one that isn't known.
    """
    lines = numbered_lines(stream)
    encoding, delimiter = (mapping.encoding, mapping.delimiter) if mapping else ("utf-8", ",")
    _, first = next(lines, (1, b""))
    header = read_header(first, source, encoding, delimiter)
    layout = mapping.layout(header, source) if mapping else own_layout(header, source)
    return _rows(lines, layout)


def _rows(lines: Iterable[tuple[int, bytes | None]], layout: Layout) -> Iterator[Row]:
    reader = line_reader(layout)
    group: Group | None = None
    strays: list[BadRecord] = []
    for number, line in lines:
        if line is not None and not line.strip():
            continue
        found, reason = _split(line, layout)
        record_id = _record_id(found, layout, number)
        if group is not None and record_id == group.record_id:
            for stray in strays:  # between two lines of one record: it is one of its lines
                group.unreadable(stray.line, stray.problems[0].reason)
            strays = []
        elif record_id:
            if group is not None:
                yield group.row()
            yield from strays
            strays = []
            group = Group(reader, record_id, number, shipment_pb2.Shipment())
        else:
            strays.append(BadRecord(number, "", 1, (_stray(layout, number, reason),)))
            if len(strays) == MAX_STRAYS:  # a file of nothing else: don't hold it
                yield from [group.row()] if group is not None else []
                yield from strays
                group, strays = None, []
            continue
        if reason:
            group.unreadable(number, reason)
        else:
            group.take(Cells(layout, number, found, first=group.lines == 0))
    if group is not None:
        yield group.row()
    yield from strays


def _split(line: bytes | None, layout: Layout) -> tuple[list[str], str]:
    """The cells of a line, and why they can't be used, empty where they can."""
    try:
        found = cells(decoded(line, layout.encoding), layout.delimiter)
    except MalformedError as error:
        return [], error.message
    if len(found) != layout.width:
        return found, f"the line has {len(found)} columns, the header has {layout.width}"
    return found, ""


def _record_id(found: list[str], layout: Layout, number: int) -> str:
    """The record's id, also of a line that has too few or too many cells after it; empty where it has none."""
    source = layout.sources["record_id"]
    if not found or any(at >= len(found) for at in source.at):
        return ""
    return Cells(layout, number, found).text("record_id")


def _stray(layout: Layout, number: int, reason: str) -> Problem:
    if reason:
        return Problem(number, "", reason)
    label = layout.label("record_id")
    return Problem(number, label, f"{label}: is missing; every line names its record")
