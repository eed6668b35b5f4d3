"""The replication core, without I/O: when to send which entries of a feed, and what a partner's position means.

The same core serves a link that pushes and a partner that fetches. Doesn't read the store, doesn't know time or
network: positions and receipts go in, ranges come out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from gateway.contract.limits import WINDOW_BATCHES
from gateway.errors import MalformedError


class Standing(Enum):
    """What a recipient's position says about the publisher's own feed."""

    CONTINUES = "continues"
    """The recipient holds a prefix: go on from there."""
    BEHIND = "behind"
    """The recipient holds more than the publisher: the publisher's database is older than what it sent."""
    FORKED = "forked"
    """Both hold different entries at one size."""


def judge_position(*, own_size: int, own_root_at_theirs: bytes | None, their_size: int, their_root: bytes) -> Standing:
    """Compares a recipient's position with the own feed.

    Args:
        own_size: entries that the publisher holds.
        own_root_at_theirs: the publisher's root at `their_size`; None when it doesn't hold that many entries.
        their_size, their_root: the recipient's position.
    """
    if their_size > own_size or own_root_at_theirs is None:
        return Standing.BEHIND
    return Standing.CONTINUES if own_root_at_theirs == their_root else Standing.FORKED


@dataclass(frozen=True, slots=True)
class Range:
    """Entries to send: from `first` on, as many as one checkpoint and the limits of a batch allow."""

    first: int


class Outbound:
    """One stream of batches from a publisher to a recipient.

    Invariants: batches are contiguous from the recipient's position; at most `window` of them are without a receipt;
    a receipt counts only for a size that was sent; nothing is forgotten before its receipt.
    """

    def __init__(self, *, position: int, head: int, window: int = WINDOW_BATCHES) -> None:
        self._sent = position
        self._receipted = position
        self._head = head
        self._window = window
        self._waiting: deque[int] = deque()

    @property
    def receipted(self) -> int:
        """Entries that the recipient has receipted on this stream or held before."""
        return self._receipted

    @property
    def in_flight(self) -> int:
        """Batches without a receipt."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether everything known was sent and receipted."""
        return self._receipted >= self._head

    @property
    def unsent(self) -> bool:
        """Whether there is something that isn't on its way yet."""
        return self._sent < self._head

    def head_moved(self, head: int) -> None:
        """The publisher's feed has grown."""
        self._head = max(self._head, head)

    def next_range(self) -> Range | None:
        """What to send now; None when the window is full or everything was sent."""
        if self._sent >= self._head or len(self._waiting) >= self._window:
            return None
        return Range(self._sent)

    def sent(self, size: int) -> None:
        """A batch that ends at `size` is on its way."""
        if size <= self._sent:
            raise ValueError(f"a batch that ends at {size} was sent after {self._sent}")
        self._sent = size
        self._head = max(self._head, size)
        self._waiting.append(size)

    def receipt(self, size: int) -> None:
        """The recipient has everything up to `size`.

        Raises:
            MalformedError: nothing that ends there is waiting for a receipt.
        """
        if size not in self._waiting:
            raise MalformedError(f"a receipt for {size} entries came, but no batch that ends there was sent")
        while self._waiting and self._waiting[0] <= size:
            self._receipted = self._waiting.popleft()
