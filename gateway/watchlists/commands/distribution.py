"""Distributes own entries, and the ends of those no longer allowed, to partners.

A partner's copies are projected from its feed, so nothing is distributed twice. A partner without copies gets the
current state, not the history.

Runs in the writer's transactions, when no projection is pending.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError
from gateway.feed.service.writing.commands import entry_of
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, journal
from gateway.feed.tables.feeds import StoredEntry
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.encoded_changes import event_of, filled, update_of
from gateway.watchlists.codec.entered_columns import entered_keys
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.commands.entry_sources import may_go_to
from gateway.watchlists.commands.reconciliation import ListReconciliation
from gateway.watchlists.service.updates import read_changes, read_copies, read_update
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables import proposals as proposal_rows
from gateway.watchlists.tables.lists import ChangeRow, CopyRow, EntryRow
from gateway.watchlists.tables.progress import DistributionRow

log = logging.getLogger(__name__)

SWEEP_ENTRIES = 500
"""Entries compared in one step of a sweep."""

MAX_UNDISTRIBUTED = 10_000
"""Most updates whose changes are counted: five million changes."""


def undistributed(conn: Connection, lists: FeedOrigin, partner: str) -> Counter[str]:
    """Counts, by list, own changes not yet considered for a partner."""
    left: Counter[str] = Counter()
    distribution = list_progress.distribution(conn, partner)
    considered = distribution.considered
    if considered is None or distribution.sweep_steps:  # a sweep compares everything
        considered = list_progress.applied(conn)
        listed = watchlists.entries_by_list(conn).items()
        left.update({name: number for (publisher, name), number in listed if publisher == lists.publisher})
    for change in watchlists.changes_after(conn, considered, MAX_UNDISTRIBUTED):
        if change.origin == lists.line:
            left.update(key.list for key in map(wire.key_of, read_update(conn, change.feed_id, change.idx).changes))
    feed = feeds.find(conn, lists)
    if feed is not None:
        first = journal.size_at(conn, feed.id, journal.projected_position(conn))
        for entry in feeds.read_entries(conn, feed.id, first, min(feed.journaled_size, first + MAX_UNDISTRIBUTED)):
            left.update(_decided(conn, entry))
    return left


def _decided(conn: Connection, entry: StoredEntry) -> Counter[str]:
    """Counts, by list, an unprojected decision's changes."""
    if not entry.payload:
        return Counter()
    decision = wire.parse_decision(entry.payload)
    if decision.WhichOneof("decision") == "approved":
        proposal = proposal_rows.proposal(conn, decision.approved.proposal_id)
        return Counter({proposal.list: proposal.changes} if proposal is not None else {})
    if decision.HasField("proposed"):
        return Counter()
    return Counter(wire.key_of(change).list for change in wire.update_of(decision).changes)


class DistributionState(Enum):
    """Distribution state after a step."""

    MORE = "more"
    BLOCKED = "blocked"
    """Only feeds that must not be extended now have changes waiting."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class _Sweep:
    """A sweep under way: where to continue, and the progress to store at its end.

    The database also has `step`; after a failed commit they differ, and the sweep restarts.
    """

    step: int
    after: ListKey
    seq: int
    basis: Directory
    snapshot: bool


class ListDistribution:
    """For the writer's thread alone; an interrupted sweep restarts, repeating nothing."""

    def __init__(self, *, federation: str, node: str, directory: Callable[[], Directory]) -> None:
        self._federation = federation
        self._node = node
        self._directory = directory
        self._agreements = Agreements(directory)
        self._reconciliation = ListReconciliation(federation=federation, node=node)
        self._sweeps: dict[str, _Sweep] = {}

    def origin(self, partner: str) -> FeedOrigin:
        """Our watchlist feed to a partner."""
        return self._directory().feed(self._node, partner, Channel.WATCHLIST)

    def advance(self, tx: Transaction) -> DistributionState:
        """Takes a step for the first partner with changes; project its entries before the next."""
        at = datetime.fromtimestamp(tx.now_ms / 1000, UTC)
        state = DistributionState.FINISHED
        for partner in sorted(self._directory().partners(self._node, at)):
            feed = feeds.find(tx.conn, self.origin(partner))
            if feed is not None and not feed.extensible:
                state = DistributionState.BLOCKED
            elif (feed is not None and self._reconciliation.advance(tx, feed)) or self._advance(tx, partner):
                return DistributionState.MORE
        return state

    def _advance(self, tx: Transaction, partner: str) -> bool:
        distribution = list_progress.distribution(tx.conn, partner)
        known = self._directory().version
        if distribution.directory_version > known:  # another replica has a newer directory, and does this
            return False
        if distribution.considered is None or distribution.directory_version != known:
            return self._sweep(tx, distribution)
        following = watchlists.changes_after(tx.conn, distribution.considered, 1)
        if not following:
            return False
        change = following[0]
        if FeedOrigin.parse(change.origin).channel is Channel.LISTS:
            self._consider(tx, partner, change)
        list_progress.move_considered(tx.conn, partner, change.seq)
        return True

    def _consider(self, tx: Transaction, partner: str, change: ChangeRow) -> None:
        """Distributes what an own update changed."""
        place = change.feed_id, change.idx
        update = read_update(tx.conn, *place)
        if self._is_new(tx, partner, place, update):
            told = self._freely_told(tx, partner, update.changes)
            if told is not None:
                self._append(tx, partner, told, snapshot=False)
                return
        keys = list(dict.fromkeys(map(wire.key_of, update.changes)))
        rows = watchlists.find_all(tx.conn, self._node, keys)
        listed = [rows[key] for key in keys if key in rows]
        self._distribute(tx, partner, listed, snapshot=False, known={place: update})

    def _is_new(
        self, tx: Transaction, partner: str, place: tuple[int, int], update: watchlist_pb2.WatchlistUpdate
    ) -> bool:
        """Whether all entries of an update are of one list, still what it says, and new to a partner."""
        keyed = entered_keys(update)
        if keyed is None:
            return False
        ids = {entry_id for _, entry_id, _ in keyed}
        lists = {name for name, _, _ in keyed}
        if len(lists) != 1 or len(ids) < len(keyed):
            return False
        (name,) = lists
        return watchlists.all_listed_at(tx.conn, self._node, name, ids, place) and not watchlists.has_copies(
            tx.conn, partner, name, ids
        )

    def _freely_told(
        self, tx: Transaction, partner: str, changes: Iterable[watchlist_pb2.WatchlistChange]
    ) -> list[bytes] | None:
        """Serialised copies of those listed entries that go to a partner who has none of them.

        None where an entry derives from an alert, or goes to the partner in parts at most: `_difference` decides of
        each. It comes to the same for these.
        """
        unrestricted: dict[str, bool] = {}
        told = []
        for change in changes:
            content = change.entered.content
            named = content.releasable_to
            if partner not in named:
                continue
            purpose = content.purpose
            if purpose not in unrestricted:
                unrestricted[purpose] = self._is_unrestricted(tx, purpose, partner)
            if content.derived_from or not unrestricted[purpose]:
                return None
            copy = change if len(named) == 1 else wire.copy_for(change, partner)
            told.append(copy.SerializeToString(deterministic=True))
        return told

    def _is_unrestricted(self, tx: Transaction, purpose: str, partner: str) -> bool:
        """Whether a partner may have every field of entries for a purpose."""
        return self._agreements.unrestricted(
            sender=self._node, recipient=partner, purpose=purpose, at_ms=tx.now_ms, message_type=wire.EVENT_TYPE
        )

    def _sweep(self, tx: Transaction, distribution: DistributionRow) -> bool:
        """Compares all entries, at first and after each change of the directory."""
        directory, partner, considered = self._directory(), distribution.partner, distribution.considered
        sweep = self._sweeps.get(partner)
        if sweep is None or sweep.basis is not directory or sweep.step != distribution.sweep_steps:
            seq = watchlists.last_seq(tx.conn) if considered is None else considered
            sweep = _Sweep(0, ListKey("", ""), seq, directory, snapshot=considered is None)
        rows = watchlists.listed_after(tx.conn, self._node, sweep.after, limit=SWEEP_ENTRIES)
        if rows:
            self._distribute(tx, partner, rows, snapshot=sweep.snapshot)
            last, step = rows[-1], sweep.step + 1
            after = ListKey(last.list, last.entry_id)
            self._sweeps[partner] = replace(sweep, step=step, after=after)
            list_progress.move_sweep_steps(tx.conn, partner, step)
            return True
        list_progress.move_sweep_steps(tx.conn, partner, 0)
        list_progress.move_directory_version(tx.conn, partner, directory.version)
        if considered is None:
            list_progress.move_considered(tx.conn, partner, sweep.seq)
        return True

    def _distribute(
        self,
        tx: Transaction,
        partner: str,
        rows: Sequence[EntryRow],
        *,
        snapshot: bool,
        known: Mapping[tuple[int, int], watchlist_pb2.WatchlistUpdate] = MappingProxyType({}),
    ) -> None:
        """`known`: updates that were read already, by feed id and index."""
        keyed = {ListKey(row.list, row.entry_id): row for row in rows}
        copies = watchlists.find_all_copies(tx.conn, partner, keyed)
        newest = read_changes(tx.conn, rows, known)
        told = None
        if not copies and len(newest) == len(keyed) and not any(row.ended for row in rows):
            told = self._freely_told(tx, partner, newest.values())
        if told is None:
            told = self._compared(tx, partner, keyed, newest, copies)
        self._append(tx, partner, told, snapshot=snapshot)

    def _compared(
        self,
        tx: Transaction,
        partner: str,
        rows: Mapping[ListKey, EntryRow],
        newest: Mapping[ListKey, watchlist_pb2.WatchlistChange],
        copies: Mapping[ListKey, CopyRow],
    ) -> list[bytes]:
        """What differs, serialised, entry by entry."""
        compared = [
            copies[key]
            for key, row in rows.items()
            if key in copies and key in newest and (newest[key].ended.reason or copies[key].revision == row.revision)
        ]
        had = read_copies(tx.conn, compared)
        changes = []
        for key, row in rows.items():
            change = self._difference(tx, row, newest.get(key), copies.get(key), had=had.get(key), partner=partner)
            if change is not None:
                changes.append(change.SerializeToString(deterministic=True))
        return changes

    def _append(self, tx: Transaction, partner: str, changes: Sequence[bytes], *, snapshot: bool) -> None:
        full, left = filled(changes)
        for part in (*full, left):
            if part:
                event = watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(tx.now_ms))
                payload = event_of(event, update_of(part, snapshot=snapshot))
                tx.append(self.origin(partner), entry_of(wire.EVENT_TYPE, payload, now_ms=tx.now_ms))

    def _difference(
        self,
        tx: Transaction,
        row: EntryRow,
        newest: watchlist_pb2.WatchlistChange | None,
        copy: CopyRow | None,
        *,
        had: watchlist_pb2.WatchlistContent | None,
        partner: str,
    ) -> watchlist_pb2.WatchlistChange | None:
        """What the partner is to be told.

        `had`: what its copy says, of a copy at the entry's revision, or of an entry that ends with a reason.
        """
        has = copy is not None and not copy.ended
        if not row.ended and newest is not None and self._may_have(tx, newest.entered.content, partner):
            if copy is not None and has and _is_current(row, newest, copy, had):
                return None
            return wire.copy_for(newest, partner)
        if copy is None or not has:
            return None
        if row.ended and newest is not None:
            return self._end_for(tx, newest, copy, had, partner)
        tombstone = watchlist_pb2.WatchlistTombstone(
            list=row.list,
            id=row.entry_id,
            revision=row.revision,
            end=watchlist_pb2.WATCHLIST_END_NOT_RELEASABLE,
            ended_at=to_timestamp(tx.now_ms),
        )
        return watchlist_pb2.WatchlistChange(ended=tombstone)

    def _end_for(
        self,
        tx: Transaction,
        end: watchlist_pb2.WatchlistChange,
        copy: CopyRow,
        had: watchlist_pb2.WatchlistContent | None,
        partner: str,
    ) -> watchlist_pb2.WatchlistChange:
        """The end, with its reason only for a partner that had the last revision and may be told."""
        end = wire.copy_for(end, partner)
        had_last = copy.revision == end.ended.revision
        if not end.ended.reason or (had_last and had is not None and self._agreed(tx, end.ended, had.purpose, partner)):
            return end
        bare = watchlist_pb2.WatchlistChange()
        bare.CopyFrom(end)
        bare.ended.ClearField("reason")
        return bare

    def _may_have(self, tx: Transaction, content: watchlist_pb2.WatchlistContent, partner: str) -> bool:
        return (
            partner in content.releasable_to
            and may_go_to(tx, content, partner)
            and self._agreed(tx, content, content.purpose, partner)
        )

    def _agreed(self, tx: Transaction, message: Message, purpose: str, partner: str) -> bool:
        try:
            self._agreements.require(
                message,
                sender=self._node,
                recipient=partner,
                purpose=purpose,
                at_ms=tx.now_ms,
                message_type=wire.EVENT_TYPE,
            )
        except GatewayError as error:
            log.info("%s isn't told what an entry or its end says: %s", partner, error)
            return False
        return True


def _is_current(
    row: EntryRow,
    newest: watchlist_pb2.WatchlistChange,
    copy: CopyRow,
    had: watchlist_pb2.WatchlistContent | None,
) -> bool:
    """Whether a copy that hasn't ended says what our list says; an erased copy counts by its revision."""
    if copy.revision != row.revision or had is None:
        return copy.revision >= row.revision
    return wire.shared_digest(had) == wire.shared_digest(newest.entered.content)
