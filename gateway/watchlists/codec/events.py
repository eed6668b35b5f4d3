"""Serialises watchlist events and list decisions, and cuts changes into payloads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.errors import MalformedError
from gateway.trust.rules.directory import MessageType
from gateway.v1 import feed_pb2, watchlist_pb2

EVENT_TYPE: Final = MessageType.LIST_EVENT.value
"""EntryHeader.type in watchlist feeds."""

DECISION_TYPE = "ListDecision"
"""EntryHeader.type in a node's own lists feed."""

UPDATE_BYTES = 160 * 1024
"""Most bytes of changes in one payload; leaves room for the largest entry."""

MAX_CONTENT_BYTES = 64 * 1024
"""Largest content of one entry in bytes: twenty times the richest entry of the United Nations' list."""


Changes = list[watchlist_pb2.WatchlistChange]


class ListKey(NamedTuple):
    """An entry's key. A tuple, since it is hashed for each change."""

    list: str
    entry_id: str


def parse_event(payload: bytes) -> watchlist_pb2.WatchlistEvent:
    """Raises MalformedError."""
    try:
        return watchlist_pb2.WatchlistEvent.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised WatchlistEvent") from error


def parse_decision(payload: bytes) -> watchlist_pb2.ListDecision:
    """Raises MalformedError."""
    try:
        return watchlist_pb2.ListDecision.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised ListDecision") from error


def update_of(decision: watchlist_pb2.ListDecision) -> watchlist_pb2.WatchlistUpdate:
    """Changes of own lists in a decision; empty if it has none."""
    match decision.WhichOneof("decision"):
        case "published":
            return decision.published
        case "restored":
            return decision.restored
        case _:
            return decision.proposed.update


def disposition_of(event: watchlist_pb2.WatchlistEvent) -> feed_pb2.Disposition | None:
    """The event's disposition, or None."""
    return event.disposition if event.WhichOneof("event") == "disposition" else None


def key_of(change: watchlist_pb2.WatchlistChange) -> ListKey:
    """The key of the changed entry."""
    about = change.entered if change.WhichOneof("change") == "entered" else change.ended
    return ListKey(about.list, about.id)


def copy_for(change: watchlist_pb2.WatchlistChange, recipient: str) -> watchlist_pb2.WatchlistChange:
    """The change as a partner may see it: it names no other recipient and no source.

    The same object if nothing differs.
    """
    if change.HasField("ended"):
        return _end_without_sources(change)
    content = change.entered.content
    named = content.releasable_to
    if (not named or named == [recipient]) and not content.derived_from:
        return change
    copy = watchlist_pb2.WatchlistChange()
    copy.CopyFrom(change)
    copy.entered.content.releasable_to[:] = [recipient]
    copy.entered.content.ClearField("derived_from")
    return copy


def _end_without_sources(change: watchlist_pb2.WatchlistChange) -> watchlist_pb2.WatchlistChange:
    if not change.ended.derived_from:
        return change
    copy = watchlist_pb2.WatchlistChange()
    copy.CopyFrom(change)
    copy.ended.ClearField("derived_from")
    return copy


def shared_digest(content: watchlist_pb2.WatchlistContent) -> bytes:
    """SHA-256 of what every recipient may see of a content: equal here and in each partner's copy."""
    if content.releasable_to or content.derived_from:
        shared = watchlist_pb2.WatchlistContent()
        shared.CopyFrom(content)
        shared.ClearField("releasable_to")
        shared.ClearField("derived_from")
        content = shared
    return content_digest(content)


def content_digest(content: watchlist_pb2.WatchlistContent) -> bytes:
    """SHA-256 of the content."""
    return sha256(content.SerializeToString(deterministic=True)).digest()


def updates(
    changes: Iterable[watchlist_pb2.WatchlistChange], *, snapshot: bool = False
) -> Iterator[watchlist_pb2.WatchlistUpdate]:
    """Groups changes, in order, into updates that fit a payload."""
    full, left = filled(changes)
    for taken in (*full, left) if left else full:
        yield watchlist_pb2.WatchlistUpdate(changes=taken, snapshot=snapshot)


def filled(changes: Iterable[watchlist_pb2.WatchlistChange]) -> tuple[list[Changes], Changes]:
    """Full groups of changes, in order, and the rest."""
    full: list[Changes] = []
    taken: Changes = []
    size = 0
    for change in changes:
        taken.append(change)
        size += change.ByteSize()
        if len(taken) == MAX_STREAM_ITEMS or size >= UPDATE_BYTES:
            full.append(taken)
            taken, size = [], 0
    return full, taken
