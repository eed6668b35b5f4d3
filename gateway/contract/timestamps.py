"""Converts timestamps to and from milliseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

_LAST_S = 253_402_300_799
"""End of the year 9999."""


def to_ms(timestamp: Timestamp) -> int:
    """Milliseconds since 1970."""
    return timestamp.seconds * 1000 + timestamp.nanos // 1_000_000


def to_timestamp(unix_ms: int) -> Timestamp:
    """From milliseconds since 1970."""
    return Timestamp(seconds=unix_ms // 1000, nanos=unix_ms % 1000 * 1_000_000)


def clipped_moment(unix_ms: int) -> datetime:
    """A stored time with zone, from 1970 to 9999: one that was edited by hand is told by what is signed."""
    return datetime.fromtimestamp(min(max(unix_ms // 1000, 0), _LAST_S), UTC)
