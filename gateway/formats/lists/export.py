"""Reports written entries and what a format couldn't hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gateway.formats.lists.normal import normalise
from gateway.v1.watchlist_pb2 import WatchlistContent


@dataclass(frozen=True, slots=True)
class Export:
    """A report of what was written.

    Attributes:
        left_out: field of WatchlistContent to the number of written entries that lost it, in part or whole.
        not_written: ids of entries that the format can't hold, with reasons.
    """

    written: int
    left_out: Mapping[str, int]
    not_written: Mapping[str, str]


class Tally:
    """Counts written entries."""

    def __init__(self) -> None:
        self._written = 0
        self._left_out: Counter[str] = Counter()
        self._not_written: dict[str, str] = {}

    def wrote(self, left_out: Iterable[str] = ()) -> None:
        self._written += 1
        self._left_out.update(set(left_out))

    def refused(self, entry_id: str, reason: str) -> None:
        self._not_written[entry_id] = reason

    def export(self) -> Export:
        return Export(self._written, dict(sorted(self._left_out.items())), dict(self._not_written))


def lost(content: WatchlistContent, carried: WatchlistContent) -> list[str]:
    """Fields that a format loses, by comparison with `carried`, the content that its reader gets back."""
    before, after = WatchlistContent(), WatchlistContent()
    before.CopyFrom(content)
    after.CopyFrom(carried)
    normalise(before)
    normalise(after)
    return [
        field.name
        for field in WatchlistContent.DESCRIPTOR.fields
        if _said(before, field.name) and _said(before, field.name) != _said(after, field.name)
    ]


def _said(content: WatchlistContent, name: Any) -> Any:
    value = getattr(content, name)
    if isinstance(value, Message):
        return value.SerializeToString(deterministic=True) if content.HasField(name) else b""
    return value if isinstance(value, (str, int)) else list(value)
