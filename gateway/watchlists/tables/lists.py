"""Statements on watchlists: ordered changes, entries, and partners' copies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, bindparam, func, select, tuple_, update

from gateway.db.statements import Prepared, Row, insert_rows, run
from gateway.feed.tables.schema import feeds
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.tables.schema import (
    list_changes,
    list_copies,
    list_entries,
)
from gateway.watchlists.tables.upsert import upsert

_LOOKED_UP = (1, 16, 100, 500)
"""Sizes of look-ups; the smallest that suffices is padded with the last id."""


ALL = "*"
"""Replaces ordinals when no change of an update had an effect."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """An update with local number `seq` in a feed's entry `idx`; `without_effect`: ordinals "0,7", or ALL."""

    seq: int
    origin: str
    feed_id: int
    idx: int
    committed_at: int
    without_effect: str = ""

    def has_effect(self, ordinal: int) -> bool:
        """Whether a change took or may take effect."""
        return self.without_effect != ALL and str(ordinal) not in self.without_effect.split(",")


class EntryRow(NamedTuple):
    """An entry's newest revision and feed position; `ended` is a WatchlistEnd, 0 while listed.

    A tuple like the columns, since millions are read and written.
    """

    publisher: str
    list: str
    entry_id: str
    kind: int
    revision: int
    ended: int
    feed_id: int
    idx: int
    ordinal: int
    valid_until: int
    first_published_at: int
    digest: bytes


class EndingRow(NamedTuple):
    """A list's number of entries that end soon, and the first end in milliseconds since 1970."""

    list: str
    entries: int
    first_ms: int


class CopyRow(NamedTuple):
    """A partner's revision of an own entry and its feed position, like the columns."""

    partner: str
    list: str
    entry_id: str
    revision: int
    ended: int
    feed_id: int
    idx: int


_CHANGE_COLUMNS = tuple(list_changes.c.keys())
_ENTRY_COLUMNS = tuple(list_entries.c.keys())
_COPY_COLUMNS = tuple(list_copies.c.keys())

_LAST_SEQ = Prepared(select(func.max(list_changes.c.seq)))
_CHANGES = Prepared(
    select(
        list_changes.c.seq,
        feeds.c.origin,
        list_changes.c.feed_id,
        list_changes.c.idx,
        list_changes.c.committed_at,
        list_changes.c.without_effect,
    )
    .join(feeds, feeds.c.id == list_changes.c.feed_id)
    .where(list_changes.c.seq > bindparam("after"))
    .order_by(list_changes.c.seq)
    .limit(bindparam("most"))
)
_HAS_CHANGE = Prepared(
    select(list_changes.c.seq)
    .where(list_changes.c.feed_id == bindparam("feed"), list_changes.c.idx == bindparam("index"))
    .limit(1)
)
_HAS_LIST = Prepared(
    select(list_entries.c.entry_id)
    .where(list_entries.c.publisher == bindparam("by"), list_entries.c.list == bindparam("called"))
    .limit(1)
)
_NEXT_LIST = Prepared(
    select(list_entries.c.list)
    .where(list_entries.c.publisher == bindparam("by"), list_entries.c.list > bindparam("after"))
    .order_by(list_entries.c.list)
    .limit(1)
)
_LISTED_AFTER = Prepared(
    select(list_entries)
    .where(
        list_entries.c.publisher == bindparam("by"),
        tuple_(list_entries.c.list, list_entries.c.entry_id) > tuple_(bindparam("called"), bindparam("id")),
        list_entries.c.ended == 0,
    )
    .order_by(list_entries.c.list, list_entries.c.entry_id)
    .limit(bindparam("most"))
)
_COPIES_OF = Prepared(
    select(list_copies)
    .where(list_copies.c.list == bindparam("called"), list_copies.c.entry_id == bindparam("id"))
    .order_by(list_copies.c.partner)
)


# Changes in order


def last_seq(conn: Connection) -> int:
    """Number of the newest change; 0 when there is none."""
    return _LAST_SEQ(conn).scalar_one() or 0


def add_changes(conn: Connection, places: Sequence[tuple[int, int]], *, committed_at: int) -> None:
    """Appends updates, each (feed id, index), to the local order."""
    first = last_seq(conn) + 1
    if places:
        rows = [(first + at, feed_id, idx, committed_at, "") for at, (feed_id, idx) in enumerate(places)]
        insert_rows(conn, list_changes, _CHANGE_COLUMNS, rows)


def changes_after(conn: Connection, seq: int, limit: int) -> list[ChangeRow]:
    """Changes after a number, in order."""
    return [ChangeRow(*row) for row in _CHANGES(conn, after=seq, most=limit)]


def has_change(conn: Connection, feed_id: int, idx: int) -> bool:
    """Whether an entry's update has a place in the local order."""
    return bool(_HAS_CHANGE(conn, feed=feed_id, index=idx))


def names_beyond(conn: Connection, publisher: str, names: Iterable[str], most: int) -> set[str]:
    """Those of these lists that are new and make a publisher's lists more than `most`, ended entries' included."""
    new = [name for name in dict.fromkeys(names) if not _HAS_LIST(conn, by=publisher, called=name)]
    if not new:
        return set()
    known, after = 0, ""
    while known < most and (following := list(_NEXT_LIST(conn, by=publisher, after=after))):
        ((after,),) = following
        known += 1
    return set(new[most - known :])


def put_without_effect(conn: Connection, seq: int, ordinals: str) -> None:
    """Records which changes of an update had no effect: "0,7", or ALL."""
    conn.execute(update(list_changes).where(list_changes.c.seq == seq).values(without_effect=ordinals))


# Entries


def find(conn: Connection, publisher: str, list_name: str, ids: Collection[str]) -> dict[str, EntryRow]:
    """Entries of one list by id, including ended ones."""
    return {row.entry_id: row for row in map(EntryRow._make, _by_ids(conn, list_entries, publisher, list_name, ids))}


def find_all(conn: Connection, publisher: str, keys: Iterable[ListKey]) -> dict[ListKey, EntryRow]:
    """Entries of one publisher by key, including ended ones."""
    return {
        ListKey(name, entry_id): row
        for name, ids in _by_list(keys).items()
        for entry_id, row in find(conn, publisher, name, ids).items()
    }


def all_listed_at(
    conn: Connection, publisher: str, list_name: str, ids: Collection[str], place: tuple[int, int]
) -> bool:
    """Whether all these entries are listed, and the newest revision of each stands in this feed's entry."""
    equal = {"feed_id": place[0], "idx": place[1], "ended": 0}
    counted = _by_ids(conn, list_entries, publisher, list_name, ids, selected="count(*)", equal=equal)
    return sum(int(number) for (number,) in counted) == len(set(ids))


def put(conn: Connection, rows: Sequence[EntryRow]) -> None:
    """Writes the newest revision of entries."""
    upsert(conn, list_entries, _ENTRY_COLUMNS, rows)


def page(
    conn: Connection,
    conditions: Iterable[ColumnElement[bool]],
    *,
    after: tuple[str, str, str] | None,
    limit: int,
) -> list[EntryRow]:
    """Listed entries by publisher, list and id, after the key `after`."""
    key = (list_entries.c.publisher, list_entries.c.list, list_entries.c.entry_id)
    query = select(list_entries).where(list_entries.c.ended == 0, *conditions).order_by(*key).limit(limit)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [EntryRow._make(row) for row in conn.execute(query)]


def listed_after(conn: Connection, publisher: str, after: ListKey, *, limit: int) -> list[EntryRow]:
    """A publisher's listed entries by list and id, after a key, `ListKey("", "")` for all."""
    rows = _LISTED_AFTER(conn, by=publisher, called=after.list, id=after.entry_id, most=limit)
    return [EntryRow._make(row) for row in rows]


def ids_of(conn: Connection, publisher: str, list_name: str, *, after: str, limit: int) -> list[tuple[str, int]]:
    """Ids and revisions of a list's entries, by id."""
    query = (
        select(list_entries.c.entry_id, list_entries.c.revision)
        .where(
            list_entries.c.publisher == publisher,
            list_entries.c.list == list_name,
            list_entries.c.ended == 0,
            list_entries.c.entry_id > after,
        )
        .order_by(list_entries.c.entry_id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def count(conn: Connection, *conditions: ColumnElement[bool]) -> int:
    """Counts listed entries."""
    return int(conn.execute(select(func.count()).where(list_entries.c.ended == 0, *conditions)).scalar_one())


def of_publisher(publisher: str) -> ColumnElement[bool]:
    """Condition that leaves the choice to valid_until's index.

    SQLite has no statistics here and with a plain comparison would read all entries of the publisher.
    """
    return list_entries.c.publisher.concat("") == publisher


def _due(publisher: Any, before_ms: Any) -> tuple[ColumnElement[bool], ...]:
    """Conditions of listed entries whose validity ends before a time; values or parameters."""
    return (
        list_entries.c.valid_until > 0,
        list_entries.c.valid_until <= before_ms,
        of_publisher(publisher),
        list_entries.c.ended == 0,
    )


_NEXT_END = Prepared(
    select(list_entries.c.valid_until)
    .where(*_due(bindparam("of"), bindparam("before")))
    .order_by(list_entries.c.valid_until)
    .limit(1)
)


def due_to_expire(conn: Connection, publisher: str, before_ms: int, limit: int) -> list[EntryRow]:
    """Listed entries whose validity ends before a time, earliest first."""
    query = select(list_entries).where(*_due(publisher, before_ms)).order_by(list_entries.c.valid_until).limit(limit)
    return [EntryRow._make(row) for row in conn.execute(query)]


def next_end(conn: Connection, publisher: str, before_ms: int) -> int | None:
    """When the first of a publisher's listed entries ends, up to a time, in milliseconds since 1970; None for none."""
    end: int | None = _NEXT_END(conn, of=publisher, before=before_ms).scalar_one_or_none()
    return end


def ending_by_list(conn: Connection, condition: ColumnElement[bool]) -> list[EndingRow]:
    """Listed entries that fulfil a condition on list_entries, by list."""
    query = (
        select(list_entries.c.list, func.count(), func.min(list_entries.c.valid_until))
        .where(list_entries.c.ended == 0, condition)
        .group_by(list_entries.c.list)
        .order_by(list_entries.c.list)
    )
    return [EndingRow(*row) for row in conn.execute(query)]


def ending_first(conn: Connection, condition: ColumnElement[bool], list_name: str, limit: int) -> list[str]:
    """Ids of one list's entries that fulfil a condition, earliest end first."""
    query = (
        select(list_entries.c.entry_id)
        .where(list_entries.c.ended == 0, list_entries.c.list == list_name, condition)
        .order_by(list_entries.c.valid_until, list_entries.c.entry_id)
        .limit(limit)
    )
    return list(conn.scalars(query))


# Copies that partners have


def find_copies(conn: Connection, partner: str, list_name: str, ids: Collection[str]) -> dict[str, CopyRow]:
    """A partner's copies in one list, by id."""
    return {row.entry_id: row for row in map(CopyRow._make, _by_ids(conn, list_copies, partner, list_name, ids))}


def find_all_copies(conn: Connection, partner: str, keys: Iterable[ListKey]) -> dict[ListKey, CopyRow]:
    """A partner's copies by key."""
    return {
        ListKey(name, entry_id): row
        for name, ids in _by_list(keys).items()
        for entry_id, row in find_copies(conn, partner, name, ids).items()
    }


def has_copies(conn: Connection, partner: str, list_name: str, ids: Collection[str]) -> bool:
    """Whether a partner ever had one of these entries."""
    counted = _by_ids(conn, list_copies, partner, list_name, ids, selected="count(*)")
    return any(number for (number,) in counted)


def copies_of(conn: Connection, list_name: str, entry_id: str) -> list[CopyRow]:
    """Partners' copies of an own entry."""
    return [CopyRow(*row) for row in _COPIES_OF(conn, called=list_name, id=entry_id)]


def put_copies(conn: Connection, rows: Sequence[CopyRow]) -> None:
    """Writes copies."""
    upsert(conn, list_copies, _COPY_COLUMNS, rows)


def active_copies(conn: Connection, partner: str, *conditions: ColumnElement[bool]) -> int:
    """Counts own entries distributed to a partner and not ended."""
    query = select(func.count()).where(list_copies.c.partner == partner, list_copies.c.ended == 0, *conditions)
    return int(conn.execute(query).scalar_one())


def entries_by_list(conn: Connection) -> dict[tuple[str, str], int]:
    """Counts listed entries by (publisher, list)."""
    columns = (list_entries.c.publisher, list_entries.c.list)
    query = select(*columns, func.count()).where(list_entries.c.ended == 0).group_by(*columns)
    return {(publisher, name): number for publisher, name, number in conn.execute(query)}


def _by_list(keys: Iterable[ListKey]) -> dict[str, set[str]]:
    ids: dict[str, set[str]] = {}
    for key in keys:
        ids.setdefault(key.list, set()).add(key.entry_id)
    return ids


def _by_ids(
    conn: Connection,
    table: Table,
    holder: str,
    list_name: str,
    ids: Collection[str],
    *,
    selected: str = "",
    equal: Mapping[str, int] = MappingProxyType({}),
) -> list[Row]:
    """What is `selected`, by default all columns, of rows by id and with equal values, for each part of the ids."""
    ordered = sorted(set(ids))
    rows: list[Row] = []
    for chunk in (ordered[at : at + _LOOKED_UP[-1]] for at in range(0, len(ordered), _LOOKED_UP[-1])):
        places = next(number for number in _LOOKED_UP if number >= len(chunk))
        text = _by_ids_text(conn.dialect.name, table, selected, tuple(equal), places)
        padded = (*chunk, *chunk[-1:] * (places - len(chunk)))
        rows.extend(run(conn, text, (holder, list_name, *equal.values(), *padded)))
    return rows


@cache
def _by_ids_text(dialect: str, table: Table, selected: str, equal: tuple[str, ...], places: int) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    holder, name, entry_id = (column.name for column in table.primary_key.columns)
    conditions = " AND ".join(f"{column} = {mark}" for column in (holder, name, *equal))
    return (
        f"SELECT {selected or ', '.join(table.c.keys())} FROM {table.name} WHERE {conditions} "
        f"AND {entry_id} IN ({', '.join([mark] * places)})"
    )
