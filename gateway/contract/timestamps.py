"""Converts timestamps to and from milliseconds since 1970."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp


def to_ms(timestamp: Timestamp) -> int:
    """Milliseconds since 1970."""
    return timestamp.seconds * 1000 + timestamp.nanos // 1_000_000


def to_timestamp(unix_ms: int) -> Timestamp:
    """From milliseconds since 1970."""
    return Timestamp(seconds=unix_ms // 1000, nanos=unix_ms % 1000 * 1_000_000)
