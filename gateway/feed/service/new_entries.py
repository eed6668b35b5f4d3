"""Makes entries for own feeds: a message, salted afresh."""

from __future__ import annotations

from google.protobuf.message import Message

from gateway.contract.limits import SALT_BYTES
from gateway.feed.codec import EncodedEntry, make_entry
from gateway.feed.service.randomness import random_bytes


def new_entry(type_name: str, message: Message, *, now_ms: int, follows: int = 0) -> EncodedEntry:
    """A message as an entry with a fresh salt.

    Args:
        type_name: as in the contract's EntryHeader.
        message: the payload.
        now_ms: milliseconds since 1970.
        follows: as in the contract's EntryHeader.

    Raises:
        TooLargeError: the payload exceeds MAX_PAYLOAD_BYTES.
    """
    return make_entry(
        type_name,
        message.SerializeToString(deterministic=True),
        salt=random_bytes(SALT_BYTES),
        recorded_at_ms=now_ms,
        follows=follows,
    )
