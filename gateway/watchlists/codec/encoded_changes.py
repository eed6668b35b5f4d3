"""Composes updates of lists from serialised contents and changes.

A content is serialised once, for its digest. The fields around it are put before and after those bytes in the order of
their numbers, which is what protobuf's deterministic form is; tests hold both against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.messages import to_timestamp
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec.events import UPDATE_BYTES

_LENGTH_DELIMITED = 2

_CHANGES, _SNAPSHOT = 1, b"\x10\x01"  # of WatchlistUpdate
_ENTERED = 1  # of WatchlistChange
_LIST, _ID, _REVISION, _PUBLISHED_AT, _CONTENT, _FIRST_PUBLISHED_AT = 1, 2, 3, 4, 5, 6  # of WatchlistEntry
_PUBLISHED = 6  # of ListDecision
_UPDATE = 2  # of WatchlistEvent


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SHORT = tuple(_varint(number) for number in range(1 << 11))
"""Varints of lengths below 2 KB, which are nearly all."""


def _length(size: int) -> bytes:
    return _SHORT[size] if size < len(_SHORT) else _varint(size)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _length(len(value)) + value


class EntryEncoder:
    """Serialises new entries and revisions of one list, published at one time."""

    def __init__(self, list_name: str, published_at: int) -> None:
        """`published_at`: milliseconds since 1970."""
        self._list = _field(_LIST, list_name.encode())
        self._published_at = _field(_PUBLISHED_AT, to_timestamp(published_at).SerializeToString(deterministic=True))
        self._revision = _varint(_REVISION << 3)
        self._first = self._middle(1)

    def _middle(self, revision: int) -> bytes:
        return b"".join((self._revision, _length(revision), self._published_at, _varint(_CONTENT << 3 | 2)))

    def __call__(self, entry_id: str, revision: int, content: bytes, first_published_at: int | None = None) -> bytes:
        """A serialised WatchlistChange.

        Args:
            content: serialised, deterministically.
            first_published_at: milliseconds since 1970; None for a first revision.
        """
        name = entry_id.encode()
        parts = [
            self._list,
            b"\x12",
            _length(len(name)),
            name,
            self._first if revision == 1 else self._middle(revision),
            _length(len(content)),
            content,
        ]
        if first_published_at is not None:
            time = to_timestamp(first_published_at).SerializeToString(deterministic=True)
            parts.append(_field(_FIRST_PUBLISHED_AT, time))
        entry = b"".join(parts)
        return b"\x0a" + _length(len(entry)) + entry


def update_of(changes: Iterable[bytes], *, snapshot: bool = False) -> bytes:
    """A serialised WatchlistUpdate of serialised changes."""
    parts: list[bytes] = []
    for change in changes:
        parts += (b"\x0a", _length(len(change)), change)
    if snapshot:
        parts.append(_SNAPSHOT)
    return b"".join(parts)


def filled(changes: Sequence[bytes]) -> tuple[list[Sequence[bytes]], list[bytes]]:
    """Full groups of serialised changes, in order, each of which fits a payload, and the rest; as `events.filled`."""
    full: list[Sequence[bytes]] = []
    start = size = 0
    for at, change in enumerate(changes, 1):
        size += len(change)
        if at - start == MAX_STREAM_ITEMS or size >= UPDATE_BYTES:
            full.append(changes[start:at])
            start, size = at, 0
    return full, list(changes[start:])


def published(decision: watchlist_pb2.ListDecision, update: bytes) -> bytes:
    """A serialised decision that publishes an update; `decision` has the time and the actor."""
    return decision.SerializeToString(deterministic=True) + _field(_PUBLISHED, update)


def event_of(event: watchlist_pb2.WatchlistEvent, update: bytes) -> bytes:
    """A serialised event with an update; `event` has the time."""
    return event.SerializeToString(deterministic=True) + _field(_UPDATE, update)
