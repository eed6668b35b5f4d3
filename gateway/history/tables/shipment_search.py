"""Searches the index of shipments by keys, cell by cell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from gateway.db.statements import LONGEST_LIST, Prepared, Rows, run
from gateway.history.tables import cells, releases
from gateway.history.tables.cells import CellsState
from gateway.history.tables.schema import shipment_keys
from gateway.history.tables.search_texts import (
    FilterShape,
    postgresql_text,
    sqlite_text,
    sqlite_text_by_key,
    with_records,
)
from gateway.history.tables.shipments import LogRow, RevisionRow, ShipmentRow

MOST_KEYS_IN_TURN = 16
"""Most keys of a set that SQLite looks up singly."""

POSITIONS_AT_FIRST = 400
"""Positions that PostgreSQL's first statement may return: the statement costs more."""

GROWTH = 4
"""How many times more cells each further statement asks."""

COMMON = 1_000
"""Most positions counted to find the rarest set: cheaper than trying a tenth of them."""

_COUNT = Prepared(
    select(func.count()).select_from(
        select(shipment_keys.c.position)
        .where(
            shipment_keys.c.cell == bindparam("of_cell"),
            shipment_keys.c.key == bindparam("of_key"),
            shipment_keys.c.position >= bindparam("start"),
            shipment_keys.c.position < bindparam("stop"),
        )
        .limit(bindparam("most"))
        .subquery()
    )
)


class RecordRow(NamedTuple):
    """A matching position and its record.

    Attributes:
        hit: the position.
        matched_revision: the record's revision there.
        recorded_at, content: of the newest revision; 0 and empty if erased.
    """

    hit: int
    matched_revision: int
    record_id: str
    position: int
    revision: int
    additions: int
    recorded_at: int
    content: bytes

    @classmethod
    def of_newest(cls, row: ShipmentRow, logged: LogRow) -> RecordRow:
        of_record = (row.record_id, row.position, row.revision, row.additions)
        return cls(row.position, row.revision, *of_record, logged.recorded_at, logged.content)

    @property
    def has_history(self) -> bool:
        return self.revision + self.additions > 1


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Conditions of a search beside keys.

    Attributes:
        declared_from, declared_until: inclusive and exclusive, milliseconds since 1970; 0: none.
        procedures: empty: any.
        asker: only records that may be released to this partner; empty: all.
    """

    declared_from: int = 0
    declared_until: int = 0
    procedures: tuple[int, ...] = ()
    asker: str = ""

    @property
    def shape(self) -> FilterShape:
        """Equal shapes share a statement."""
        return bool(self.declared_from), bool(self.declared_until), len(self.procedures), bool(self.asker)

    @property
    def values(self) -> tuple[int | str, ...]:
        return (*self.bounds, *self.procedures, *self.release)

    @property
    def bounds(self) -> tuple[int, ...]:
        return tuple(bound for bound in (self.declared_from, self.declared_until) if bound)

    @property
    def release(self) -> tuple[str, ...]:
        return (releases.naming(self.asker),) if self.asker else ()

    def within(self, declared_from: int, declared_until: int) -> RecordFilter:
        """The filter for a part of its time, milliseconds since 1970; 0: no bound."""
        since = max(self.declared_from, declared_from)
        bounds = [until for until in (self.declared_until, declared_until) if until]
        return replace(self, declared_from=since, declared_until=min(bounds, default=0))

    def matches(self, row: RevisionRow | ShipmentRow) -> bool:
        """By time and procedure."""
        return (
            row.declared_at >= self.declared_from
            and (not self.declared_until or row.declared_at < self.declared_until)
            and (not self.procedures or row.procedure in self.procedures)
        )


@dataclass(frozen=True, slots=True)
class _KeyQuery:
    """Arguments of `search`; `records` selects each position's record too."""

    key_sets: Sequence[Sequence[int]]
    record_filter: RecordFilter
    before: int
    records: bool


def search(
    conn: Connection,
    key_sets: Sequence[Sequence[int]],
    record_filter: RecordFilter,
    *,
    before: int,
    limit: int,
    state: CellsState | None = None,
) -> Iterator[int]:
    """Positions with a key of each set, newest first; the likely rarest set should come first."""
    query = _KeyQuery(key_sets, record_filter, before, records=False)
    for (position,) in _walk(conn, query, limit, state):
        yield position


def search_records(
    conn: Connection,
    key_sets: Sequence[Sequence[int]],
    record_filter: RecordFilter,
    *,
    before: int,
    limit: int,
    state: CellsState | None = None,
) -> list[RecordRow]:
    """As `search`, with records, in one statement."""
    query = _KeyQuery(key_sets, record_filter, before, records=True)
    return [RecordRow(*row) for row in _walk(conn, query, limit, state)]


def _walk(conn: Connection, query: _KeyQuery, limit: int, state: CellsState | None) -> Iterator[tuple[Any, ...]]:
    """Searches from the newest cell on: each time GROWTH times as many, or as many as are likely to have the rest."""
    since, until = query.record_filter.declared_from, query.record_filter.declared_until
    state = state or cells.state(conn)
    asked = cells.within(conn, state, query.before, declared_from=since, declared_until=until)
    if len(query.key_sets) > 1 and asked:
        query = replace(query, key_sets=_rarest_first(conn, query.key_sets, *_telling(asked)))
    if conn.dialect.name == "postgresql":
        ask, size = _ask_postgresql, max(1, POSITIONS_AT_FIRST // limit)
    else:
        ask, size = _ask_sqlite, 1
    left, at = limit, 0
    while at < len(asked) and left > 0:
        rows = ask(conn, query, asked[at : at + size], left)
        yield from sorted(rows, reverse=True)  # a join doesn't keep the order
        left -= len(rows)
        at += size
        likely = at * left // max(1, limit - left)
        size = min(max(GROWTH * size, likely), LONGEST_LIST)


def _telling(asked: Sequence[tuple[int, range]]) -> tuple[int, range]:
    """The newest cell, unless it has only begun."""
    return max(asked[:2], key=lambda cell: len(cell[1]))


def _rarest_first(
    conn: Connection, key_sets: Sequence[Sequence[int]], cell: int, within: range
) -> Sequence[Sequence[int]]:
    """Sorts sets by their count in one cell, since each position of the first is tried for the others."""

    def occurrences(keys: Sequence[int]) -> int:
        count = 0 if len(keys) <= MOST_KEYS_IN_TURN else COMMON
        for key in keys:
            if count >= COMMON:
                break
            of_key = _COUNT(conn, of_cell=cell, of_key=key, start=within.start, stop=within.stop, most=COMMON - count)
            count += int(of_key.scalar_one())
        return count

    return sorted(key_sets, key=occurrences)


def _ask_sqlite(conn: Connection, query: _KeyQuery, asked: Sequence[tuple[int, range]], limit: int) -> Rows:
    first, *others = query.key_sets
    shape, conditions = tuple(map(len, query.key_sets)), query.record_filter.shape
    numbers = [cell for cell, _ in asked]
    bounds = (min(one.start for _, one in asked), min(query.before, max(one.stop for _, one in asked)))
    further = (*bounds, *chain.from_iterable(others), *query.record_filter.values, limit)
    values: tuple[int | str, ...]
    # One IN list would read and sort all records of a large trader.
    if len(numbers) == 1 and 1 < len(first) <= MOST_KEYS_IN_TURN:
        text = sqlite_text_by_key(shape, conditions)
        values = (*chain.from_iterable((*numbers, key, *further) for key in first), limit)
    else:
        text = sqlite_text(shape, len(numbers), conditions)
        values = (*numbers, *first, *further)
    return run(conn, with_records(text, "sqlite") if query.records else text, values)


def _ask_postgresql(conn: Connection, query: _KeyQuery, asked: Sequence[tuple[int, range]], limit: int) -> Rows:
    record_filter = query.record_filter
    first, *others = map(list, query.key_sets)
    procedures = [list(record_filter.procedures)] if record_filter.procedures else []
    numbers = [cell for cell, _ in asked]
    starts, stops = [one.start for _, one in asked], [min(one.stop, query.before) for _, one in asked]
    values = [numbers, starts, stops, first, *others, *record_filter.bounds, *procedures, *record_filter.release]
    values += [limit, limit]
    text = postgresql_text(len(others), record_filter.shape)
    return run(conn, with_records(text, "postgresql") if query.records else text, values)


def matching(conn: Connection, positions: Collection[int], key_sets: Sequence[Sequence[int]]) -> set[int]:
    """Those positions with a key of each set."""
    ordered = sorted(positions)
    matches: set[int] = set()
    for at in range(0, len(ordered), LONGEST_LIST):
        left = set(ordered[at : at + LONGEST_LIST])
        for keys in key_sets:
            statement = select(shipment_keys.c.position).where(
                shipment_keys.c.cell.in_({position >> cells.CELL_BITS for position in left}),
                shipment_keys.c.key.in_(keys),
                shipment_keys.c.position.in_(left),
            )
            left = set(conn.execute(statement).scalars()) if left else left
        matches |= left
    return matches
