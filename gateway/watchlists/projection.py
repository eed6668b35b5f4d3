"""Watchlists as a projection: what decisions, and what partners send, make of the lists that this node holds.

First its changes get a place in this node's order of changes (a decision, an update of a partner); then, one update
after the other, they take effect. So the approval of a million changes is one entry, and never one transaction of a
million rows in which an alert would have to wait.

Runs in the writer's transactions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from gateway.alerts import tables as alerts
from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.timestamps import to_ms
from gateway.db.database import savepoint
from gateway.errors import InvalidRequestError, MalformedError, StoreUnavailableError, Violation
from gateway.feed.codec import parse_header
from gateway.feed.service.writer import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import Feed
from gateway.feed.tables.journal import HeadMovedError
from gateway.trust.service.agreements import Agreements
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.rules.policies import ProposalState
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables.lists import ChangeRow, CopyRow, EntryRow, HitRow, ProposalRow

log = logging.getLogger(__name__)


class ListProjection:
    """Builds the lists. Used by the writer's thread alone."""

    def __init__(self, agreements: Agreements) -> None:
        self._agreements = agreements

    def require_allowed(self, update: watchlist_pb2.WatchlistUpdate, origin: FeedOrigin, *, at_ms: int) -> None:
        """Raises unless the agreement lets a partner's update come here.

        Raises:
            AgreementForbidsError, InvalidRequestError: as `Agreements.require`; of fields all that aren't allowed.
        """
        found: list[Violation] = []
        unrestricted: dict[str, bool] = {}
        for at, change in enumerate(update.changes):
            if change.WhichOneof("change") != "entered":
                continue  # the end of an entry always gets through
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
                found.extend(error.violations)
        if found:
            raise InvalidRequestError(found)

    def take_update(
        self, tx: Transaction, feed: Feed, index: int, update: watchlist_pb2.WatchlistUpdate, *, committed_at: int
    ) -> None:
        """An update in a watchlist feed: a partner's takes its place; an own one is what the partner was told."""
        if feed.direction == "in":
            self.require_allowed(update, feed.origin, at_ms=committed_at)
            watchlists.add_changes(tx.conn, [(feed.id, index)], committed_at=committed_at)
        else:
            watchlists.put_copies(tx.conn, _copies(feed, index, update))

    def take_hit(self, tx: Transaction, feed: Feed, index: int, hit: watchlist_pb2.WatchlistHit, *, at_ms: int) -> None:
        """A hit: on an own entry, reported by a partner or met here; or an own report on a partner's entry.

        Raises:
            MalformedError: it isn't on an entry of the one whom it is told.
            AgreementForbidsError, InvalidRequestError: the agreement doesn't allow it.
        """
        origin = feed.origin
        if hit.entry.publisher != origin.recipient:
            raise MalformedError(f"a hit in {origin} is on an entry of {hit.entry.publisher}")
        if feed.direction == "in":
            self._agreements.require(
                hit,
                sender=origin.publisher,
                recipient=origin.recipient,
                purpose=hit.purpose,
                at_ms=at_ms,
                prefix="hit.",
                message_type=wire.EVENT_TYPE,
            )
            # By what it was told, which is in the journal's order as the hit is; the lists themselves come later.
            if not watchlists.find_copies(tx.conn, origin.publisher, hit.entry.list, [hit.entry.id]):
                raise MalformedError(f"{origin.publisher} was never told of an entry {hit.entry.list}/{hit.entry.id}")
        before = watchlists.hit(tx.conn, origin.publisher, hit.hit_id)
        if before is not None:
            raise MalformedError(f"hit {hit.hit_id} was reported before")
        row = HitRow(hit.hit_id, origin.publisher, hit.entry.publisher, hit.entry.list, hit.entry.id, 0, feed.id, index)
        watchlists.put_hit(tx.conn, row)

    def take_outcome(self, tx: Transaction, feed: Feed, outcome: watchlist_pb2.WatchlistHitOutcome) -> None:
        """What the owner of an entry says of a hit on it.

        Raises:
            MalformedError: there is no such hit, or it is on somebody else's entry.
        """
        row = watchlists.hit(tx.conn, feed.origin.recipient, outcome.hit_id)
        if row is None or row.publisher != feed.origin.publisher:
            raise MalformedError(f"there is no hit {outcome.hit_id} on an entry of {feed.origin.publisher}")
        watchlists.put_hit(tx.conn, replace(row, outcome=outcome.outcome))

    def take_decision(
        self, tx: Transaction, feed: Feed, index: int, decision: watchlist_pb2.ListDecision, *, committed_at: int
    ) -> None:
        """An entry of the own lists feed.

        Raises:
            MalformedError: it speaks of a proposal that isn't there.
        """
        match decision.WhichOneof("decision"):
            case "published":
                watchlists.add_changes(tx.conn, [(feed.id, index)], committed_at=committed_at)
            case "proposed":
                _take_part(tx.conn, feed, index, decision)
            case "approved":
                _decide(tx.conn, decision.approved.proposal_id, ProposalState.APPROVED)
                parts = watchlists.parts_of(tx.conn, decision.approved.proposal_id)
                watchlists.add_changes(tx.conn, parts, committed_at=committed_at)
            case "rejected":
                _decide(tx.conn, decision.rejected.proposal_id, ProposalState.REJECTED)
            case "hit":
                self.take_hit(tx, feed, index, decision.hit, at_ms=committed_at)
            case "outcome":
                self.take_outcome(tx, feed, decision.outcome)

    def advance(self, tx: Transaction) -> bool:
        """Lets the next update take effect; True when there was one."""
        following = watchlists.changes_after(tx.conn, watchlists.applied(tx.conn), 1)
        if not following:
            return False
        (change,) = following
        try:
            with savepoint(tx.conn):
                self._apply(tx, change)
        except (StoreUnavailableError, HeadMovedError):
            raise
        except Exception as defect:
            log.exception("the update in entry %d of %s has no effect: a defect", change.idx, change.origin)
            alerts.add_defect(tx.conn, change.feed_id, change.idx, type(defect).__name__, noted_at=tx.now_ms)
            watchlists.put_without_effect(tx.conn, change.seq, watchlists.ALL)
        watchlists.move_applied(tx.conn, change.seq)
        return True

    def _apply(self, tx: Transaction, change: ChangeRow) -> None:
        origin = FeedOrigin.parse(change.origin)
        update = read_update(tx.conn, change.feed_id, change.idx)
        own = origin.channel is Channel.LISTS
        keyed = [(wire.key_of(one), one) for one in update.changes]
        # A partner's entry is what it says now, whatever it was; only an end speaks of what was there.
        needed = (key for key, one in keyed if own or one.WhichOneof("change") == "ended")
        known = watchlists.find_all(tx.conn, origin.publisher, needed)
        rows: dict[ListKey, EntryRow] = {}
        idle: list[str] = []
        for ordinal, (key, one) in enumerate(keyed):
            before = rows.get(key) or known.get(key)
            row = _row(origin.publisher, one, change, ordinal, before, own=own)
            if own and not _follows(row, before):
                log.warning("a change of %s/%s was overtaken by another one and has no effect", key.list, key.entry_id)
                row = None
            if row is None:
                idle.append(str(ordinal))
            else:
                rows[key] = row
        if idle:
            watchlists.put_without_effect(tx.conn, change.seq, ",".join(idle))
        watchlists.put(tx.conn, sorted(rows.values()))


def read_update(conn: Connection, feed_id: int, index: int) -> watchlist_pb2.WatchlistUpdate:
    """The changes in one entry of a feed; none when it was erased."""
    (entry,) = feeds.read_entries(conn, feed_id, index, index + 1)
    if not entry.payload:
        return watchlist_pb2.WatchlistUpdate()
    return wire.update_in(parse_header(entry.header).type, entry.payload)


def read_changes(conn: Connection, rows: Sequence[EntryRow]) -> dict[ListKey, watchlist_pb2.WatchlistChange]:
    """The newest change of entries of one publisher, each payload read once; erased ones are left out."""
    places: dict[tuple[int, int], list[EntryRow]] = {}
    for row in rows:
        places.setdefault((row.feed_id, row.idx), []).append(row)
    found = {}
    for (feed_id, index), at_place in places.items():
        update = read_update(conn, feed_id, index)
        for row in at_place:
            if row.ordinal < len(update.changes):
                found[ListKey(row.list, row.entry_id)] = update.changes[row.ordinal]
    return found


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
            return None  # the end of what never came
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


def _follows(row: EntryRow | None, before: EntryRow | None) -> bool:
    """Whether an own change is about the present revision: each entered one has the next, an end has the last."""
    if row is None:
        return False
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
    before = watchlists.proposal(conn, part.proposal_id)
    row = before or ProposalRow(
        part.proposal_id, part.list, decision.actor, part.note, to_ms(decision.decided_at), 0, ProposalState.OPEN.value
    )
    if row.state != ProposalState.OPEN.value:
        raise MalformedError(f"a part of proposal {part.proposal_id} comes after it was {row.state}")
    state = ProposalState.COMPLETE if part.complete else ProposalState.OPEN
    changes = row.changes + len(part.update.changes)
    watchlists.put_proposal(conn, replace(row, changes=changes, state=state.value))
    watchlists.add_part(conn, part.proposal_id, feed.id, index)


def _decide(conn: Connection, proposal_id: str, state: ProposalState) -> None:
    row = watchlists.proposal(conn, proposal_id)
    undecided = (ProposalState.COMPLETE, *([ProposalState.OPEN] if state is ProposalState.REJECTED else []))
    if row is None or row.state not in undecided:
        raise MalformedError(f"proposal {proposal_id} doesn't wait for a decision")
    watchlists.put_proposal(conn, replace(row, state=state.value))
