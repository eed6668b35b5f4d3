"""Statements on segments of the index of shipments, and on cells in them.

A full segment has a filter over its keys, kept in memory once read (1.3 MB each). Keys are stored by cell: a batch
writes each page of the newest cell once, and in a cell as large as a segment it would meet thousands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Table, bindparam, case, func, select, text, true, update

from gateway.db.statements import PLANS_KEPT, REMEMBERED_BY, Prepared, insert_rows
from gateway.history.rules.bloom import may_hold
from gateway.history.tables.schema import record_log, record_progress, shipment_keys, shipment_segments, shipment_times

SEGMENT_BITS = 17
"""log2 of the positions in a segment: some 1.5 million keys, 30 MB."""

CELL_BITS = 14
"""log2 of the positions in a cell: some 200,000 keys, 4 MB."""

_EVER = 1 << 62

MOST_RUNS = 4
"""Most statements that read blocks for one search: a time has two ends, and few segments lie across them."""

BLOCK_BITS = 10
"""log2 of the positions in a block, for which times of declaration are kept."""


def _widening(table: Table) -> Prepared:
    first, last = table.c.first_declared, table.c.last_declared
    return Prepared(
        update(table)
        .where(next(iter(table.primary_key)) == bindparam("number"))
        .values(
            first_declared=case((first < bindparam("first"), first), else_=bindparam("first")),
            last_declared=case((last > bindparam("last"), last), else_=bindparam("last")),
        )
    )


_WIDEN_SEGMENT, _WIDEN_BLOCK = _widening(shipment_segments), _widening(shipment_times)
_newest = select(func.max(record_log.c.position).label("position")).subquery()
_state = select(
    _newest.c.position,
    shipment_segments.c.segment,
    shipment_segments.c.first_declared,
    shipment_segments.c.last_declared,
    func.length(shipment_segments.c.keys_filter),
    select(record_progress.c.indexed_position).scalar_subquery(),
).select_from(_newest.outerjoin(shipment_segments, true()))
_STATE = Prepared(_state)
# Until the transaction ends. Without the second one a plan of a small table would read all of it when it has grown.
_STATE_BEFORE_SEARCH = Prepared(
    _state.add_columns(
        func.set_config("plan_cache_mode", "force_generic_plan", true()),
        func.set_config("enable_seqscan", "off", true()),
    )
)
_of_segment = shipment_times.c.block.bitwise_rshift(bindparam("bits"))
_BLOCKS = Prepared(
    select(_of_segment, func.min(shipment_times.c.block), func.max(shipment_times.c.block))
    .where(
        shipment_times.c.block >= bindparam("first"),
        shipment_times.c.block <= bindparam("last"),
        shipment_times.c.last_declared >= bindparam("since"),
        shipment_times.c.first_declared < bindparam("until"),
    )
    .group_by(text("1"))
)
_FILTER = Prepared(
    select(shipment_segments.c.keys_filter).where(shipment_segments.c.segment == bindparam("of_segment"))
)
_UNFILTERED = Prepared(
    select(func.min(shipment_segments.c.segment)).where(
        shipment_segments.c.keys_filter.is_(None), shipment_segments.c.segment < bindparam("below")
    )
)
_KEEP = Prepared(
    update(shipment_segments)
    .where(shipment_segments.c.segment == bindparam("of_segment"))
    .values(keys_filter=bindparam("bits"))
)
_KEYS = Prepared(select(shipment_keys.c.key).where(shipment_keys.c.cell == bindparam("of_cell")).distinct())


class SegmentBounds(NamedTuple):
    """What is known of a segment.

    Attributes:
        first_declared, last_declared: times of declaration, milliseconds since 1970.
        filter_bytes: size of its filter; None or 0: none.
    """

    first_declared: int
    last_declared: int
    filter_bytes: int | None


class SegmentsState(NamedTuple):
    """The segments in one transaction.

    Attributes:
        newest: newest position; 0: none.
        indexed: last indexed position; 0: none.
        bounds: by segment; segments without a time are left out.
    """

    newest: int
    indexed: int
    bounds: dict[int, SegmentBounds]


_filters: WeakKeyDictionary[Engine, dict[int, bytes]] = WeakKeyDictionary()
_lock = Lock()


def widen(conn: Connection, declared: Collection[tuple[int, int]]) -> None:
    """Adds times of declaration: (position, milliseconds since 1970)."""
    _widen(conn, shipment_segments, _WIDEN_SEGMENT, [(position >> SEGMENT_BITS, at) for position, at in declared])
    _widen(conn, shipment_times, _WIDEN_BLOCK, [(position >> BLOCK_BITS, at) for position, at in declared])


def _widen(conn: Connection, table: Table, statement: Prepared, declared: Iterable[tuple[int, int]]) -> None:
    bounds: dict[int, tuple[int, int]] = {}
    for number, at in declared:
        first, last = bounds.get(number, (at, at))
        bounds[number] = min(first, at), max(last, at)
    for number, (first, last) in sorted(bounds.items()):
        if not statement(conn, number=number, first=first, last=last).rowcount:
            insert_rows(conn, table, table.c.keys()[:3], [(number, first, last)])


def state(conn: Connection) -> SegmentsState:
    """Reads the state, once a search; PostgreSQL keeps one plan of each statement that follows in the transaction."""
    before_search = conn.dialect.name == "postgresql" and PLANS_KEPT not in conn.info
    rows = list((_STATE_BEFORE_SEARCH if before_search else _STATE)(conn))
    newest, indexed = rows[0][0], rows[0][5]
    bounds = {row[1]: SegmentBounds(row[2], row[3], row[4]) for row in rows if row[1] is not None}
    return SegmentsState(newest or 0, indexed or 0, bounds)


def candidates(
    conn: Connection,
    state: SegmentsState,
    before: int,
    key_sets: Sequence[Sequence[int]],
    *,
    declared_from: int,
    declared_until: int,
) -> list[int]:
    """Segments that may hold a position with a key of each set, newest first.

    Bounds of time are in milliseconds since 1970; 0: none.
    """
    numbers, filters = [], _filters_of(conn)
    for segment in range(min(before - 1, state.newest) >> SEGMENT_BITS, -1, -1):
        bounds = state.bounds.get(segment)
        if bounds is None:  # only additions without a record, which have no time
            if not declared_from and not declared_until:
                numbers.append(segment)
            continue
        first, last, filtered = bounds
        if last < declared_from or (declared_until and first >= declared_until):
            continue
        if not filtered or _may_hold(_filter(conn, filters, segment), key_sets):
            numbers.append(segment)
    return numbers


def declared_within(
    conn: Connection, state: SegmentsState, asked: Sequence[int], *, declared_from: int, declared_until: int
) -> dict[int, range]:
    """By segment the range of positions declared in this time; segments without any are left out.

    Records are recorded roughly in the order of their declarations, so of most segments all or nothing is of the time,
    and only the blocks of the others are read.
    """
    ranges = {segment: range(segment << SEGMENT_BITS, (segment + 1) << SEGMENT_BITS) for segment in asked}
    if declared_from or declared_until:
        until = declared_until or _EVER
        partly = [segment for segment in asked if not _within(state.bounds[segment], declared_from, until)]
        for segment in partly:
            del ranges[segment]
        for first, last in _runs(partly):
            ranges |= _declared_in(conn, first, last, declared_from, until)
    return {segment: ranges[segment] for segment in asked if segment in ranges}


def _within(bounds: SegmentBounds, since: int, until: int) -> bool:
    return since <= bounds.first_declared and bounds.last_declared < until


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of the numbers that follow each other, which fall; of too many runs one that holds all."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][0] == number + 1:
            runs[-1] = number, runs[-1][1]
        else:
            runs.append((number, number))
    return runs if len(runs) <= MOST_RUNS else [(numbers[-1], numbers[0])]


def _declared_in(conn: Connection, first: int, last: int, since: int, until: int) -> dict[int, range]:
    bits = SEGMENT_BITS - BLOCK_BITS
    bounds = {"first": first << bits, "last": ((last + 1) << bits) - 1}
    rows = _BLOCKS(conn, bits=bits, **bounds, since=since, until=until)
    return {row[0]: range(row[1] << BLOCK_BITS, (row[2] + 1) << BLOCK_BITS) for row in rows}


def _may_hold(bits: bytes, key_sets: Sequence[Sequence[int]]) -> bool:
    for keys in key_sets:
        for key in keys:
            if may_hold(bits, key):
                break
        else:
            return False
    return True


def _filters_of(conn: Connection) -> dict[int, bytes]:
    with _lock:
        return _filters.setdefault(conn.info.get(REMEMBERED_BY, conn.engine), {})


def _filter(conn: Connection, filters: dict[int, bytes], segment: int) -> bytes:
    bits = filters.get(segment)
    if bits is None:
        bits = filters[segment] = bytes(_FILTER(conn, of_segment=segment).scalar_one())
    return bits


def without_filter(conn: Connection, below: int) -> int | None:
    """The first segment without a filter."""
    segment = _UNFILTERED(conn, below=below).scalar_one()
    return None if segment is None else int(segment)


def keys(conn: Connection, segment: int) -> set[int]:
    """Distinct keys of a segment."""
    cells = cells_within(range(segment << SEGMENT_BITS, (segment + 1) << SEGMENT_BITS))
    return {row[0] for cell in cells for row in _KEYS(conn, of_cell=cell)}


def cells_within(positions: range) -> range:
    """Cells that hold positions of a range, newest first."""
    return range((positions.stop - 1) >> CELL_BITS, (positions.start >> CELL_BITS) - 1, -1)


def by_cell(ranges: Iterable[range], below: int) -> Iterator[tuple[int, range]]:
    """Cuts ranges of positions into cells, newest first, with their positions below a position."""
    for positions in ranges:
        until = range(positions.start, min(positions.stop, below))
        for cell in cells_within(until) if until else ():
            start = max(until.start, cell << CELL_BITS)
            yield cell, range(start, min(until.stop, (cell + 1) << CELL_BITS))


def keep_filter(conn: Connection, segment: int, bits: bytes) -> None:
    """Stores a full segment's filter."""
    _KEEP(conn, of_segment=segment, bits=bits)
