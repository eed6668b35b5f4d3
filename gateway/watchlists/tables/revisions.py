"""Statements on revisions of entries that another change has replaced: where each stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from gateway.db.statements import Prepared, insert_rows
from gateway.watchlists.tables.lists import EntryRow
from gateway.watchlists.tables.schema import list_revisions


class EntryRevisionRow(NamedTuple):
    """A replaced revision's place in a feed, by the change that replaced it; like the columns."""

    publisher: str
    list: str
    entry_id: str
    replaced_seq: int
    replaced_ordinal: int
    feed_id: int
    idx: int
    ordinal: int


_COLUMNS = tuple(list_revisions.c.keys())

_OF_ENTRY = (
    list_revisions.c.publisher == bindparam("by"),
    list_revisions.c.list == bindparam("called"),
    list_revisions.c.entry_id == bindparam("id"),
)
_NEWEST = Prepared(
    select(list_revisions)
    .where(*_OF_ENTRY)
    .order_by(list_revisions.c.replaced_seq.desc(), list_revisions.c.replaced_ordinal.desc())
    .limit(bindparam("most"))
)
_COUNT = Prepared(select(func.count()).select_from(list_revisions).where(*_OF_ENTRY))


def add(conn: Connection, rows: Sequence[EntryRevisionRow]) -> None:
    """Writes replaced revisions."""
    if rows:
        insert_rows(conn, list_revisions, _COLUMNS, rows)


def replaced_by(row: EntryRow, before: EntryRow | None, seq: int, ordinal: int) -> list[EntryRevisionRow]:
    """The revision that a change at `ordinal` of the update `seq` replaces; none where it says the same one again."""
    if before is None or (before.revision == row.revision and bool(before.ended) == bool(row.ended)):
        return []
    key = (row.publisher, row.list, row.entry_id)
    return [EntryRevisionRow(*key, seq, ordinal, before.feed_id, before.idx, before.ordinal)]


def newest(conn: Connection, publisher: str, list_name: str, entry_id: str, most: int) -> list[EntryRevisionRow]:
    """Replaced revisions of an entry, newest first."""
    return [EntryRevisionRow(*row) for row in _NEWEST(conn, by=publisher, called=list_name, id=entry_id, most=most)]


def count(conn: Connection, publisher: str, list_name: str, entry_id: str) -> int:
    """How many revisions of an entry were replaced."""
    return int(_COUNT(conn, by=publisher, called=list_name, id=entry_id).scalar_one())
