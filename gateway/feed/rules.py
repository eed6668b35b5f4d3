"""Decides which entries of a feed to send when, and what a partner's position means."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from gateway.contract.limits import WINDOW_BATCHES
from gateway.errors import MalformedError
from gateway.plurals import counted


class Standing(Enum):
    """A recipient's position compared with the publisher's feed."""

    CONTINUES = "continues"
    """The recipient holds a prefix."""
    BEHIND = "behind"
    """The recipient holds more: the publisher's database is older than what it sent."""
    FORKED = "forked"
    """Both hold different entries at one size."""


def compare_position(
    *, own_size: int, own_root_at_theirs: bytes | None, their_size: int, their_root: bytes
) -> Standing:
    """Compares a recipient's position with the own feed.

    Args:
        own_size: entries that the publisher holds.
        own_root_at_theirs: the publisher's root at `their_size`; None when it holds fewer entries.
        their_size, their_root: the recipient's position.
    """
    if their_size > own_size or own_root_at_theirs is None:
        return Standing.BEHIND
    return Standing.CONTINUES if own_root_at_theirs == their_root else Standing.FORKED


@dataclass(frozen=True, slots=True)
class Range:
    """Entries to send from `first` on, limited by one checkpoint and a batch."""

    first: int


class Outbound:
    """One stream of batches to a recipient.

    Invariants: batches are contiguous from the recipient's position; at most `window` of them lack a receipt; a receipt
    counts only for a sent size; nothing is forgotten before its receipt.
    """

    def __init__(self, *, position: int, head: int, window: int = WINDOW_BATCHES) -> None:
        self._sent = position
        self._receipted = position
        self._head = head
        self._window = window
        self._waiting: deque[int] = deque()

    @property
    def receipted(self) -> int:
        """Size that the recipient has receipted on this stream or held before."""
        return self._receipted

    @property
    def sent_size(self) -> int:
        """Size up to which entries were sent on this stream, or held before it."""
        return self._sent

    @property
    def in_flight(self) -> int:
        """Batches without a receipt."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether everything is sent and receipted."""
        return self._receipted >= self._head

    @property
    def unsent(self) -> bool:
        return self._sent < self._head

    def head_moved(self, head: int) -> None:
        self._head = max(self._head, head)

    def next_range(self) -> Range | None:
        """The next entries to send; None when the window is full or everything was sent."""
        if self._sent >= self._head or len(self._waiting) >= self._window:
            return None
        return Range(self._sent)

    def sent(self, size: int) -> None:
        """Notes that a batch ending at `size` was sent."""
        if size <= self._sent:
            raise ValueError(f"a batch that ends at {size} was sent after {self._sent}")
        self._sent = size
        self._head = max(self._head, size)
        self._waiting.append(size)

    def receipt(self, size: int) -> None:
        """Notes that the recipient has everything up to `size`.

        Raises:
            MalformedError: no batch without a receipt ends there.
        """
        if size not in self._waiting:
            raise MalformedError(f"a receipt for {counted(size, 'entry')} came, but no batch that ends there was sent")
        while self._waiting and self._waiting[0] <= size:
            self._receipted = self._waiting.popleft()
