"""Alarms about feeds whose state needs an operator: quarantine, restore, fork, suspension, waiting entries, defects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.contract.ids import URGENT_ALERTS
from gateway.feed.service.alarms import FEED, FEED_DEFECT, FEED_WAITING, LINK_SUSPENDED, Alarms
from gateway.feed.tables.dispositions import DefectRow
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.plurals import counted

BLOCKED: Final = (FeedState.QUARANTINED, FeedState.BEHIND, FeedState.FORKED)
"""States in which a feed stands still until somebody acts, or a partner was asked."""

MAX_DEFECTS_SHOWN: Final = 20
"""Most alarms about single entries."""

_Messages = Mapping[str, tuple[str, int]]


def tell_of_feeds(alarms: Alarms, feeds: Sequence[Feed], defects: Iterable[DefectRow]) -> None:
    """Makes the alarms those of the feeds as they are stored now. Thread-safe."""
    for state in BLOCKED:
        alarms.keep(f"{FEED}_{state.name}", _blocked(feeds, state))
    alarms.keep(LINK_SUSPENDED, _suspended(feeds))
    alarms.keep(FEED_WAITING, _waiting(feeds))
    alarms.keep(
        FEED_DEFECT,
        {
            f"{defect.origin}#{defect.idx}": (
                f"{defect.origin}: entry {defect.idx} isn't applied: {defect.problem}",
                defect.noted_at,
            )
            for defect in defects
        },
    )


def _blocked(feeds: Iterable[Feed], state: FeedState) -> _Messages:
    return {
        feed.origin.line: (f"{feed.origin}: {feed.state_reason}", feed.state_since)
        for feed in feeds
        if feed.state is state and not _unused(feed)
    }


def _suspended(feeds: Iterable[Feed]) -> _Messages:
    """Links that an operator of this node has stopped, with the reason that was given."""
    return {
        feed.origin.line: (f"{feed.origin} is suspended here: {feed.suspension}", feed.suspended_since)
        for feed in feeds
        if feed.suspended and feed.state is not FeedState.CLOSED
    }


def _unused(feed: Feed) -> bool:
    """Whether a feed is blocked by a restore alone, and its recipient has never opened it."""
    return feed.origin.channel in URGENT_ALERTS and feed.state is FeedState.BEHIND and not feed.accepted_at


def _waiting(feeds: Iterable[Feed]) -> _Messages:
    """Describes partners' waiting entries; own feeds' are in their state."""
    by_origin = {feed.origin: feed for feed in feeds}
    messages = {}
    for feed in by_origin.values():
        if feed.waiting and feed.direction == "in" and feed.state is not FeedState.CLOSED:
            awaited = [
                f"{counted(other.awaited_size, 'entry')} of {origin}, of which {other.journaled_size} are applied here"
                for origin in feed.origin.related
                if (other := by_origin.get(origin)) is not None and other.awaited_size > other.journaled_size
            ]
            messages[feed.origin.line] = (
                f"{feed.origin}: entries wait, {feed.waiting} from {feed.journaled_size} on: they come after "
                f"{' and '.join(awaited)}. If this node was restored: gateway recover {feed.origin.reverse}",
                0,
            )
    return messages
