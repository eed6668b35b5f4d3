"""Projects decisions and partners' updates into lists.

Updates get a place in the local order, then take effect one at a time: at once, unless others wait before them. So
approving a million changes takes one entry, and no transaction of a million rows delays an alert.

Runs in the writer's transactions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.messages import to_ms, to_timestamp
from gateway.db.database import savepoint
from gateway.errors import InvalidRequestError, MalformedError, StoreUnavailableError, Violation
from gateway.feed.codec import EntryFormat
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.commits import LIST_CHANGES
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import dispositions
from gateway.feed.tables.feeds import Feed
from gateway.feed.tables.journal import HeadMovedError
from gateway.persons.rules.four_eyes import ProposalState
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import feed_pb2, watchlist_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.entered_columns import EnteredColumns, columns_of, entered_keys
from gateway.watchlists.commands.distribution import DistributionState, ListDistribution
from gateway.watchlists.commands.hits import read_hit
from gateway.watchlists.rules.policies import MAX_LISTS, too_many_lists
from gateway.watchlists.service.effects import take_effect
from gateway.watchlists.service.updates import ListEffect, read_effect
from gateway.watchlists.tables import hits as hit_rows
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import matches, reconciliations
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables import proposals as proposal_rows
from gateway.watchlists.tables.hits import HitRow
from gateway.watchlists.tables.lists import ChangeRow, CopyRow
from gateway.watchlists.tables.proposals import ProposalRow
from gateway.watchlists.tables.reconciliations import ReconciliationRow
from gateway.watchlists.tables.schema import (
    list_changes,
    list_copies,
    list_entries,
    list_hits,
    list_parts,
    list_proposals,
    list_revisions,
)

log = logging.getLogger(__name__)


def _make_disposition(disposition: feed_pb2.Disposition, now_ms: int) -> Message:
    return watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(now_ms), disposition=disposition)


WATCHLIST_ENTRIES = EntryFormat(
    channel=Channel.WATCHLIST,
    message=watchlist_pb2.WatchlistEvent,
    items=MAX_STREAM_ITEMS,
    make_disposition=_make_disposition,
)
DECISION_ENTRIES = EntryFormat(channel=Channel.LISTS, message=watchlist_pb2.ListDecision, items=MAX_STREAM_ITEMS)


class ListProjection(Projection):
    """Projects lists, proposals, hits and partners' copies."""

    formats = (WATCHLIST_ENTRIES, DECISION_ENTRIES)
    tables = (list_changes, list_entries, list_revisions, list_proposals, list_parts, list_copies, list_hits)

    def __init__(self, distribution: ListDistribution, *, directory: Callable[[], Directory]) -> None:
        self._agreements = Agreements(directory, recorded=True)
        self._directory = directory
        self._distribution = distribution
        # Progress read from the database when no work was left: memory outlives a failed commit.
        self._finished: tuple[Any, ...] | None = None

    def clear(self, conn: Connection) -> None:
        """Own entries restore partners' copies."""
        super().clear(conn)
        list_progress.move_applied(conn, 0)
        matches.restart_search(conn)

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Raises MalformedError, AgreementForbidsError or InvalidRequestError."""
        feed, index, at_ms, event = entry.feed, entry.index, entry.committed_at, entry.event
        if isinstance(event, watchlist_pb2.ListDecision):
            self._take_decision(tx, entry, event)
        elif isinstance(event, watchlist_pb2.WatchlistEvent):
            match event.WhichOneof("event"):
                case "update":
                    self._take_update(tx, entry, event)
                case "hit":
                    self._take_hit(tx, feed, index, event.hit, at_ms=at_ms)
                case "outcome":
                    self._take_outcome(tx, feed, index, event.outcome, at_ms=at_ms)

    def has_applied(self, conn: Connection, feed_id: int, index: int) -> bool:
        """Whether the update has a place in the local order."""
        return watchlists.has_change(conn, feed_id, index)

    def _require_allowed(
        self, update: watchlist_pb2.WatchlistUpdate, columns: EnteredColumns, origin: FeedOrigin, *, at_ms: int
    ) -> None:
        """Raises as `Agreements.require`, with all violations; an end is always allowed."""
        violations: list[Violation] = []
        restricted = {
            purpose
            for purpose in set(columns.purposes)
            if not self._agreements.unrestricted(
                sender=origin.publisher,
                recipient=origin.recipient,
                purpose=purpose,
                at_ms=at_ms,
                message_type=wire.EVENT_TYPE,
            )
        }
        if not restricted:
            return
        for at, purpose in zip(columns.ordinals, columns.purposes, strict=True):
            if purpose not in restricted:
                continue
            try:
                self._agreements.require(
                    update.changes[at].entered.content,
                    sender=origin.publisher,
                    recipient=origin.recipient,
                    purpose=purpose,
                    at_ms=at_ms,
                    prefix=f"update.changes[{at}].entered.content.",
                    message_type=wire.EVENT_TYPE,
                )
            except InvalidRequestError as error:
                violations.extend(error.violations)
        if violations:
            raise InvalidRequestError(violations)

    def _take_update(self, tx: Transaction, entry: LoggedEntry, event: watchlist_pb2.WatchlistEvent) -> None:
        """Orders a partner's update; an own update becomes the partner's copy.

        One whose times differ wasn't distributed in its transaction: it came back, and our list may lack it.
        """
        feed, update = entry.feed, event.update
        if feed.direction == "in":
            columns = columns_of(update)
            if watchlists.names_beyond(tx.conn, feed.origin.publisher, columns.lists, MAX_LISTS):
                raise too_many_lists("update.changes")
            self._require_allowed(update, columns, feed.origin, at_ms=entry.committed_at)
            self._take_place(tx, entry, ListEffect(update), columns)
            return
        watchlists.put_copies(tx.conn, _copies(feed, entry.index, update))
        if entry.committed_at != to_ms(event.occurred_at):
            reconciliations.put(tx.conn, ReconciliationRow(feed.partner))

    def _take_hit(
        self, tx: Transaction, feed: Feed, index: int, hit: watchlist_pb2.WatchlistHit, *, at_ms: int
    ) -> None:
        """Records a hit on an own or a partner's entry.

        Raises:
            MalformedError: the entry isn't the recipient's.
            AgreementForbidsError, InvalidRequestError: the agreement forbids it.
        """
        origin = feed.origin
        if hit.entry.publisher != origin.recipient:
            raise MalformedError(f"a hit in {origin} is on an entry of {hit.entry.publisher}")
        if feed.direction == "in":
            self._agreements.require_hit_report(
                hit,
                owner=origin.recipient,
                reporter=origin.publisher,
                purpose=hit.purpose,
                at_ms=at_ms,
                prefix="hit.",
            )
            # Copies follow the journal's order as the hit does; lists take effect later.
            if not watchlists.find_copies(tx.conn, origin.publisher, hit.entry.list, [hit.entry.id]):
                raise MalformedError(f"{origin.publisher} was never told of an entry {hit.entry.list}/{hit.entry.id}")
        before = hit_rows.hit(tx.conn, origin.publisher, hit.hit_id)
        if before is not None:
            raise MalformedError(f"hit {hit.hit_id} was reported before")
        row = HitRow(hit.hit_id, origin.publisher, hit.entry.publisher, hit.entry.list, hit.entry.id, 0, feed.id, index)
        hit_rows.put_hit(tx.conn, row)

    def _take_outcome(
        self, tx: Transaction, feed: Feed, index: int, outcome: watchlist_pb2.WatchlistHitOutcome, *, at_ms: int
    ) -> None:
        """Records the outcome.

        Raises:
            MalformedError: the entry isn't the publisher's.
            AgreementForbidsError, InvalidRequestError: the agreement forbids it.
        """
        row = hit_rows.hit(tx.conn, feed.origin.recipient, outcome.hit_id)
        if row is None or row.publisher != feed.origin.publisher:
            raise MalformedError(f"there is no hit {outcome.hit_id} on an entry of {feed.origin.publisher}")
        if feed.direction == "in":
            self._agreements.require(
                outcome,
                sender=feed.origin.publisher,
                recipient=feed.origin.recipient,
                purpose=read_hit(tx.conn, row.feed_id, row.idx).purpose,
                at_ms=at_ms,
                prefix="outcome.",
                message_type=wire.EVENT_TYPE,
            )
        hit_rows.put_hit(tx.conn, row.answered(outcome.outcome, feed.id, index))

    def _take_decision(self, tx: Transaction, entry: LoggedEntry, decision: watchlist_pb2.ListDecision) -> None:
        """Applies an own decision; raises MalformedError if its proposal isn't in the right state."""
        feed, index, committed_at = entry.feed, entry.index, entry.committed_at
        match decision.WhichOneof("decision"):
            case "published" | "restored":
                self._take_place(tx, entry, ListEffect(wire.update_of(decision), decision.HasField("restored")))
            case "proposed":
                _take_part(tx.conn, feed, index, decision)
            case "approved":
                _decide(tx.conn, decision.approved.proposal_id, ProposalState.APPROVED)
                parts = proposal_rows.parts_of(tx.conn, decision.approved.proposal_id)
                watchlists.add_changes(tx.conn, parts, committed_at=committed_at)
                tx.topics.add(LIST_CHANGES)
            case "rejected":
                _decide(tx.conn, decision.rejected.proposal_id, ProposalState.REJECTED)
            case "hit":
                self._take_hit(tx, feed, index, decision.hit, at_ms=committed_at)
            case "outcome":
                self._take_outcome(tx, feed, index, decision.outcome, at_ms=committed_at)

    def advance(self, tx: Transaction) -> bool:
        """Applies one update, or distributes one to a partner; True for more."""
        last, returned = watchlists.last_seq(tx.conn), reconciliations.under_way(tx.conn)
        if not last and not returned:
            return False
        state = (last, returned, list_progress.of_projection(tx.conn), self._directory())
        if state == self._finished:
            return False
        if self._apply_next(tx):
            return True
        distribution = self._distribution.advance(tx)
        self._finished = None if distribution is not DistributionState.FINISHED else state
        return distribution is DistributionState.MORE

    def _take_place(
        self, tx: Transaction, entry: LoggedEntry, effect: ListEffect, columns: EnteredColumns | None = None
    ) -> None:
        """Orders an update; it takes effect now, with what was read already, unless others wait before it."""
        place = ChangeRow(
            watchlists.last_seq(tx.conn) + 1, entry.feed.origin.line, entry.feed.id, entry.index, entry.committed_at
        )
        watchlists.add_changes(tx.conn, [(place.feed_id, place.idx)], committed_at=place.committed_at)
        tx.topics.add(LIST_CHANGES)
        if list_progress.applied(tx.conn) == place.seq - 1:
            _give_effect(tx, place, effect, columns)

    def _apply_next(self, tx: Transaction) -> bool:
        """Applies the next update; True if there was one."""
        following = watchlists.changes_after(tx.conn, list_progress.applied(tx.conn), 1)
        for change in following:
            _give_effect(tx, change)
        return bool(following)


def _give_effect(
    tx: Transaction, change: ChangeRow, effect: ListEffect | None = None, columns: EnteredColumns | None = None
) -> None:
    """Gives the next update its effect; reads it unless it is known."""
    try:
        with savepoint(tx.conn):
            if effect is None:
                effect = read_effect(tx.conn, change.feed_id, change.idx)
            take_effect(tx.conn, change, effect, columns)
    except (StoreUnavailableError, HeadMovedError):
        raise
    except Exception as defect:
        log.exception("the update in entry %d of %s has no effect: a defect", change.idx, change.origin)
        dispositions.add_defect(tx.conn, change.feed_id, change.idx, type(defect).__name__, noted_at=tx.now_ms)
        watchlists.put_without_effect(tx.conn, change.seq, watchlists.ALL)
    list_progress.move_applied(tx.conn, change.seq)


def _copies(feed: Feed, index: int, update: watchlist_pb2.WatchlistUpdate) -> list[CopyRow]:
    keyed = entered_keys(update)
    if keyed is not None and len({(name, entry_id) for name, entry_id, _ in keyed}) == len(keyed):
        recipient, feed_id = feed.origin.recipient, feed.id
        return [CopyRow(recipient, *key, 0, feed_id, index) for key in sorted(keyed)]
    rows = {}
    for change in update.changes:
        entered = change.WhichOneof("change") == "entered"
        about = change.entered if entered else change.ended
        ended = 0 if entered else change.ended.end
        rows[about.list, about.id] = CopyRow(
            feed.origin.recipient, about.list, about.id, about.revision, ended, feed.id, index
        )
    return [rows[key] for key in sorted(rows)]


def _take_part(conn: Connection, feed: Feed, index: int, decision: watchlist_pb2.ListDecision) -> None:
    part = decision.proposed
    before = proposal_rows.proposal(conn, part.proposal_id)
    row = before or ProposalRow(
        part.proposal_id, part.list, decision.actor, part.note, to_ms(decision.decided_at), 0, ProposalState.OPEN.value
    )
    if row.state != ProposalState.OPEN.value:
        raise MalformedError(f"a part of proposal {part.proposal_id} comes after it was {row.state}")
    state = ProposalState.COMPLETE if part.complete else ProposalState.OPEN
    changes = row.changes + len(part.update.changes)
    proposal_rows.put_proposal(conn, replace(row, changes=changes, state=state.value))
    proposal_rows.add_part(conn, part.proposal_id, feed.id, index)


def _decide(conn: Connection, proposal_id: str, state: ProposalState) -> None:
    row = proposal_rows.proposal(conn, proposal_id)
    undecided = (ProposalState.COMPLETE, *([ProposalState.OPEN] if state is ProposalState.REJECTED else []))
    if row is None or row.state not in undecided:
        raise MalformedError(f"proposal {proposal_id} doesn't wait for a decision")
    proposal_rows.put_proposal(conn, replace(row, state=state.value))
    proposal_rows.release_changes(conn, proposal_id)
