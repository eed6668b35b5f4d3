"""Reads watchlists: entries, pages, changes, and comparison with a partner's copy."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, or_

from gateway.contract.filters import (
    MOMENTS,
    Term,
    decode_page_token,
    encode_page_token,
    invalid_value,
    page_size,
    parse_filter,
    token_number,
    unix_ms,
)
from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.limits import BATCH_BYTES, MAX_STREAM_ITEMS
from gateway.db.database import Database
from gateway.errors import MalformedError, NotFoundError
from gateway.feed.projection.registry import APPLIED
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables import dispositions, feeds, heads, journal
from gateway.feed.tables.feeds import Feed
from gateway.feed.tables.heads import StoredTiles
from gateway.feed.tables.restores import PositionKind, number_of, public_position
from gateway.tlog.merkle import EMPTY_ROOT, tree_root
from gateway.trust.rules.directory import Directory
from gateway.v1 import alert_service_pb2, feed_pb2, watchlist_pb2, watchlist_service_pb2
from gateway.watchlists.codec.events import ListKey, key_of
from gateway.watchlists.commands.distribution import undistributed
from gateway.watchlists.commands.expiry import ListExpiry
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.copies import different_copies
from gateway.watchlists.service.updates import read_changes, read_update
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables import revisions
from gateway.watchlists.tables.lists import CopyRow, EntryRow
from gateway.watchlists.tables.revisions import EntryRevisionRow
from gateway.watchlists.tables.schema import list_copies, list_entries

MOST_MISSING = 1_000
"""Most changes listed by a comparison; beyond that only counted."""

_Pb = watchlist_service_pb2
_KIND = "WATCHLIST_KIND_"
_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_FIELDS = {
    **dict.fromkeys(("publisher", "list", "kind", "id", "expiring", "expired_by_clock"), ("=",)),
    "valid_until": ("<", "<=", ">", ">="),
}
_COLUMNS = {"publisher": list_entries.c.publisher, "list": list_entries.c.list, "id": list_entries.c.entry_id}


@dataclass(frozen=True, slots=True)
class FullState:
    """A page of listed entries, and the next key; None at the end."""

    changes: list[_Pb.PublishedChange]
    after: tuple[str, str, str] | None


class ListQueries:
    """Reads lists from the projections. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        federation: str,
        node: str,
        directory: Callable[[], Directory],
        expiry: ListExpiry,
        clock: Clock,
    ) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._expiry = expiry
        self._federation = federation
        self._node = node

    def get(
        self, reference: watchlist_pb2.WatchlistReference, *, earlier: int = 0, hidden: Hidden = NOTHING_HIDDEN
    ) -> _Pb.GetEntryResponse:
        """An entry, also an ended own one, where it is active, and `earlier` revisions; raises NotFoundError."""
        publisher, name, entry_id = reference.publisher, reference.list, reference.id
        with self._database.read() as conn:
            row = watchlists.find(conn, publisher, name, [entry_id]).get(entry_id)
            copies = watchlists.copies_of(conn, name, entry_id) if publisher == self._node else []
            if row is None or (row.ended and not copies) or (publisher, name) in hidden:
                raise NotFoundError(f"there is no entry {publisher}/{name}/{entry_id} here")
            response = _Pb.GetEntryResponse(copies=[_copy(conn, copy) for copy in copies])
            change = read_changes(conn, [row]).get(ListKey(name, entry_id))
            if change is not None and not row.ended:
                response.entry.CopyFrom(change.entered)
                response.expired_by_clock = _is_expired(row, self._clock())
                response.publisher_left = publisher in self._directory().former_partners(self._node)
            if earlier:
                response.earlier_count = revisions.count(conn, publisher, name, entry_id)
                response.earlier.extend(_earlier(conn, revisions.newest(conn, publisher, name, entry_id, earlier)))
        return response

    def list(self, request: _Pb.ListEntriesRequest, *, hidden: Hidden = NOTHING_HIDDEN) -> _Pb.ListEntriesResponse:
        """A page of entries by publisher, list and id; raises InvalidRequestError."""
        token = decode_page_token(request.page_token, request.filter, 4)
        now = self._clock() if token is None else token_number(token[3], MOMENTS)
        conditions = [self._condition(term, now) for term in parse_filter(request.filter, _FIELDS)]
        conditions += visible(hidden, list_entries)
        after = None if token is None else (token[0], token[1], token[2])
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            rows = watchlists.page(conn, conditions, after=after, limit=limit + 1)
            entries, taken = _entries(conn, rows[:limit], now)
            unprojected = journal.head_position(conn) - journal.projected_position(conn)
            unapplied = unprojected + watchlists.last_seq(conn) - list_progress.applied(conn)
        response = _Pb.ListEntriesResponse(entries=entries, unapplied=unapplied)
        if len(rows) > taken:
            last = rows[taken - 1]
            key = (last.publisher, last.list, last.entry_id, str(now))
            response.next_page_token = encode_page_token(key, request.filter)
        return response

    def _condition(self, term: Term, now_ms: int) -> ColumnElement[bool]:
        if term.field == "expired_by_clock":
            if term.value not in ("true", "false"):
                raise invalid_value(term, "true or false")
            time = list_entries.c.valid_until
            return and_(time > 0, time <= now_ms) if term.value == "true" else or_(time == 0, time > now_ms)
        if term.field == "expiring":
            if term.value != "true":
                raise invalid_value(term, "true")
            return self._expiry.condition()
        return _condition(term)

    def _own(self, hidden: Hidden) -> set[str]:
        return {name for publisher, name in hidden if publisher == self._node}

    def position(self) -> int:
        """Position of the last change that took effect."""
        with self._database.read() as conn:
            return public_position(conn, list_progress.applied(conn))

    def changes(self, position: int, *, hidden: Hidden = NOTHING_HIDDEN) -> tuple[_Pb.WatchEntriesResponse, bool]:
        """The next effective update after a position, if any, and whether there may be more.

        Overtaken changes are left out: applying them would give a different list.

        Raises:
            PositionUnknownError: the position lies beyond the newest change, or was lost by a restore.
        """
        with self._database.read() as conn:
            applied = list_progress.applied(conn)
            newest = max(applied, watchlists.last_seq(conn))
            after, epoch = number_of(conn, position, PositionKind.LIST_CHANGES, newest), public_position(conn, 0)
        while True:
            with self._database.read() as conn:
                rows = watchlists.changes_after(conn, after, 1)
                if not rows or rows[0].seq > applied:
                    return _Pb.WatchEntriesResponse(position=epoch | after), False
                (row,) = rows
                nothing = row.without_effect == watchlists.ALL
                update = watchlist_pb2.WatchlistUpdate() if nothing else read_update(conn, row.feed_id, row.idx)
            after = row.seq
            publisher = FeedOrigin.parse(row.origin).publisher
            changes = [
                _Pb.PublishedChange(publisher=publisher, change=change)
                for ordinal, change in enumerate(update.changes)
                if row.has_effect(ordinal) and (publisher, key_of(change).list) not in hidden
            ]
            if changes:
                return _Pb.WatchEntriesResponse(changes=changes, position=epoch | after), True

    def full_state(self, after: tuple[str, str, str] | None, *, hidden: Hidden = NOTHING_HIDDEN) -> FullState:
        """The next page of everything listed."""
        with self._database.read() as conn:
            rows = watchlists.page(conn, visible(hidden, list_entries), after=after, limit=MAX_STREAM_ITEMS)
            entries, taken = _entries(conn, rows, self._clock())
        changes = [
            _Pb.PublishedChange(publisher=entry.publisher, change=watchlist_pb2.WatchlistChange(entered=entry.entry))
            for entry in entries
        ]
        if taken == len(rows) < MAX_STREAM_ITEMS:
            return FullState(changes, None)
        last = rows[taken - 1]
        return FullState(changes, (last.publisher, last.list, last.entry_id))

    def origin(self, partner: str) -> FeedOrigin:
        """Our watchlist feed to a partner."""
        return self._directory().feed(self._node, partner, Channel.WATCHLIST)

    def _lists_feed(self) -> FeedOrigin:
        return FeedOrigin(self._federation, self._node, self._node, Channel.LISTS)

    def compare(
        self, partner: str, position: feed_pb2.FeedPosition, *, hidden: Hidden = NOTHING_HIDDEN
    ) -> _Pb.CompareCopyResponse:
        """Compares a partner's copy with the entries distributed to it.

        Args:
            position: its reported position in our watchlist feed.
            hidden: left out of changes and counts; size and root cover the whole feed.
        """
        unseen = self._own(hidden)
        origin = self.origin(partner)
        with self._database.read() as conn:
            left = undistributed(conn, self._lists_feed(), partner)
            feed = feeds.find(conn, origin)
            size = feed.size if feed is not None else 0
            own_root = _root_at(conn, feed, position.size)
            response = _Pb.CompareCopyResponse(
                identical=position.size == size and own_root == position.root and not left,
                untold=sum(number for name, number in left.items() if name not in unseen),
                origin=origin.line,
                own_size=size,
                partner_size=position.size,
                own_root=own_root,
                partner_root=position.root,
                active=watchlists.active_copies(conn, partner, *(list_copies.c.list != name for name in unseen)),
            )
            if feed is not None:
                for change in _told_from(conn, feed, position.size):
                    if key_of(change).list in unseen:
                        continue
                    response.missing_count += 1
                    if len(response.missing) < MOST_MISSING:
                        response.missing.append(change)
            self._add_differences(conn, partner, response, unseen)
        return response

    def _add_differences(
        self, conn: Connection, partner: str, response: _Pb.CompareCopyResponse, unseen: Collection[str]
    ) -> None:
        """Adds own entries whose copy at a partner says something else than our list."""
        for key in different_copies(conn, self._node, partner):
            response.identical = False
            if key.list in unseen:
                continue
            response.different_count += 1
            if len(response.different) < MOST_MISSING:
                response.different.add(publisher=self._node, list=key.list, id=key.entry_id)


def visible(hidden: Hidden, table: Table) -> list[ColumnElement[bool]]:
    """SQL conditions that exclude hidden lists by publisher and list."""
    return [or_(table.c.publisher != publisher, table.c.list != name) for publisher, name in sorted(hidden)]


def _root_at(conn: Connection, feed: Feed | None, size: int) -> bytes:
    if size == 0:
        return EMPTY_ROOT
    if feed is None or size > feed.size:
        return b""
    return feed.tree.root if size == feed.size else tree_root(size, StoredTiles(conn, feed.id))


def _told_from(conn: Connection, feed: Feed, first: int) -> Iterator[watchlist_pb2.WatchlistChange]:
    for index in range(first, feed.size):
        try:
            yield from read_update(conn, feed.id, index).changes
        except MalformedError:  # not an update: effects of the partner's entries here
            continue


def _is_expired(row: EntryRow, now_ms: int) -> bool:
    """Whether the validity of a listed entry has passed by this node's clock."""
    return 0 < row.valid_until <= now_ms


def _entries(conn: Connection, rows: Sequence[EntryRow], now_ms: int) -> tuple[list[_Pb.ListedEntry], int]:
    """Entries that fit one message, and their rows."""
    by_publisher: dict[str, list[EntryRow]] = {}
    for row in rows:
        by_publisher.setdefault(row.publisher, []).append(row)
    changes = {publisher: read_changes(conn, own) for publisher, own in by_publisher.items()}
    listed: list[_Pb.ListedEntry] = []
    size = 0
    for taken, row in enumerate(rows):
        change = changes[row.publisher].get(ListKey(row.list, row.entry_id))
        if change is None:
            continue
        size += change.ByteSize()
        if size > BATCH_BYTES and listed:
            return listed, taken
        expired = _is_expired(row, now_ms)
        listed.append(_Pb.ListedEntry(publisher=row.publisher, entry=change.entered, expired_by_clock=expired))
    return listed, len(rows)


def _earlier(conn: Connection, rows: Iterable[EntryRevisionRow]) -> Iterator[_Pb.EarlierRevision]:
    """Replaced revisions with what they said, as many as fit a message."""
    size = 0
    for row in rows:
        origin = feeds.get_by_id(conn, row.feed_id).origin
        place = alert_service_pb2.EntryReference(origin=origin.line, index=row.idx)
        changes = read_update(conn, row.feed_id, row.idx).changes
        change = changes[row.ordinal] if row.ordinal < len(changes) else None
        revision = _Pb.EarlierRevision(place=place, change=change)
        size += revision.ByteSize()
        if size > BATCH_BYTES:
            return
        yield revision


def _copy(conn: Connection, copy: CopyRow) -> _Pb.PartnerCopy:
    feed = feeds.get_by_id(conn, copy.feed_id)
    receipt = heads.receipted_over(conn, copy.feed_id, copy.idx)
    disposition = dispositions.find(conn, copy.feed_id, copy.idx)
    states = {
        (False, False): _Pb.COPY_STATE_SENT,
        (False, True): _Pb.COPY_STATE_ACTIVE,
        (True, False): _Pb.COPY_STATE_ENDING,
        (True, True): _Pb.COPY_STATE_ENDED,
    }
    state = states[bool(copy.ended), receipt is not None]
    if disposition is not None and disposition.outcome != APPLIED:
        state = _Pb.COPY_STATE_REFUSED
    return _Pb.PartnerCopy(
        partner=copy.partner,
        state=state,
        revision=copy.revision,
        sent=alert_service_pb2.EntryReference(origin=feed.origin.line, index=copy.idx),
        receipted_at_unix_ms=receipt.receipted_at if receipt is not None else 0,
        outcome=disposition.outcome if disposition is not None else "",
    )


def _condition(term: Term) -> ColumnElement[bool]:
    if term.field == "valid_until":
        time = list_entries.c.valid_until
        return and_(time > 0, _COMPARISONS[term.operator](time, unix_ms(term)))
    if term.field != "kind":
        return _COLUMNS[term.field] == term.value
    name = _KIND + term.value.upper()
    kinds = {key: value for key, value in watchlist_pb2.WatchlistKind.items() if value}
    if name not in kinds:
        raise invalid_value(term, "one of " + ", ".join(key.removeprefix(_KIND).lower() for key in kinds))
    return list_entries.c.kind == kinds[name]
