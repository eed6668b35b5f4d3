"""Chooses the feed of each entry by the alert's priority, and says what the entry depends on in other feeds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.alerts.tables import events
from gateway.alerts.tables.copies import AlertRow
from gateway.contract.ids import ALERT_CHANNELS, URGENT_ALERTS, Channel, FeedOrigin
from gateway.feed.codec import CausalDependency
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import Feed
from gateway.v1 import alert_pb2


def channel_of(priority: alert_pb2.Priority.ValueType) -> Channel:
    """The channel of a new alert."""
    return Channel.ALERTS_A if priority == alert_pb2.PRIORITY_A else Channel.ALERTS


def accepted_feed(tx: Transaction, origin: FeedOrigin) -> FeedOrigin:
    """The feed, or that of all alerts where the recipient hasn't opened it: its gateway may not know the channel."""
    if origin.channel not in URGENT_ALERTS or tx.is_accepted(origin):
        return origin
    return replace(origin, channel=Channel.ALERTS)


@dataclass(frozen=True, slots=True)
class StepPlace:
    """Where a step goes, and what it comes after.

    Attributes:
        follows, after: as in the contract's EntryHeader.
    """

    origin: FeedOrigin
    follows: int
    after: tuple[CausalDependency, ...]


def place_step(tx: Transaction, own: FeedOrigin, row: AlertRow, priority: str) -> StepPlace:
    """Places a step on a projected alert, in a feed of the more urgent of its priorities before and after the step.

    While an own entry of the alert has no receipt, the step goes into that entry's feed: in a more urgent one it would
    arrive first, wait there for that entry, and keep urgent alerts behind it waiting.

    Args:
        own: an own feed of alerts to the partner.
        priority: the alert's after the step.
    """
    wanted = replace(own, channel=Channel.ALERTS_A if "A" in (priority, row.priority) else Channel.ALERTS)
    # What the closed feeds of an earlier epoch have, both sides have applied, or one of them never gets.
    newest = {feed.origin: (feed, index) for feed, index in _newest_entries(tx, row) if feed.origin.epoch == own.epoch}
    mine = [(feed, index) for feed, index in newest.values() if feed.direction == "out"]
    unreceipted = [feed.origin for feed, index in mine if index >= feed.receipted_size]
    origin = accepted_feed(tx, wanted)
    if unreceipted and origin not in unreceipted:
        origin = unreceipted[-1]
    after = tuple(
        CausalDependency(reverse=feed.direction == "in", channel=feed.origin.channel, size=index + 1)
        for feed, index in newest.values()
        if feed.origin not in (origin, origin.reverse)
    )
    return StepPlace(origin, feeds.journaled_size_of(tx.conn, origin.reverse), after)


def require_extensible_feeds(tx: Transaction, own: FeedOrigin) -> None:
    """Requires that no own feed to the partner misses entries: a step would be evaluated without them.

    Raises:
        FeedBehindError, FeedForkedError: one does.
    """
    for channel in ALERT_CHANNELS:
        origin = replace(own, channel=channel)
        if channel not in URGENT_ALERTS or tx.is_accepted(origin):
            tx.require_extensible(origin)


def _newest_entries(tx: Transaction, row: AlertRow) -> list[tuple[Feed, int]]:
    """Each feed with steps of this copy, and the index of the newest; ordered by that step's position."""
    return [(feeds.get_by_id(tx.conn, feed_id), index) for feed_id, index in events.newest_entries(tx.conn, row.key)]
