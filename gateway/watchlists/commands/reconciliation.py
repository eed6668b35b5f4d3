"""Takes over into own lists what partners' copies say after a restore: decisions that the backup lacks.

The copies are projected from our feeds to partners, which these gave back. Once an update has come back, all copies
of its recipient are compared, before anything is distributed to it.

Runs in the writer's transactions, when no projection is pending.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_ms, to_timestamp
from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables.feeds import Feed
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.commands.proposals import BY_ITSELF
from gateway.watchlists.rules.reconciliation import CopyStanding, EntryState, standing_of
from gateway.watchlists.service.updates import read_changes, read_copy_changes, read_effect
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables import reconciliations
from gateway.watchlists.tables.lists import CopyRow, EntryRow

log = logging.getLogger(__name__)

COPIES_AT_ONCE = 200
"""Copies compared in one step."""

_Change = watchlist_pb2.WatchlistChange


@dataclass(frozen=True, slots=True)
class _Own:
    """An own entry with its newest change."""

    row: EntryRow
    change: _Change
    taken_over: bool


class ListReconciliation:
    """For the writer's thread alone."""

    def __init__(self, *, federation: str, node: str) -> None:
        self._node = node
        self._lists = FeedOrigin(federation, node, node, Channel.LISTS)

    def advance(self, tx: Transaction, feed: Feed) -> bool:
        """Compares the next copies of an own watchlist feed that may be extended; True if there were any left."""
        done = reconciliations.of_partner(tx.conn, feed.partner)
        if done is None:
            return False
        copies = reconciliations.copies_after(tx.conn, feed.partner, ListKey(done.list, done.entry_id), COPIES_AT_ONCE)
        if not copies:
            reconciliations.end(tx.conn, feed.partner)
            list_progress.move_directory_version(tx.conn, feed.partner, 0)  # a sweep distributes what still differs
            return True
        changes = self._lost(tx, feed.partner, copies)
        for update in wire.updates(changes):
            decision = watchlist_pb2.ListDecision(decided_at=to_timestamp(tx.now_ms), actor=BY_ITSELF, restored=update)
            tx.append(self._lists, new_entry(wire.DECISION_TYPE, decision, now_ms=tx.now_ms), urgent=False)
        if changes:
            log.warning("%d entries of own lists were taken over from the copies of %s", len(changes), feed.partner)
        last = copies[-1]
        reconciliations.put(tx.conn, done._replace(list=last.list, entry_id=last.entry_id))
        return True

    def _lost(self, tx: Transaction, partner: str, copies: Sequence[CopyRow]) -> list[_Change]:
        keys = [ListKey(copy.list, copy.entry_id) for copy in copies]
        rows = watchlists.find_all(tx.conn, self._node, keys)
        newest = read_changes(tx.conn, list(rows.values()))
        told = read_copy_changes(tx.conn, copies)
        changes = []
        for key, copy in zip(keys, copies, strict=True):
            row, change = rows.get(key), told.get(key)
            own = None
            if row is not None and key in newest:
                own = _Own(row, newest[key], read_effect(tx.conn, row.feed_id, row.idx).taken_over)
            if change is not None:
                lost = self._change(tx, partner, copy, change, own)
                changes.extend([lost] if lost is not None else [])
        return changes

    def _change(self, tx: Transaction, partner: str, copy: CopyRow, told: _Change, own: _Own | None) -> _Change | None:
        """What our list takes over because of one copy."""
        state = None if own is None else _own_state(own, partner)
        match standing_of(state, _state(told)):
            case CopyStanding.LOST:
                return _taken_over(tx.conn, partner, copy, told, own)
            case CopyStanding.OVERTAKEN if own is not None:
                return _raised(own.change, above=copy.revision, now=to_timestamp(tx.now_ms))
            case CopyStanding.UNNAMED if own is not None:
                return _naming(own.change, [*own.change.entered.content.releasable_to, partner])
        return None


def _own_state(own: _Own, partner: str) -> EntryState:
    state = _state(own.change)
    named = partner in own.change.entered.content.releasable_to
    return EntryState(
        own.row.revision, state.ended, state.changed_at, state.digest, taken_over=own.taken_over, named=named
    )


def _state(change: _Change) -> EntryState:
    if change.HasField("ended"):
        ended = change.ended
        return EntryState(ended.revision, ended.end, to_ms(ended.ended_at), b"")
    entry = change.entered
    return EntryState(entry.revision, 0, to_ms(entry.published_at), wire.shared_digest(entry.content))


def _taken_over(conn: Connection, partner: str, copy: CopyRow, told: _Change, own: _Own | None) -> _Change | None:
    """The change in our list that a lost decision made.

    Recipients and sources aren't in copies. Recipients are the partners that had this revision; sources those of the
    earlier revision.
    """
    if told.HasField("ended") and told.ended.end != watchlist_pb2.WATCHLIST_END_NOT_RELEASABLE:
        return told if own is not None and not own.row.ended else None
    others = [row for row in watchlists.copies_of(conn, copy.list, copy.entry_id) if not row.ended]
    highest = max((row.revision for row in others), default=0)
    newest = [row for row in others if row.revision == highest >= copy.revision]
    if told.HasField("ended") and not newest:  # the entry goes on for somebody else, or for nobody
        return _without(own, partner, copy.revision)
    found = list(read_copy_changes(conn, newest[:1]).values())
    restored = _naming(found[0] if found else told, sorted(row.partner for row in newest) or [partner])
    if own is not None:
        before = own.change.ended if own.change.HasField("ended") else own.change.entered.content
        restored.entered.content.derived_from.extend(before.derived_from)
    return restored


def _without(own: _Own | None, partner: str, revision: int) -> _Change | None:
    if own is None or own.row.ended:
        return None
    left = [name for name in own.change.entered.content.releasable_to if name != partner]
    change = _naming(own.change, left)
    change.entered.revision = revision
    return change


def _raised(change: _Change, *, above: int, now: Timestamp) -> _Change:
    raised = _Change()
    raised.CopyFrom(change)
    raised.entered.revision = above + 1
    raised.entered.published_at.CopyFrom(now)
    return raised


def _naming(change: _Change, recipients: Sequence[str]) -> _Change:
    named = _Change()
    named.CopyFrom(change)
    named.entered.content.releasable_to[:] = recipients
    return named
