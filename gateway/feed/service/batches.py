"""Reads batches of a feed: from an entry to a checkpoint, no larger than the link to the recipient carries in time."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from gateway.contract import limits
from gateway.contract.ids import FeedOrigin
from gateway.feed.service.continuity.soundness import require_sound_batch
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, heads
from gateway.feed.tables.feeds import Feed
from gateway.tlog.note import Verifier
from gateway.v1 import feed_pb2


def fitting_end(conn: Connection, feed: Feed, first: int, most_bytes: int) -> int:
    """Index after the last entry that fits into a batch of so many bytes; one entry always does."""
    count = total = 0
    for size in feeds.entry_sizes(conn, feed.id, first, first + limits.BATCH_ENTRIES):
        total += size
        if count and total > most_bytes:
            break
        count += 1
    return first + count


def must_divide(conn: Connection, feed: Feed, first: int, end: int) -> bool:
    """Whether the next checkpoint covers more than the entries before `end`."""
    checkpoint = heads.checkpoint_between(conn, feed.id, first, end)
    return checkpoint is not None and checkpoint.size > end


def stored(conn: Connection, feed: Feed, first: int, end: int, verifiers: Iterable[Verifier]) -> feed_pb2.Batch | None:
    """The batch from `first` to the last checkpoint up to `end`, or else to the next one; None at the feed's end.

    Raises:
        FeedDamagedError: the recipient would refuse what is stored, and blame the publisher.
    """
    checkpoint = heads.checkpoint_between(conn, feed.id, first, end)
    if checkpoint is None:
        return None
    entries = feeds.read_entries(conn, feed.id, first, checkpoint.size)
    batch = feed_pb2.Batch(
        origin=feed.origin.line,
        first_index=first,
        entries=[feed_pb2.Entry(header=e.header, salt=e.salt, payload=e.payload) for e in entries],
        checkpoint=checkpoint.note,
    )
    require_sound_batch(conn, feed, batch, checkpoint, verifiers)
    return batch


class DivideCommand:
    """Signs a further checkpoint within an own feed."""

    weight = 1

    def __init__(self, origin: FeedOrigin, size: int) -> None:
        self._origin = origin
        self._size = size

    def execute(self, tx: Transaction) -> None:
        tx.divide(self._origin, self._size)
