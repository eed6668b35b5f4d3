"""Watchlist events and list decisions: protobuf to bytes and back, digests, and how changes are cut into payloads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from google.protobuf.message import DecodeError

from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.errors import MalformedError, TooLargeError
from gateway.v1 import feed_pb2, watchlist_pb2

EVENT_TYPE = "WatchlistEvent"
"""EntryHeader.type of everything in a watchlist feed."""

DECISION_TYPE = "ListDecision"
"""EntryHeader.type of everything in a node's own lists feed."""

UPDATE_BYTES = 160 * 1024
"""Most bytes of changes in one payload; with the largest entry on top it is still within MAX_PAYLOAD_BYTES."""

MAX_CONTENT_BYTES = 64 * 1024
"""Largest content of one entry in bytes: twenty times the richest one of the United Nations' list."""


Changes = list[watchlist_pb2.WatchlistChange]


class ListKey(NamedTuple):
    """One entry of one list of a publisher that is known from elsewhere; hashed for each change, so a tuple."""

    list: str
    entry_id: str


def parse_event(payload: bytes) -> watchlist_pb2.WatchlistEvent:
    """Parses the payload of a watchlist feed.

    Raises:
        MalformedError: it isn't a serialised WatchlistEvent.
    """
    try:
        return watchlist_pb2.WatchlistEvent.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised WatchlistEvent") from error


def parse_decision(payload: bytes) -> watchlist_pb2.ListDecision:
    """Parses the payload of an own lists feed.

    Raises:
        MalformedError: it isn't a serialised ListDecision.
    """
    try:
        return watchlist_pb2.ListDecision.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised ListDecision") from error


def update_in(type_name: str, payload: bytes) -> watchlist_pb2.WatchlistUpdate:
    """The changes that an entry of a watchlist or lists feed carries; none where it carries no changes or was erased.

    Raises:
        MalformedError: it isn't what its type says.
    """
    if type_name == EVENT_TYPE:
        return parse_event(payload).update
    decision = parse_decision(payload)
    return decision.published if decision.WhichOneof("decision") == "published" else decision.proposed.update


def disposition_of(event: watchlist_pb2.WatchlistEvent) -> feed_pb2.Disposition | None:
    """The disposition that the event carries, or None."""
    return event.disposition if event.WhichOneof("event") == "disposition" else None


def key_of(change: watchlist_pb2.WatchlistChange) -> ListKey:
    """Which entry a change is about."""
    about = change.entered if change.WhichOneof("change") == "entered" else change.ended
    return ListKey(about.list, about.id)


def content_digest(content: watchlist_pb2.WatchlistContent) -> bytes:
    """SHA-256 of the content: what is the same digests to the same."""
    return sha256(content.SerializeToString(deterministic=True)).digest()


def require_size(content: watchlist_pb2.WatchlistContent) -> None:
    """Raises TooLargeError when one entry alone says more than an update may."""
    size = content.ByteSize()
    if size > MAX_CONTENT_BYTES:
        raise TooLargeError(f"content: the entry has {size} bytes; at most {MAX_CONTENT_BYTES} are allowed")


def updates(
    changes: Iterable[watchlist_pb2.WatchlistChange], *, snapshot: bool = False
) -> Iterator[watchlist_pb2.WatchlistUpdate]:
    """Changes in their order, as many in one update as a payload takes."""
    full, left = filled(changes)
    for taken in (*full, left) if left else full:
        yield watchlist_pb2.WatchlistUpdate(changes=taken, snapshot=snapshot)


def filled(changes: Iterable[watchlist_pb2.WatchlistChange]) -> tuple[list[Changes], Changes]:
    """Changes in their order, cut where a payload is full; and those that are left for the next one."""
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
