"""Projects decisions and partners' updates into lists.

Updates get a place in the local order, then take effect one at a time. So approving a million changes takes one entry,
and no transaction of a million rows delays an alert.

Runs in the writer's transactions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.timestamps import to_ms, to_timestamp
from gateway.db.database import savepoint
from gateway.errors import InvalidRequestError, MalformedError, StoreUnavailableError, Violation
from gateway.feed.codec import EntryFormat
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import defects
from gateway.feed.tables.feeds import Feed
from gateway.feed.tables.journal import HeadMovedError
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import feed_pb2, watchlist_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.commands.distribution import DistributionState, ListDistribution
from gateway.watchlists.commands.hits import read_hit
from gateway.watchlists.rules.policies import MAX_LISTS, ProposalState, too_many_lists
from gateway.watchlists.service.updates import read_effect
from gateway.watchlists.tables import hits as hit_rows
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import matches, reconciliations
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables import proposals as proposal_rows
from gateway.watchlists.tables.hits import HitRow
from gateway.watchlists.tables.lists import ChangeRow, CopyRow, EntryRow
from gateway.watchlists.tables.proposals import ProposalRow
from gateway.watchlists.tables.reconciliations import ReconciliationRow
from gateway.watchlists.tables.schema import (
    list_changes,
    list_copies,
    list_entries,
    list_hits,
    list_parts,
    list_proposals,
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
    tables = (list_changes, list_entries, list_proposals, list_parts, list_copies, list_hits)

    def __init__(self, distribution: ListDistribution, *, directory: Callable[[], Directory]) -> None:
        self._agreements = Agreements(directory)
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
            self._take_decision(tx, feed, index, event, committed_at=at_ms)
        elif isinstance(event, watchlist_pb2.WatchlistEvent):
            match event.WhichOneof("event"):
                case "update":
                    self._take_update(tx, entry, event)
                case "hit":
                    self._take_hit(tx, feed, index, event.hit, at_ms=at_ms)
                case "outcome":
                    self._take_outcome(tx, feed, event.outcome, at_ms=at_ms)

    def has_applied(self, conn: Connection, feed_id: int, index: int) -> bool:
        """Whether the update has a place in the local order."""
        return watchlists.has_change(conn, feed_id, index)

    def _require_allowed(self, update: watchlist_pb2.WatchlistUpdate, origin: FeedOrigin, *, at_ms: int) -> None:
        """Raises as `Agreements.require`, with all violations."""
        violations: list[Violation] = []
        unrestricted: dict[str, bool] = {}
        for at, change in enumerate(update.changes):
            if change.WhichOneof("change") != "entered":
                continue  # an end is always allowed
            content = change.entered.content
            purpose = content.purpose
            if purpose not in unrestricted:
                unrestricted[purpose] = self._agreements.unrestricted(
                    sender=origin.publisher,
                    recipient=origin.recipient,
                    purpose=purpose,
                    at_ms=at_ms,
                    message_type=wire.EVENT_TYPE,
                )
            if unrestricted[purpose]:
                continue
            try:
                self._agreements.require(
                    content,
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

        One whose times differ wasn't distributed in its transaction: it came back, and the own list may lack it.
        """
        feed, update = entry.feed, event.update
        if feed.direction == "in":
            _require_few_lists(tx.conn, feed.origin.publisher, update)
            self._require_allowed(update, feed.origin, at_ms=entry.committed_at)
            watchlists.add_changes(tx.conn, [(feed.id, entry.index)], committed_at=entry.committed_at)
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
        self, tx: Transaction, feed: Feed, outcome: watchlist_pb2.WatchlistHitOutcome, *, at_ms: int
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
        hit_rows.put_hit(tx.conn, replace(row, outcome=outcome.outcome))

    def _take_decision(
        self, tx: Transaction, feed: Feed, index: int, decision: watchlist_pb2.ListDecision, *, committed_at: int
    ) -> None:
        """Applies an own decision; raises MalformedError if its proposal isn't in the right state."""
        match decision.WhichOneof("decision"):
            case "published" | "restored":
                watchlists.add_changes(tx.conn, [(feed.id, index)], committed_at=committed_at)
            case "proposed":
                _take_part(tx.conn, feed, index, decision)
            case "approved":
                _decide(tx.conn, decision.approved.proposal_id, ProposalState.APPROVED)
                parts = proposal_rows.parts_of(tx.conn, decision.approved.proposal_id)
                watchlists.add_changes(tx.conn, parts, committed_at=committed_at)
            case "rejected":
                _decide(tx.conn, decision.rejected.proposal_id, ProposalState.REJECTED)
            case "hit":
                self._take_hit(tx, feed, index, decision.hit, at_ms=committed_at)
            case "outcome":
                self._take_outcome(tx, feed, decision.outcome, at_ms=committed_at)

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

    def _apply_next(self, tx: Transaction) -> bool:
        """Applies the next update; True if there was one."""
        following = watchlists.changes_after(tx.conn, list_progress.applied(tx.conn), 1)
        if not following:
            return False
        (change,) = following
        try:
            with savepoint(tx.conn):
                self._take_effect(tx, change)
        except (StoreUnavailableError, HeadMovedError):
            raise
        except Exception as defect:
            log.exception("the update in entry %d of %s has no effect: a defect", change.idx, change.origin)
            defects.add(tx.conn, change.feed_id, change.idx, type(defect).__name__, noted_at=tx.now_ms)
            watchlists.put_without_effect(tx.conn, change.seq, watchlists.ALL)
        list_progress.move_applied(tx.conn, change.seq)
        return True

    def _take_effect(self, tx: Transaction, place: ChangeRow) -> None:
        origin = FeedOrigin.parse(place.origin)
        update, taken_over = read_effect(tx.conn, place.feed_id, place.idx)
        own = origin.channel is Channel.LISTS
        keyed = [(wire.key_of(change), change) for change in update.changes]
        # A partner's entry replaces any earlier revision; only its end needs the earlier row.
        needed = (key for key, change in keyed if own or change.WhichOneof("change") == "ended")
        known = watchlists.find_all(tx.conn, origin.publisher, needed)
        rows: dict[ListKey, EntryRow] = {}
        idle: list[str] = []
        # Updates may have come before the lists of earlier ones took effect.
        beyond = watchlists.names_beyond(tx.conn, origin.publisher, _lists_entered(update), MAX_LISTS)
        for ordinal, (key, change) in enumerate(keyed):
            before = rows.get(key) or known.get(key)
            if key.list in beyond:
                idle.append(str(ordinal))
                continue
            row = _row(origin.publisher, change, place, ordinal, before, own=own)
            if own and not _follows(row, before, taken_over=taken_over):
                # by its place: the list may be hidden from those who read the log
                text = "change %d in entry %d of %s was overtaken by another one and has no effect"
                log.warning(text, ordinal, place.idx, place.origin)
                row = None
            if row is None:
                idle.append(str(ordinal))
            else:
                rows[key] = row
        if beyond:
            log.warning("entry %d of %s names lists beyond the %d of a publisher", place.idx, place.origin, MAX_LISTS)
        if idle:
            watchlists.put_without_effect(tx.conn, place.seq, ",".join(idle))
        watchlists.put(tx.conn, sorted(rows.values()))


def _lists_entered(update: watchlist_pb2.WatchlistUpdate) -> Iterator[str]:
    return (change.entered.list for change in update.changes if change.WhichOneof("change") == "entered")


def _require_few_lists(conn: Connection, publisher: str, update: watchlist_pb2.WatchlistUpdate) -> None:
    if watchlists.names_beyond(conn, publisher, _lists_entered(update), MAX_LISTS):
        raise too_many_lists("update.changes")


def _row(
    publisher: str,
    change: watchlist_pb2.WatchlistChange,
    place: ChangeRow,
    ordinal: int,
    before: EntryRow | None,
    *,
    own: bool,
) -> EntryRow | None:
    if change.WhichOneof("change") == "ended":
        if before is None:
            return None  # the end of an unknown entry
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


def _copies(feed: Feed, index: int, update: watchlist_pb2.WatchlistUpdate) -> list[CopyRow]:
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
