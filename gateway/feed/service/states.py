"""Changes the states of feeds: blocked, suspended, forced on, given up, declared new."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from gateway.contract.ids import KEPT, FeedOrigin
from gateway.feed.service import local_log
from gateway.feed.service.continuity.own_history import UNCOMPARED
from gateway.feed.service.writing.transaction import Transaction, waiting_reason
from gateway.feed.tables import feeds, journal
from gateway.feed.tables.feeds import Feed, FeedState

log = logging.getLogger(__name__)


class StateCommand:
    """Changes a feed's state.

    An own feed with pending entries stays BEHIND: new ones would be evaluated without them.
    """

    weight = 1

    def __init__(self, origin: FeedOrigin, state: FeedState, reason: str) -> None:
        self._origin = origin
        self._state = state
        self._reason = reason

    def execute(self, tx: Transaction) -> Feed:
        feed = feeds.ensure(tx.conn, self._origin, tx.own_node)
        state, reason = self._state, self._reason
        if state is FeedState.ACTIVE and feed.waiting and feed.direction == "out":
            state, reason = FeedState.BEHIND, waiting_reason(feed)
        elif state is FeedState.ACTIVE and tx.history is not None and feed.direction == "out":
            obstacle = tx.history.confirm(tx.conn, feed, tx.now_ms)
            if obstacle is not None:
                state, reason = obstacle.state, obstacle.reason
        if feed.state is FeedState.CLOSED or (feed.state, feed.state_reason) == (state, reason):
            return feed
        if feed.state in (FeedState.BEHIND, FeedState.FORKED) and state is FeedState.ACTIVE:
            _project_unanswered(tx, feed)
        since = feed.state_since if feed.state is state else tx.now_ms
        feeds.set_state(tx.conn, feed.id, state, reason=reason, since=since)
        tx.touched.add(self._origin)
        return feeds.get(tx.conn, self._origin)


class SuspensionCommand:
    """Suspends a feed, or resumes it if the reason is empty."""

    weight = 1

    def __init__(self, origin: FeedOrigin, reason: str) -> None:
        self._origin = origin
        self._reason = reason

    def execute(self, tx: Transaction) -> Feed:
        feed = feeds.ensure(tx.conn, self._origin, tx.own_node)
        if feed.suspension == self._reason:
            return feed
        feeds.set_suspension(tx.conn, feed.id, self._reason, since=tx.now_ms if self._reason else 0)
        tx.touched.add(self._origin)
        return feeds.get(tx.conn, self._origin)


class ForceCommand:
    """Appends pending entries of an own feed and its related feeds to the local log without their lost dependencies.

    The result is their number. Only after both sides' positions show that neither has more entries of any of them.
    """

    weight = 1

    def __init__(self, origin: FeedOrigin) -> None:
        self._origin = origin

    def execute(self, tx: Transaction) -> int:
        tx.seal()
        forced = local_log.force(tx.conn, self._origin, now_ms=tx.now_ms)
        if forced:
            tx.touched.add(self._origin)
            log.critical(
                "%d entries of %s and the feeds beside it entered the local log without their dependencies: nobody "
                "gives them back; compare the alerts concerned with %s",
                forced,
                self._origin,
                self._origin.recipient,
            )
        return forced


class GiveUpCommand:
    """Lets an own feed go on without entries that nobody holds any more; the result is their number.

    Only after all of the recipient's entries of it were fetched back.
    """

    weight = 1

    def __init__(self, origin: FeedOrigin) -> None:
        self._origin = origin

    def execute(self, tx: Transaction) -> int:
        tx.seal()
        feed = feeds.ensure(tx.conn, self._origin, tx.own_node)
        if feed.state is not FeedState.BEHIND:  # another replica has decided meanwhile
            return 0
        lost = 0 if tx.history is None else tx.history.give_up(tx.conn, feed, tx.now_ms)
        StateCommand(self._origin, FeedState.ACTIVE, "").execute(tx)
        return lost


class CloseEpochsCommand:
    """Closes feeds that go on in a later epoch by the directory, both ways; the result is their names.

    They stay as they are, and provable; only new entries go elsewhere. Entries that wait for others of a closed feed,
    which never come, enter the local log without them.
    """

    weight = 1

    def __init__(self, epoch_of: Callable[[FeedOrigin], int]) -> None:
        self._epoch_of = epoch_of

    def execute(self, tx: Transaction) -> list[FeedOrigin]:
        closed = []
        for feed in feeds.list_all(tx.conn):
            epoch = self._epoch_of(feed.origin)
            if feed.origin.channel in KEPT or feed.origin.epoch >= epoch or feed.state is FeedState.CLOSED:
                continue
            reason = f"it goes on in epoch {epoch}"
            if feed.state is not FeedState.ACTIVE:
                reason = f"it goes on in epoch {epoch}; before: {feed.state_reason}"
            feeds.set_state(tx.conn, feed.id, FeedState.CLOSED, reason=reason, since=tx.now_ms)
            tx.touched.add(feed.origin)
            closed.append(feed.origin)
            log.warning("feed %s is closed at %d: %s", feed.origin, feed.size, reason)
        for origin in closed:
            if origin.publisher == tx.own_node:
                ForceCommand(origin).execute(tx)
        return closed


class FollowMembersCommand:
    """Closes feeds to and from former members, and opens them again once these are back.

    A feed in quarantine or with two histories keeps that state, and what proves it. One that opens again is compared
    with the marks before anything is appended; in a later epoch it stays closed.
    """

    weight = 1

    def __init__(self, why_no_member: Callable[[FeedOrigin], str], epoch_of: Callable[[FeedOrigin], int]) -> None:
        """`why_no_member`: a sentence for a feed of which one node is a former member; empty for others."""
        self._why_no_member = why_no_member
        self._epoch_of = epoch_of

    def execute(self, tx: Transaction) -> None:
        for feed in feeds.list_all(tx.conn):
            if feed.origin.channel in KEPT or feed.origin.epoch < self._epoch_of(feed.origin):
                continue
            reason = self._why_no_member(feed.origin)
            if reason and feed.state in (FeedState.ACTIVE, FeedState.BEHIND):
                feeds.set_state(tx.conn, feed.id, FeedState.CLOSED, reason=reason, since=tx.now_ms)
                log.warning("feed %s is closed at %d: %s", feed.origin, feed.size, reason)
            elif not reason and feed.state is FeedState.CLOSED:
                self._open_again(tx, feed)
            else:
                continue
            tx.touched.add(feed.origin)

    def _open_again(self, tx: Transaction, feed: Feed) -> None:
        state, reason = FeedState.ACTIVE, ""
        if feed.direction == "out":
            obstacle = tx.history.obstacle(tx.conn, feed) if tx.history is not None else None
            if obstacle is not None:
                state, reason = obstacle.state, obstacle.reason
            elif tx.history is not None and feed.origin in tx.history.marks.state.unasked:
                state, reason = FeedState.BEHIND, UNCOMPARED
            elif feed.waiting:
                state, reason = FeedState.BEHIND, waiting_reason(feed)
            else:
                _project_unanswered(tx, feed)
        feeds.set_state(tx.conn, feed.id, state, reason=reason, since=tx.now_ms)
        log.warning("feed %s is open again at %d: %s", feed.origin, feed.size, reason or "its nodes are members")


class DeclareNewCommand:
    """Takes an operator's word that nothing was ever published on own feeds; the result is the feeds it unblocked.

    Only for feeds whose recipient hasn't answered yet: what it has said counts more.
    """

    weight = 1

    def __init__(self, origins: Sequence[FeedOrigin]) -> None:
        self._origins = origins

    def execute(self, tx: Transaction) -> list[FeedOrigin]:
        declared = []
        for origin in self._origins:
            feed = feeds.ensure(tx.conn, origin, tx.own_node)
            if tx.history is None or feed.state is not FeedState.BEHIND or feed.state_reason != UNCOMPARED:
                continue
            StateCommand(origin, FeedState.ACTIVE, "").execute(tx)
            declared.append(origin)
        return declared


def _project_unanswered(tx: Transaction, feed: Feed) -> None:
    """Starts a rebuild if partner entries came while our feed was blocked.

    Answers to entries that both sides lost don't count.
    """
    answered = feeds.find(tx.conn, feed.origin.reverse)
    if answered is not None:
        if answered.disposed_size > answered.size:
            feeds.set_disposed_size(tx.conn, answered.id, answered.size)
        projected = journal.size_at(tx.conn, answered.id, journal.projected_position(tx.conn))
        if projected > max(answered.disposed_size, answered.applied_size):
            tx.clear_projections()
        tx.unanswered = True
