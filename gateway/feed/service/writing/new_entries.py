"""Makes entries for own feeds, each with a fresh salt."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import Message

from gateway.contract.limits import SALT_BYTES
from gateway.feed.codec import CausalDependency, EncodedEntry, make_entry
from gateway.feed.service.writing.randomness import random_bytes


def new_entry(
    type_name: str, message: Message, *, now_ms: int, follows: int = 0, after: Iterable[CausalDependency] = ()
) -> EncodedEntry:
    """Encodes a message as an entry; `type_name`, `follows` and `after` as in the contract's EntryHeader.

    Raises:
        TooLargeError: the payload exceeds MAX_PAYLOAD_BYTES.
    """
    return make_entry(
        type_name,
        message.SerializeToString(deterministic=True),
        salt=random_bytes(SALT_BYTES),
        recorded_at_ms=now_ms,
        follows=follows,
        after=after,
    )


def entry_of(type_name: str, payload: bytes, *, now_ms: int) -> EncodedEntry:
    """As `new_entry`, of a message that is serialised, deterministically."""
    return make_entry(type_name, payload, salt=random_bytes(SALT_BYTES), recorded_at_ms=now_ms)
