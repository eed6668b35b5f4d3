"""SQL texts that search the index of shipments, for both databases.

PostgreSQL's planner gets no choice, since it read the index of a whole time range for two records: each cell and key
is one walk along the index (LATERAL with a limit), each further condition and each record one look-up (a subquery with
a limit isn't made a join). So one plan fits all values, and `cells.state` has the server keep it: planning took six
times as long as searching.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

MOST_KEYS_IN_ORDER = 4
"""Most keys of a set that SQLite looks up one after the other: a value has a key for each class of fields."""

FilterShape: TypeAlias = tuple[bool, bool, int, bool]
"""See RecordFilter.shape."""


_UNRELEASED = (
    "SELECT false FROM shipment_revisions v JOIN release_lists l ON l.record_id = v.record_id "
    "WHERE v.position = k.position AND l.nodes NOT LIKE {0}"
)
"""A position of a record that the asker mustn't be told of."""

_NO_LISTS = "NOT EXISTS (SELECT 1 FROM release_lists)"
"""Found out once for a statement, so that nodes without any list don't look for one at each position."""


@cache
def sqlite_text(shape: tuple[int, ...], cells: int, conditions: FilterShape) -> str:
    """Positions with a key of each set, newest first; `shape` has the sizes of the sets.

    Values: cells, first set, bounds of positions, other sets, the filter's, the limit.
    """
    first, *others = shape
    where = [f"k.cell IN ({_marks(cells)})", f"k.key IN ({_marks(first)})", "k.position >= ?", "k.position < ?"]
    where += [_sqlite_match(count) for count in others]
    since, until, procedures, asker = conditions
    join = "JOIN shipment_revisions r ON r.position = k.position" if since or until or procedures else ""
    where += ["r.declared_at >= ?"] if since else []
    where += ["r.declared_at < ?"] if until else []
    where += [f"r.procedure IN ({_marks(procedures)})"] if procedures else []
    where += [f"({_NO_LISTS} OR NOT EXISTS ({_UNRELEASED.format('?')}))"] if asker else []
    distinct = "DISTINCT " if first > 1 else ""
    return (
        f"SELECT {distinct}k.position FROM shipment_keys k {join} "
        f"WHERE {' AND '.join(where)} ORDER BY k.position DESC LIMIT ?"
    )


@cache
def sqlite_text_by_key(shape: tuple[int, ...], conditions: FilterShape) -> str:
    """As `sqlite_text` in one cell, with a walk for each key of the first set."""
    walk = sqlite_text((1, *shape[1:]), 1, conditions)
    walks = " UNION ALL ".join([f"SELECT position FROM ({walk}) walk"] * shape[0])
    return f"SELECT DISTINCT position FROM ({walks}) walks ORDER BY position DESC LIMIT ?"


def _sqlite_match(keys: int) -> str:
    """Whether a position has one of some keys; of few the first is looked up first, which is the likeliest."""
    look_up = "EXISTS (SELECT 1 FROM shipment_keys o WHERE o.cell = k.cell AND o.position = k.position AND o.key"
    if keys <= MOST_KEYS_IN_ORDER:
        return f"({' OR '.join([f'{look_up} = ?)'] * keys)})"
    return f"{look_up} IN ({_marks(keys)}))"


def _marks(count: int) -> str:
    return ", ".join("?" * count)


@cache
def postgresql_text(others: int, conditions: FilterShape) -> str:
    """Positions with a key of each set, newest first; `others` counts the sets after the first.

    Values: cells, their first and last positions, the sets, the filter's, the limit twice; lists are arrays.
    """
    where = ["k.cell = s.cell", "k.key = f.key", "k.position >= s.start", "k.position < s.stop"]
    where += [
        "(SELECT true FROM shipment_keys o WHERE o.cell = k.cell AND o.position = k.position "
        "AND o.key = ANY(%s::bigint[]) LIMIT 1)"
    ] * others
    since, until, procedures, asker = conditions
    declared = ["r.declared_at >= %s"] if since else []
    declared += ["r.declared_at < %s"] if until else []
    declared += ["r.procedure = ANY(%s::integer[])"] if procedures else []
    if declared:
        where.append(
            f"(SELECT {' AND '.join(declared)} FROM shipment_revisions r WHERE r.position = k.position LIMIT 1)"
        )
    where += [f"({_NO_LISTS} OR COALESCE(({_UNRELEASED.format('%s')} LIMIT 1), true))"] if asker else []
    return (
        "SELECT DISTINCT walk.position FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) s(cell, start, stop) "
        "CROSS JOIN unnest(%s::bigint[]) f(key) "
        "CROSS JOIN LATERAL (SELECT k.position FROM shipment_keys k "
        f"WHERE {' AND '.join(where)} ORDER BY k.position DESC LIMIT %s) walk ORDER BY walk.position DESC LIMIT %s"
    )


_JOIN = "{0} {1} ON {1}.{2}"
_LOOK_UP = "LATERAL (SELECT * FROM {0} {1} WHERE {1}.{2} LIMIT 1) {1} ON true"


@cache
def with_records(positions: str, dialect: str) -> str:
    """Makes a statement for positions select RecordRows.

    A match in the newest revision, the usual case, costs two look-ups.
    """

    def of_newest(value: str, elsewhere: str) -> str:
        return f"CASE WHEN s.position = h.position THEN {value} ELSE ({elsewhere}) END"

    join, empty = (_LOOK_UP, "''::bytea") if dialect == "postgresql" else (_JOIN, "x''")
    matched = of_newest("s.revision", "SELECT m.revision FROM shipment_revisions m WHERE m.position = h.position")
    newest = "SELECT l.{0} FROM record_log l WHERE l.position = s.position"
    recorded_at = of_newest("i.recorded_at", newest.format("recorded_at"))
    content = of_newest("i.content", newest.format("content"))
    return (
        f"SELECT h.position, COALESCE({matched}, 0), COALESCE(s.record_id, ''), COALESCE(s.position, 0), "
        f"COALESCE(s.revision, 0), COALESCE(s.additions, 0), COALESCE({recorded_at}, 0), COALESCE({content}, {empty}) "
        f"FROM ({positions}) h LEFT JOIN {join.format('record_log', 'i', 'position = h.position')} "
        f"LEFT JOIN {join.format('shipments', 's', 'record_id = i.record_id')}"
    )
