"""Statements on the index of what alerts and shipments name."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, literal_column, select

from gateway.db.schema import Progress
from gateway.db.statements import LONGEST_LIST, Prepared, PreparedList, insert_rows
from gateway.link_analysis.tables.schema import link_name_keys, link_names, link_progress, link_terms

ALERT, SHIPMENT = 0, 1
"""Sources. Refs are positions: of the step that published or amended an alert, of the item of a recorded shipment."""

CELL_BITS = 14
"""A cell is 16,384 positions. Keys are random: in one large tree nearly each would be written on a page of its own."""

NEWEST = 1 << 62
"""A ref above every other."""

FIRST_CELLS = 4
"""Cells that are read first, the newest; then four times as many, each time: a hub is one by its newest records."""

_LAST_CELL = Prepared(select(func.max(link_terms.c.cell)).where(link_terms.c.source == bindparam("of_source")))
_values: BindParameter[Any] = bindparam("values", expanding=True)
_REFS = PreparedList(
    select(link_terms.c.ref)
    .where(
        link_terms.c.source == bindparam("of_source"),
        link_terms.c.cell.in_(_values),
        link_terms.c.key == bindparam("of_key"),
        link_terms.c.ref < bindparam("below"),
    )
    .order_by(link_terms.c.ref.desc())
    .limit(bindparam("most"))
)
_FORGET_SHIPMENTS = PreparedList(
    delete(link_terms).where(link_terms.c.source == literal_column(str(SHIPMENT)), link_terms.c.ref.in_(_values))
)
_TEXTS = PreparedList(select(link_names).where(link_names.c.name.in_(_values)))


TermRow = tuple[int, int, int, int]
"""Source, cell, key, ref."""


PackedTerms: TypeAlias = "array[int]"
"""Rows one after the other, sorted, each once."""


class LinkProgress(NamedTuple):
    """Up to which steps of alerts, in the local log, and which recorded items are indexed."""

    alert_position: int = 0
    record_position: int = 0


_PROGRESS = Progress(link_progress, LinkProgress)


def progress(conn: Connection) -> LinkProgress:
    """How far the index is."""
    return _PROGRESS.read(conn)


def move(conn: Connection, to: LinkProgress) -> None:
    """Sets how far."""
    _PROGRESS.write(conn, **to._asdict())


def packed(terms: Iterable[tuple[int, int, Iterable[int]]]) -> PackedTerms:
    """Rows of (source, ref, keys)."""
    rows = {(source, ref >> CELL_BITS, key, ref) for source, ref, keys in terms for key in keys}
    return array("q", chain.from_iterable(sorted(rows)))


def unpacked(terms: PackedTerms) -> list[TermRow]:
    """The rows."""
    values = iter(terms)
    return list(zip(values, values, values, values, strict=True))


def add(conn: Connection, rows: Sequence[TermRow]) -> None:
    """Inserts rows."""
    if rows:
        insert_rows(conn, link_terms, ("source", "cell", "key", "ref"), rows)


def refs(conn: Connection, keys: Collection[int], source: int, most: int, *, below: int = NEWEST) -> list[int]:
    """Refs under any of these keys and below one, newest first, at most so many."""
    ((last,),) = _LAST_CELL(conn, of_source=source)
    if last is None:
        return []
    first_cell = min(last, below >> CELL_BITS)
    found = {ref for key in keys for ref in _newest(conn, key, source, most, before=first_cell + 1, below=below)}
    return sorted(found, reverse=True)[:most]


def _newest(conn: Connection, key: int, source: int, most: int, *, before: int, below: int) -> list[int]:
    """The newest refs under a key in cells before one, and below a ref."""
    found: list[int] = []
    count = FIRST_CELLS
    while before and len(found) < most:
        cells = range(max(0, before - count), before)
        found += [ref for (ref,) in _REFS(conn, cells, of_source=source, of_key=key, below=below, most=most)]
        before, count = cells.start, min(4 * count, LONGEST_LIST)
    return found


def forget_shipments(conn: Connection, positions: Collection[int]) -> None:
    """Removes what was indexed of recorded items."""
    _FORGET_SHIPMENTS.execute(conn, positions)


def forget_alerts(conn: Connection, positions: Collection[int], names: Collection[int]) -> None:
    """Removes what was indexed of steps of alerts, and of these names those that no other alert has."""
    c = link_terms.c
    for position in positions:
        conn.execute(delete(link_terms).where(c.source == ALERT, c.cell == position >> CELL_BITS, c.ref == position))
    gone = [name for name in names if not refs(conn, [name], ALERT, 1)]
    conn.execute(delete(link_names).where(link_names.c.name.in_(gone)))
    conn.execute(delete(link_name_keys).where(link_name_keys.c.name.in_(gone)))


# Names of parties in alerts; the functions are those of history.tables.names.


def add_names(conn: Connection, names: Sequence[tuple[int, str]], keys: Sequence[tuple[int, int]]) -> None:
    """Inserts names as (key, text), and keys of screening as (key, name)."""
    if names:
        insert_rows(conn, link_names, ("name", "text"), sorted(names), or_ignore=True)
    if keys:
        insert_rows(conn, link_name_keys, ("key", "name"), sorted(keys), or_ignore=True)


def texts(conn: Connection, names: Sequence[int]) -> dict[int, str]:
    """Texts of known names."""
    return {row[0]: row[1] for row in _TEXTS(conn, names)}


def filed_under(conn: Connection, keys: Sequence[int], limit: int) -> list[int]:
    """Distinct names with any of these keys of screening."""
    statement = select(link_name_keys.c.name).where(link_name_keys.c.key.in_(sorted(keys))).distinct().limit(limit)
    return list(conn.execute(statement).scalars())
