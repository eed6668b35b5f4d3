"""Reads shipments from CSV, a line for each goods item, container or event, with own columns or by a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from gateway.formats.shipments.build import steps_for
from gateway.formats.shipments.columns import SHIPMENTS
from gateway.formats.shipments.group import Group
from gateway.formats.shipments.rows import BadRecord, Row
from gateway.formats.tables.layout import Line
from gateway.formats.tables.lines import Dialect
from gateway.formats.tables.mapping import TableMapping
from gateway.formats.tables.table_file import TableFile, read_table

MAX_STRAYS = 1_000
"""Lines in a row without a record id after which the record ends."""


def read_csv(
    stream: BinaryIO,
    mapping: TableMapping | None = None,
    dialect: Dialect | None = None,
    *,
    source: str = "the file",
) -> Iterator[Row]:
    """Items in the file's order; arguments and errors as `read_table`.

    A record with an unusable line is left out whole: half of it would pass for all of it.

    Args:
        mapping: None: the columns are those of columns.FIELDS, in any order.
    """
    return _rows(read_table(stream, mapping or SHIPMENTS, dialect, source=source))


def _rows(table: TableFile) -> Iterator[Row]:
    steps = steps_for(table.layout)
    group: Group | None = None
    strays: list[BadRecord] = []
    for line in table:
        record_id = _record_id(line)
        if group is not None and record_id == group.record_id:
            for stray in strays:  # between lines of a record: part of it
                group.unreadable(stray.problems)
            strays = []
        elif record_id:
            if group is not None:
                yield group.row()
            yield from strays
            strays = []
            group = Group(line.layout, steps, record_id, line.number)
        else:
            strays.append(BadRecord(line.number, "", 1, tuple(line.problems)))
            if len(strays) == MAX_STRAYS:  # bounds memory
                yield from [group.row()] if group is not None else []
                yield from strays
                group, strays = None, []
            continue
        if line.problems:
            group.unreadable(line.problems)
        else:
            group.take(line)
    if group is not None:
        yield group.row()
    yield from strays


def _record_id(line: Line) -> str:
    """The record's id, also if the line has a wrong number of cells; empty if none."""
    source = line.layout.sources["record_id"]
    record_id = "" if any(at >= len(line.cells) for at in source.at) else line.text("record_id")
    if not (record_id or line.problems):
        line.problem(source.label, "is missing; every line names its record")
    return record_id
