"""Turns callers' times into the contract's."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import InvalidRequestError, Violation


def zoned_timestamp(field: str, time: datetime) -> Timestamp:
    """Raises InvalidRequestError, which names the field, for a time without a zone."""
    if time.tzinfo is None:
        raise InvalidRequestError([Violation(field, "zone", "must have its zone, e.g. datetime.now(UTC)")])
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
