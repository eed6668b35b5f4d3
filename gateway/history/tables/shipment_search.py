"""Searches recorded shipments by keys: positions at which all of some sets stand, and the records of those positions.

The index of keys is cut into segments by position, so that keys, which come in no order, are written into a part of the
tree that fits into memory however large the whole has grown. A look-up asks the segments from the newest on. In each it
should read one key's positions in order and look the rest up for each of them, no further than needed. What is between
the two databases is how that is made sure of, see `_sqlite_text` and `_postgresql_text`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from gateway.db.statements import Prepared, Rows, run
from gateway.history.tables import segments
from gateway.history.tables.schema import shipment_keys
from gateway.history.tables.segments import Known
from gateway.history.tables.shipments import MOST_IN_STATEMENT, LogRow, RevisionRow, ShipmentRow, in_parts

MOST_KEYS_IN_TURN = 16
"""Keys that are looked up one by one on SQLite, each with its own part of the statement."""

POSITIONS_AT_FIRST = 400
"""Positions that the first statement may give on PostgreSQL, where a statement costs more than these: where few are
wanted, several segments are asked at once."""

COMMON = 1_000
"""Positions of a set that are counted at most, to see which is the rarest: counting so many costs less than trying a
tenth of them."""

_COUNT = Prepared(
    select(func.count()).select_from(
        select(shipment_keys.c.position)
        .where(
            shipment_keys.c.segment == bindparam("of_segment"),
            shipment_keys.c.key == bindparam("of_key"),
            shipment_keys.c.position >= bindparam("start"),
            shipment_keys.c.position < bindparam("stop"),
        )
        .limit(bindparam("most"))
        .subquery()
    )
)

_Bounds = tuple[bool, bool, int]
"""See RecordFilter.shape."""


class RecordRow(NamedTuple):
    """A position with the record that it belongs to, as that stands now.

    Attributes:
        hit: the position.
        matched_revision: revision of the record there.
        record_id, position, revision, additions: as in ShipmentRow; empty and 0 when the record is gone.
        recorded_at, content: of the newest revision; 0 and empty when it was erased or there is none.
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
        """A record as if it had been found in its newest revision, with the item of that revision."""
        of_record = (row.record_id, row.position, row.revision, row.additions)
        return cls(row.position, row.revision, *of_record, logged.recorded_at, logged.content)

    @property
    def grown(self) -> bool:
        """Whether more than one item was recorded of the record."""
        return self.revision + self.additions > 1


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Conditions of a search that aren't keys: declared from (inclusive) and until (exclusive) in milliseconds since
    1970, and procedures; 0 and empty for none."""

    declared_from: int = 0
    declared_until: int = 0
    procedures: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[bool, bool, int]:
        """Which of them there are: statements of one shape share their text."""
        return bool(self.declared_from), bool(self.declared_until), len(self.procedures)

    @property
    def values(self) -> tuple[int, ...]:
        """Their values in order of the shape."""
        return (*self.bounds, *self.procedures)

    @property
    def bounds(self) -> tuple[int, ...]:
        """Those of the time that there are."""
        return tuple(bound for bound in (self.declared_from, self.declared_until) if bound)

    def admits(self, row: RevisionRow | ShipmentRow) -> bool:
        """Whether a revision meets them, or a record in its newest."""
        return (
            row.declared_at >= self.declared_from
            and (not self.declared_until or row.declared_at < self.declared_until)
            and (not self.procedures or row.procedure in self.procedures)
        )


def search(
    conn: Connection,
    key_sets: Sequence[Sequence[int]],
    record_filter: RecordFilter,
    *,
    before: int,
    limit: int,
    known: Known | None = None,
) -> Iterator[int]:
    """Positions at which of each set at least one key stands, the newest first.

    Args:
        conn: to read.
        key_sets: at least one; those that are likely to be met least often should come first.
        record_filter: further conditions.
        before: positions at or after this don't count.
        limit: most positions.
        known: what this transaction sees of the segments; None: it is read.
    """
    wanted = _Wanted(key_sets, record_filter, before, standing=False)
    for (position,) in _walk(conn, wanted, limit, known):
        yield position


def search_records(
    conn: Connection,
    key_sets: Sequence[Sequence[int]],
    record_filter: RecordFilter,
    *,
    before: int,
    limit: int,
    known: Known | None = None,
) -> list[RecordRow]:
    """As `search`, each position with its record: one statement gives what four would."""
    wanted = _Wanted(key_sets, record_filter, before, standing=True)
    return [RecordRow(*row) for row in _walk(conn, wanted, limit, known)]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a walk looks for; see `search`. With `standing` each position comes with its record."""

    key_sets: Sequence[Sequence[int]]
    record_filter: RecordFilter
    before: int
    standing: bool


def _walk(conn: Connection, wanted: _Wanted, limit: int, known: Known | None) -> Iterator[tuple[Any, ...]]:
    """Asks the segments from the newest on, one or a few at first and then more at once, until there is enough.

    Of a time it reads positions in its blocks alone: of a large trader's records all others would be looked up in vain.
    """
    since, until = wanted.record_filter.declared_from, wanted.record_filter.declared_until
    to_ask = segments.to_ask(
        conn,
        known or segments.known(conn),
        wanted.before,
        wanted.key_sets,
        declared_from=since,
        declared_until=until,
    )
    within = list(segments.declared_within(conn, to_ask, declared_from=since, declared_until=until).items())
    if len(wanted.key_sets) > 1 and within:
        wanted = replace(wanted, key_sets=_rarest_first(conn, wanted.key_sets, *within[0]))
    if conn.dialect.name == "postgresql":
        ask, size = _ask_postgresql, max(1, POSITIONS_AT_FIRST // limit)
    else:
        ask, size = _ask_sqlite, 1
    left, at = limit, 0
    while at < len(within) and left > 0:
        found = ask(conn, wanted, within[at : at + size], left)
        yield from sorted(found, reverse=True)  # a join may leave them in any order
        left -= len(found)
        at += size
        size = min(2 * size, MOST_IN_STATEMENT)


def _rarest_first(
    conn: Connection, key_sets: Sequence[Sequence[int]], segment: int, within: range
) -> Sequence[Sequence[int]]:
    """Sets of keys in the order of how often they are met in a part of a segment: every position of the first is tried
    for the others. Those that are common there stay in the order in which they were given, and so do large ones."""

    def met(keys: Sequence[int]) -> int:
        count = 0 if len(keys) <= MOST_KEYS_IN_TURN else COMMON
        for key in keys:
            if count >= COMMON:
                break
            of_key = _COUNT(
                conn, of_segment=segment, of_key=key, start=within.start, stop=within.stop, most=COMMON - count
            )
            count += int(of_key.scalar_one())
        return count

    return sorted(key_sets, key=met)


def _ask_sqlite(conn: Connection, wanted: _Wanted, within: Sequence[tuple[int, range]], limit: int) -> Rows:
    first, *others = wanted.key_sets
    shape = tuple(map(len, wanted.key_sets))
    asked = [segment for segment, _ in within]
    bounds = (min(one.start for _, one in within), min(wanted.before, max(one.stop for _, one in within)))
    further = (*bounds, *chain.from_iterable(others), *wanted.record_filter.values)
    values: tuple[int, ...] = (*asked, *first, *further, limit)
    if _in_turn(shape, len(asked)):
        values = (*chain.from_iterable((*asked, key, *further, limit) for key in first), limit)
    text = _sqlite_text(shape, len(asked), wanted.record_filter.shape)
    return run(conn, _standing_text(text, "x''") if wanted.standing else text, values)


def _in_turn(shape: tuple[int, ...], segments: int) -> bool:
    """Whether each key is looked up by itself, in the order of its positions and no further than needed.

    With several keys in one IN list everything that has any of them is read and sorted first: thousands of records
    where a trader ships much.
    """
    return segments == 1 and 1 < shape[0] <= MOST_KEYS_IN_TURN


@cache
def _sqlite_text(shape: tuple[int, ...], segments: int, bounds: _Bounds) -> str:
    """SQLite keeps to the order of the index where one segment and one key are asked for."""
    if _in_turn(shape, segments):
        one = _sqlite_text((1, *shape[1:]), 1, bounds)
        each = " UNION ALL ".join([f"SELECT position FROM ({one}) one"] * shape[0])
        return f"SELECT DISTINCT position FROM ({each}) each ORDER BY position DESC LIMIT ?"

    def marks(count: int) -> str:
        return ", ".join("?" * count)

    first, *others = shape
    conditions = [f"k.segment IN ({marks(segments)})", f"k.key IN ({marks(first)})"]
    conditions += ["k.position >= ?", "k.position < ?"]
    conditions += [
        "EXISTS (SELECT 1 FROM shipment_keys o WHERE o.segment = k.segment AND o.position = k.position "
        f"AND o.key IN ({marks(count)}))"
        for count in others
    ]
    since, until, procedures = bounds
    join = "JOIN shipment_revisions r ON r.position = k.position" if since or until or procedures else ""
    conditions += ["r.declared_at >= ?"] if since else []
    conditions += ["r.declared_at < ?"] if until else []
    conditions += [f"r.procedure IN ({marks(procedures)})"] if procedures else []
    distinct = "DISTINCT " if first > 1 else ""
    return (
        f"SELECT {distinct}k.position FROM shipment_keys k {join} "
        f"WHERE {' AND '.join(conditions)} ORDER BY k.position DESC LIMIT ?"
    )


def _ask_postgresql(conn: Connection, wanted: _Wanted, within: Sequence[tuple[int, range]], limit: int) -> Rows:
    record_filter = wanted.record_filter
    first, *others = map(list, wanted.key_sets)
    procedures = [list(record_filter.procedures)] if record_filter.procedures else []
    asked = [segment for segment, _ in within]
    starts, stops = [one.start for _, one in within], [min(one.stop, wanted.before) for _, one in within]
    values = [asked, starts, stops, first, *others, *record_filter.bounds, *procedures, limit, limit]
    text = _postgresql_text(len(others), record_filter.shape)
    return run(conn, _standing_text(text, "''::bytea") if wanted.standing else text, values)


@cache
def _postgresql_text(others: int, bounds: _Bounds) -> str:
    """Leaves PostgreSQL's planner no choice: one walk along the index for each segment and key (LATERAL with a limit),
    and one look-up for each further condition of each position (a scalar subquery with a limit isn't made a join).

    Left to itself it takes other ways now and then, by what it guesses a segment holds: among five million records it
    read the whole index of a time range for two records, for half a second.
    """
    conditions = ["k.segment = s.segment", "k.key = f.key", "k.position >= s.start", "k.position < s.stop"]
    conditions += [
        "(SELECT true FROM shipment_keys o WHERE o.segment = k.segment AND o.position = k.position "
        "AND o.key = ANY(%s::bigint[]) LIMIT 1)"
    ] * others
    since, until, procedures = bounds
    declared = ["r.declared_at >= %s"] if since else []
    declared += ["r.declared_at < %s"] if until else []
    declared += ["r.procedure = ANY(%s::integer[])"] if procedures else []
    if declared:
        conditions.append(
            f"(SELECT {' AND '.join(declared)} FROM shipment_revisions r WHERE r.position = k.position LIMIT 1)"
        )
    return (
        "SELECT DISTINCT one.position FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) s(segment, start, stop) "
        "CROSS JOIN unnest(%s::bigint[]) f(key) "
        "CROSS JOIN LATERAL (SELECT k.position FROM shipment_keys k "
        f"WHERE {' AND '.join(conditions)} ORDER BY k.position DESC LIMIT %s) one ORDER BY one.position DESC LIMIT %s"
    )


@cache
def _standing_text(positions: str, empty: str) -> str:
    """Of a statement that gives positions, the one that gives them with their records.

    Where the newest revision was found, which is nearly always, its item and its record are two look-ups and all.
    """

    def of_newest(found: str, elsewhere: str) -> str:
        return f"CASE WHEN s.position = h.position THEN {found} ELSE ({elsewhere}) END"

    matched = of_newest("s.revision", "SELECT m.revision FROM shipment_revisions m WHERE m.position = h.position")
    newest = "SELECT l.{0} FROM record_log l WHERE l.position = s.position"
    recorded_at = of_newest("i.recorded_at", newest.format("recorded_at"))
    content = of_newest("i.content", newest.format("content"))
    return (
        f"SELECT h.position, COALESCE({matched}, 0), COALESCE(s.record_id, ''), COALESCE(s.position, 0), "
        f"COALESCE(s.revision, 0), COALESCE(s.additions, 0), COALESCE({recorded_at}, 0), COALESCE({content}, {empty}) "
        f"FROM ({positions}) h LEFT JOIN record_log i ON i.position = h.position "
        "LEFT JOIN shipments s ON s.record_id = i.record_id"
    )


def matching(conn: Connection, positions: Collection[int], key_sets: Sequence[Sequence[int]]) -> set[int]:
    """Those of some positions at which of each set at least one key stands."""
    found: set[int] = set()
    for part in in_parts(sorted(positions)):
        left = set(part)
        for keys in key_sets:
            statement = select(shipment_keys.c.position).where(
                shipment_keys.c.segment.in_({position >> segments.SEGMENT_BITS for position in left}),
                shipment_keys.c.key.in_(keys),
                shipment_keys.c.position.in_(left),
            )
            left = {int(row[0]) for row in conn.execute(statement)} if left else left
        found |= left
    return found
