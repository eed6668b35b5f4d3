"""Makes the filter of each full segment of the index, which takes some seconds, in a worker process."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.db.database import Database
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.rules.bloom import bloom_filter
from gateway.history.tables import progress as record_progress
from gateway.history.tables import segments


@dataclass(frozen=True, slots=True)
class SegmentFilter:
    """The filter of a full segment."""

    segment: int
    bits: bytes


class SegmentFilters:
    """Makes filters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next(self) -> SegmentFilter | None:
        with self._database.read() as conn:
            segment = next_segment(conn)
            if segment is None:
                return None
            keys = segments.keys(conn, segment)
        return SegmentFilter(segment, bloom_filter(keys))


def next_segment(conn: Connection) -> int | None:
    """The next full segment without a filter."""
    return segments.without_filter(conn, _full(conn))


def _full(conn: Connection) -> int:
    """Number of full segments."""
    return (record_progress.indexed(conn) + 1) >> segments.SEGMENT_BITS


@dataclass(frozen=True, slots=True)
class KeepFilterCommand:
    """Stores a filter, unless the index is being rebuilt."""

    made: SegmentFilter
    weight: int = 10

    def execute(self, tx: Transaction) -> None:
        if self.made.segment < _full(tx.conn):
            segments.keep_filter(tx.conn, self.made.segment, self.made.bits)
