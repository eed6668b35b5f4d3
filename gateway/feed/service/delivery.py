"""Tells how far an entry has come on its way to the other node, as far as that node has signed for it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_ms
from gateway.db.database import Database
from gateway.feed.tables import dispositions, feeds, heads
from gateway.feed.tables.feeds import Feed
from gateway.v1 import feed_pb2

SentSize = Callable[[FeedOrigin], int]
"""Number of entries of an own feed that were sent on the stream that is open now; 0 without one."""


class DeliveryState(StrEnum):
    """How far an entry has come; from STORED on by the other node's signature."""

    WAITING = "waiting"
    SENT = "sent"
    STORED = "stored"
    APPLIED = "applied"
    REJECTED = "rejected"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An entry's way to the other node.

    Attributes:
        receipted_at: in the receipt, in milliseconds since 1970 by the receiving node's clock; 0 without one.
        decided_at: in the disposition, likewise.
        reason: why it wasn't applied; empty otherwise.
    """

    origin: FeedOrigin
    index: int
    state: DeliveryState
    receipted_at: int = 0
    decided_at: int = 0
    reason: str = ""


class Deliveries:
    """Deliveries of entries in one read transaction."""

    def __init__(self, conn: Connection, sent_size: SentSize) -> None:
        self._conn = conn
        self._sent_size = sent_size
        self._feeds: dict[int, Feed] = {}

    def of(self, feed_id: int, index: int) -> Delivery:
        """Delivery of an own entry, or of a partner's entry that was applied here."""
        feed = self._feed(feed_id)
        receipt = heads.receipted_over(self._conn, feed_id, index)
        receipted_at = 0 if receipt is None else receipt.receipted_at
        stated = dispositions.find(self._conn, feed_id, index)
        if stated is not None:
            disposition = feed_pb2.Disposition.FromString(stated.message)
            state = DeliveryState(stated.outcome)
            return Delivery(feed.origin, index, state, receipted_at, to_ms(disposition.decided_at), stated.reason)
        return Delivery(feed.origin, index, self._unanswered(feed, index, receipted=bool(receipted_at)), receipted_at)

    def _unanswered(self, feed: Feed, index: int, *, receipted: bool) -> DeliveryState:
        if feed.direction == "in":
            return DeliveryState.APPLIED  # by this node, which has answered such steps only since a later version
        if receipted:
            return DeliveryState.STORED
        return DeliveryState.SENT if index < self._sent_size(feed.origin) else DeliveryState.WAITING

    def _feed(self, feed_id: int) -> Feed:
        if feed_id not in self._feeds:
            self._feeds[feed_id] = feeds.get_by_id(self._conn, feed_id)
        return self._feeds[feed_id]


@dataclass(frozen=True, slots=True)
class FeedProgress:
    """How far an own feed has come at its recipient: entries below these indexes have a receipt, and a disposition."""

    receipted: int
    answered: int


class OwnFeeds:
    """Tells how far own feeds of some channels have come. Thread-safe."""

    def __init__(self, database: Database, channels: Collection[Channel]) -> None:
        self._database = database
        self._channels = frozenset(channels)

    def progress(self) -> dict[FeedOrigin, FeedProgress]:
        """Each own feed's progress, as it is now."""
        with self._database.read() as conn:
            rows = dispositions.own_progress(conn)
        found = {FeedOrigin.parse(line): FeedProgress(receipted, answered) for line, receipted, answered in rows}
        return {origin: progress for origin, progress in found.items() if origin.channel in self._channels}
