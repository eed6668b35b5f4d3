"""Gives an update its effect on the lists."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_ms
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.entered_columns import EnteredColumns, columns_of
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.rules.policies import MAX_LISTS
from gateway.watchlists.service.updates import ListEffect
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import revisions
from gateway.watchlists.tables.lists import ChangeRow, EntryRow
from gateway.watchlists.tables.revisions import EntryRevisionRow

log = logging.getLogger(__name__)


def take_effect(conn: Connection, place: ChangeRow, effect: ListEffect, columns: EnteredColumns | None = None) -> None:
    """Writes the newest revisions of the changed entries, and which changes had no effect.

    Args:
        columns: of a partner's update, where they are known.
    """
    origin = FeedOrigin.parse(place.origin)
    own = origin.channel is Channel.LISTS
    if columns is None:
        columns = columns_of(effect.update)
    # Updates may have come before the lists of earlier ones took effect.
    beyond = watchlists.names_beyond(conn, origin.publisher, columns.lists, MAX_LISTS)
    known = _known(conn, origin.publisher, effect.update, columns, own=own)
    rows: Sequence[EntryRow] | None = None
    if own:
        if not (beyond or known or effect.taken_over):
            rows = first_of_own(origin.publisher, place, effect.update, columns)
    elif not beyond:
        rows = replaced_at_once(origin.publisher, place, columns)
        revisions.add(conn, _earlier(known, place, rows or ()))
    if rows is None:
        rows = _replaced_singly(conn, origin.publisher, place, effect, beyond=beyond, known=known, own=own)
    watchlists.put(conn, sorted(rows))


def _known(
    conn: Connection,
    publisher: str,
    update: watchlist_pb2.WatchlistUpdate,
    columns: EnteredColumns,
    *,
    own: bool,
) -> Mapping[ListKey, EntryRow]:
    """The present rows of changed entries. A partner's entry replaces any earlier revision: its first needs none."""
    entered = zip(columns.lists, columns.ids, columns.revisions, strict=True)
    keys = [ListKey(name, entry_id) for name, entry_id, revision in entered if own or revision != 1]
    if columns.ends:
        keys += [ListKey(end.list, end.id) for change in update.changes if (end := change.ended).id]
    return watchlists.find_all(conn, publisher, keys) if keys else {}


def _earlier(known: Mapping[ListKey, EntryRow], place: ChangeRow, rows: Sequence[EntryRow]) -> list[EntryRevisionRow]:
    """Revisions that a partner's update replaces."""
    if not known:
        return []
    return [
        earlier
        for row in rows
        for earlier in revisions.replaced_by(row, known.get(ListKey(row.list, row.entry_id)), place.seq, row.ordinal)
    ]


def first_of_own(
    publisher: str, place: ChangeRow, update: watchlist_pb2.WatchlistUpdate, columns: EnteredColumns
) -> list[EntryRow] | None:
    """Rows of own entries that aren't known yet; None unless all are first revisions, each of another entry."""
    if set(columns.revisions) != {1}:
        return None
    entries = [change.entered for change in update.changes]
    published_at = (to_ms(entry.published_at) for entry in entries)
    digests = (wire.content_digest(entry.content) for entry in entries)
    return replaced_at_once(publisher, place, columns, published_at, digests)


def replaced_at_once(
    publisher: str,
    place: ChangeRow,
    columns: EnteredColumns,
    first_published_at: Iterable[int] = repeat(0),
    digests: Iterable[bytes] = repeat(b""),
) -> list[EntryRow] | None:
    """Rows of entries, each of which replaces any earlier revision.

    None where the order of changes counts: entries end, or one is entered twice.
    """
    if columns.ends or len(set(zip(columns.lists, columns.ids, strict=True))) < len(columns.ids):
        return None
    rows = zip(
        repeat(publisher),
        columns.lists,
        columns.ids,
        columns.kinds,
        columns.revisions,
        repeat(0),
        repeat(place.feed_id),
        repeat(place.idx),
        columns.ordinals,
        columns.valid_until,
        first_published_at,
        digests,
        strict=False,
    )
    return list(map(EntryRow._make, rows))


def _replaced_singly(
    conn: Connection,
    publisher: str,
    place: ChangeRow,
    effect: ListEffect,
    *,
    beyond: set[str],
    known: Mapping[ListKey, EntryRow],
    own: bool,
) -> list[EntryRow]:
    """Rows after one change after the other; those without effect are noted."""
    keyed = [(wire.key_of(change), change) for change in effect.update.changes]
    rows: dict[ListKey, EntryRow] = {}
    idle: list[str] = []
    earlier: list[EntryRevisionRow] = []
    for ordinal, (key, change) in enumerate(keyed):
        before = rows.get(key) or known.get(key)
        if key.list in beyond:
            idle.append(str(ordinal))
            continue
        row = row_of(publisher, change, place, ordinal, before, own=own)
        if own and not _follows(row, before, taken_over=effect.taken_over):
            # by its place: the list may be hidden from those who read the log
            text = "change %d in entry %d of %s was overtaken by another one and has no effect"
            log.warning(text, ordinal, place.idx, place.origin)
            row = None
        if row is None:
            idle.append(str(ordinal))
        else:
            rows[key] = row
            earlier += revisions.replaced_by(row, before, place.seq, ordinal)
    revisions.add(conn, earlier)
    if beyond:
        log.warning("entry %d of %s names lists beyond the %d of a publisher", place.idx, place.origin, MAX_LISTS)
    if idle:
        watchlists.put_without_effect(conn, place.seq, ",".join(idle))
    return list(rows.values())


def row_of(
    publisher: str,
    change: watchlist_pb2.WatchlistChange,
    place: ChangeRow,
    ordinal: int,
    before: EntryRow | None,
    *,
    own: bool,
) -> EntryRow | None:
    """The entry after a change; None for the end of an unknown one."""
    if change.WhichOneof("change") == "ended":
        if before is None:
            return None
        ended = change.ended
        return before._replace(
            revision=ended.revision,
            ended=ended.end,
            feed_id=place.feed_id,
            idx=place.idx,
            ordinal=ordinal,
            valid_until=0,
        )
    entry = change.entered
    content = entry.content
    return EntryRow(
        publisher=publisher,
        list=entry.list,
        entry_id=entry.id,
        kind=content.kind,
        revision=entry.revision,
        ended=0,
        feed_id=place.feed_id,
        idx=place.idx,
        ordinal=ordinal,
        valid_until=to_ms(content.valid_until) if content.HasField("valid_until") else 0,
        first_published_at=_first_published(entry, before) if own else 0,
        digest=wire.content_digest(content) if own else b"",
    )


def _first_published(entry: watchlist_pb2.WatchlistEntry, before: EntryRow | None) -> int:
    return before.first_published_at if before is not None else to_ms(entry.published_at)


def _follows(row: EntryRow | None, before: EntryRow | None, *, taken_over: bool) -> bool:
    """Whether an own change fits the current revision: the next number, or the last for an end.

    One that was taken over from a partner's copy may have skipped numbers, or may only name more recipients.
    """
    if row is None:
        return False
    if taken_over:
        return before is None or row.revision >= before.revision
    if row.ended:
        return before is not None and not before.ended and row.revision == before.revision
    return row.revision == (before.revision if before is not None else 0) + 1
