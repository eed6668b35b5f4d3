"""Statements on cells of the index of shipments, and on times of declaration in them.

Keys are hashes and are stored by cell: a batch writes part of the newest cell's pages, and in one large tree nearly
each key would be written on a page of its own. A search looks into each cell for a key, so cells aren't small either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Table, bindparam, case, func, select, text, true, update

from gateway.db.statements import PLANS_KEPT, Prepared, insert_rows
from gateway.history.tables.schema import record_log, record_progress, shipment_cells, shipment_times

CELL_BITS = 16
"""log2 of the positions in a cell: some 1,400,000 keys, 35 MB."""

_EVER = 1 << 62

MOST_RUNS = 4
"""Most statements that read blocks for one search: a time has two ends, and few cells lie across them."""

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


_WIDEN_CELL, _WIDEN_BLOCK = _widening(shipment_cells), _widening(shipment_times)
_newest = select(func.max(record_log.c.position).label("position")).subquery()
_state = select(
    _newest.c.position,
    shipment_cells.c.cell,
    shipment_cells.c.first_declared,
    shipment_cells.c.last_declared,
    select(record_progress.c.indexed_position).scalar_subquery(),
).select_from(_newest.outerjoin(shipment_cells, true()))
_STATE = Prepared(_state)
# Until the transaction ends. Without the second one a plan of a small table would read all of it when it has grown.
_STATE_BEFORE_SEARCH = Prepared(
    _state.add_columns(
        func.set_config("plan_cache_mode", "force_generic_plan", true()),
        func.set_config("enable_seqscan", "off", true()),
    )
)
_of_cell = shipment_times.c.block.bitwise_rshift(bindparam("bits"))
_BLOCKS = Prepared(
    select(_of_cell, func.min(shipment_times.c.block), func.max(shipment_times.c.block))
    .where(
        shipment_times.c.block >= bindparam("first"),
        shipment_times.c.block <= bindparam("last"),
        shipment_times.c.last_declared >= bindparam("since"),
        shipment_times.c.first_declared < bindparam("until"),
    )
    .group_by(text("1"))
)


class CellBounds(NamedTuple):
    """First and last time of declaration in a cell, milliseconds since 1970."""

    first_declared: int
    last_declared: int


class CellsState(NamedTuple):
    """The cells in one transaction.

    Attributes:
        newest: newest position; 0: none.
        indexed: last indexed position; 0: none.
        bounds: by cell; cells without a time are left out.
    """

    newest: int
    indexed: int
    bounds: dict[int, CellBounds]


def widen(conn: Connection, declared: Collection[tuple[int, int]]) -> None:
    """Adds times of declaration: (position, milliseconds since 1970)."""
    _widen(conn, shipment_cells, _WIDEN_CELL, [(position >> CELL_BITS, at) for position, at in declared])
    _widen(conn, shipment_times, _WIDEN_BLOCK, [(position >> BLOCK_BITS, at) for position, at in declared])


def _widen(conn: Connection, table: Table, statement: Prepared, declared: Iterable[tuple[int, int]]) -> None:
    bounds: dict[int, tuple[int, int]] = {}
    for number, at in declared:
        first, last = bounds.get(number, (at, at))
        bounds[number] = min(first, at), max(last, at)
    for number, (first, last) in sorted(bounds.items()):
        if not statement(conn, number=number, first=first, last=last).rowcount:
            insert_rows(conn, table, table.c.keys()[:3], [(number, first, last)])


def state(conn: Connection) -> CellsState:
    """Reads the state, once a search; PostgreSQL keeps one plan of each statement that follows in the transaction."""
    before_search = conn.dialect.name == "postgresql" and PLANS_KEPT not in conn.info
    rows = list((_STATE_BEFORE_SEARCH if before_search else _STATE)(conn))
    newest, indexed = rows[0][0], rows[0][4]
    bounds = {row[1]: CellBounds(row[2], row[3]) for row in rows if row[1] is not None}
    return CellsState(newest or 0, indexed or 0, bounds)


def within(
    conn: Connection, state: CellsState, before: int, *, declared_from: int, declared_until: int
) -> list[tuple[int, range]]:
    """Cells and their positions before a position that may be declared in this time, newest first.

    Records are recorded roughly in the order of their declarations, so of most cells all or nothing is of the time, and
    only the blocks of the others are read. Bounds of time are in milliseconds since 1970; 0: none.
    """
    end = min(before, state.newest + 1)
    numbers = range((end - 1) >> CELL_BITS, -1, -1)
    ranges = {cell: range(cell << CELL_BITS, (cell + 1) << CELL_BITS) for cell in numbers}
    if declared_from or declared_until:
        until = declared_until or _EVER
        partly = []
        for cell in numbers:
            # Without bounds: only additions without a record, which have no time.
            first, last = state.bounds.get(cell, (_EVER, 0))
            if not declared_from <= first <= last < until:
                del ranges[cell]
                if last >= declared_from and first < until:
                    partly.append(cell)
        for first, last in _runs(partly):
            ranges |= _declared_in(conn, first, last, declared_from, until)
    cut = ((cell, range(ranges[cell].start, min(ranges[cell].stop, end))) for cell in numbers if cell in ranges)
    return [(cell, positions) for cell, positions in cut if positions]


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
    bits = CELL_BITS - BLOCK_BITS
    bounds = {"first": first << bits, "last": ((last + 1) << bits) - 1}
    rows = _BLOCKS(conn, bits=bits, **bounds, since=since, until=until)
    return {row[0]: range(row[1] << BLOCK_BITS, (row[2] + 1) << BLOCK_BITS) for row in rows}
