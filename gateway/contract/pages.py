"""Cuts pages to what fits into one message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from gateway.contract.limits import BATCH_BYTES

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
