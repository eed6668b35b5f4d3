"""Helpers for the contract's messages: fields, times in milliseconds since 1970, and pages that fit into one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.limits import BATCH_BYTES
from gateway.v1 import shipment_pb2

RecordedItem = shipment_pb2.Shipment | shipment_pb2.ShipmentAddition
"""An item of a node's record log."""


def is_set(message: Message, field: FieldDescriptor) -> bool:
    """Whether a field is set; without presence, not its default."""
    return message.HasField(field.name) if field.has_presence else bool(getattr(message, field.name))


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


RowT = TypeVar("RowT")
MessageT = TypeVar("MessageT", bound=Message)

_FRAME_BYTES = 8
"""Tag and length of a member."""


@dataclass(frozen=True, slots=True)
class MessagePage(Generic[RowT, MessageT]):
    """Messages of some rows, and the last of these rows if more follow."""

    messages: list[MessageT]
    last: RowT | None = None


def page_of(
    rows: Iterable[RowT], message_of: Callable[[RowT], MessageT], *, limit: int, most_bytes: int = BATCH_BYTES
) -> MessagePage[RowT, MessageT]:
    """A page, of one message at least where there are rows.

    Args:
        rows: in order; read only as far as one beyond the page.
        limit: most messages.
        most_bytes: of all messages but the first.
    """
    messages: list[MessageT] = []
    size = 0
    last: RowT | None = None
    for row in rows:
        if len(messages) >= limit:
            return MessagePage(messages, last)
        message = message_of(row)
        size += message.ByteSize() + _FRAME_BYTES
        if messages and size > most_bytes:
            return MessagePage(messages, last)
        messages.append(message)
        last = row
    return MessagePage(messages)
