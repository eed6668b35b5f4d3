"""Decides which entries of a feed to send when, and what a partner's position means."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum

from gateway.contract.limits import MAX_BATCH_BYTES, WINDOW_BATCHES
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
    """Compares a recipient's position with our feed.

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


FIRST_WINDOW_BYTES = 16 * 1024
"""Bytes on the way to a partner before anything was measured: two seconds of a line of 64 kbit/s."""

LEAST_WINDOW_BYTES = 4 * 1024
"""Least bytes on the way: a rich alert."""

MOST_WINDOW_BYTES = WINDOW_BATCHES * MAX_BATCH_BYTES

BATCHES_ON_THE_WAY = 4
"""Batches that fill the window."""

SHORT_S = 1.0
"""A batch that is receipted within so many seconds lets more be on the way."""

LONG_S = 1.5
"""A batch that takes longer, in seconds, lets less be on the way: an urgent alert would wait behind it."""

AIM_S = 1.0
"""How much of what the link delivers is on the way then, in seconds."""

FADING = 0.9
"""Part of the longest wait for a receipt that counts after the next receipt."""

HALF_LIFE_S = 300.0
"""Seconds after which half of the best rate counts."""

BUSY_SHARE = 0.25
"""Least part of what the link delivered at its best: a recipient that is busy for seconds would otherwise get ever
smaller batches, each with a commit of its own."""

PROBED_BYTES = 64 * 1024
"""A window below it is tried larger, where receipts come late."""

FIRST_PROBE_S = 10.0
MOST_PROBE_S = 160.0
"""Seconds until the next try after one that didn't help; doubled each time."""

FAR_MORE = 1.4
"""Rate of a larger window, as a multiple of that before, that shows that the line isn't what takes the time."""

LONGEST_BASE_S = 16.0
"""Most seconds that a recipient is believed to take for reasons of its own."""

LONGEST_SILENCE_S = 64.0
"""Longest silence of a partner that is expected, in seconds: an alert of MAX_PAYLOAD_BYTES takes 32 at 64 kbit/s."""

NARROW_BYTES = 128 * 1024
"""A line is narrow if what it delivers in about a second is less: there compressing batches is worth its time."""

ROUND_TRIPS = 8
"""Shortest waits for a receipt that connecting may take: round trips for TCP, TLS and HTTP/2, and certificates."""

LONGEST_CONNECT_S = 4.0
"""Longest time to connect, in seconds: 64 kbit/s with a round trip of 400 ms take two."""


@dataclass(slots=True)
class _Flight:
    """A batch without a receipt; the delivered bytes and their time are those before it was sent."""

    feed: Hashable
    rank: int
    end: int
    bytes: int
    sent_s: float
    filled: bool
    delivered: int
    delivered_s: float


@dataclass(slots=True)
class _Probe:
    """A larger window that is tried, and what was before it."""

    began_s: float
    window: int
    rate: float


class Pace:
    """Bytes on the way to one partner, over all feeds: as many as the link delivers in about a second.

    A recipient can be slow for reasons that smaller batches don't mend. So a small window is tried larger now and then,
    as one batch: where that delivers far more, what the recipient takes whatever the size counts for nothing, and the
    window grows in large batches until receipts are quick again.

    So a line is kept busy, an urgent alert waits about a second behind what is on the way, and what a failure makes
    be sent again is little. Times are seconds of a monotonic clock. Lower ranks are more urgent.

    Attributes:
        window: most bytes on the way.
        narrow: whether receipts have shown that the line is narrow.
    """

    def __init__(self) -> None:
        self.window = FIRST_WINDOW_BYTES
        self._flights: deque[_Flight] = deque()
        self._delivered = 0
        self._delivered_s = 0.0
        self._longest_s = 0.0
        self._shortest_s = LONGEST_CONNECT_S
        self._best_rate = self._best_s = 0.0
        self._failed_s = -LONG_S
        self._base_s = 0.0
        self._whole = False
        self._probe: _Probe | None = None
        self._probe_at_s = self._probe_every_s = 0.0
        self.narrow = False

    @property
    def batch_bytes(self) -> int:
        """Bytes for the next batch: a part of the window, so that its receipt comes before the window is empty."""
        return min(MAX_BATCH_BYTES, self.window // (1 if self._whole or self._probe else BATCHES_ON_THE_WAY))

    @property
    def silence_s(self) -> float:
        """Longest silence of the partner that its receipts make likely."""
        return min(LONGEST_SILENCE_S, 2 * self._longest_s)

    @property
    def connect_s(self) -> float:
        """Seconds in which the line lets a connection be made: some round trips, and some kilobytes."""
        return min(LONGEST_CONNECT_S, ROUND_TRIPS * self._shortest_s)

    def has_room(self, rank: int) -> bool:
        """Whether a feed may send: batches of less urgent feeds don't count, and a whole window goes alone."""
        on_the_way = self._on_the_way(rank)
        return not on_the_way if self._whole or self._probe else on_the_way < self.window

    def sent(self, feed: Hashable, rank: int, *, end: int, size: int, now_s: float) -> None:
        """Notes a batch of so many bytes that ends at a size of its feed."""
        idle = not self._flights
        filled = self._on_the_way(rank) + size >= self.window // 2
        delivered_s = now_s if idle else max(self._delivered_s, self._flights[0].sent_s)
        self._flights.append(_Flight(feed, rank, end, size, now_s, filled, self._delivered, delivered_s))

    def receipted(self, feed: Hashable, size: int, now_s: float) -> None:
        """Notes a receipt for a feed's batches up to a size, and adapts the window."""
        arrived = [flight for flight in self._flights if flight.feed == feed and flight.end <= size]
        for flight in arrived:
            self._flights.remove(flight)
            self._delivered += flight.bytes
            self._delivered_s = now_s
            self._adapt(flight, now_s)

    def ended(self, feed: Hashable, *, failed: bool, now_s: float) -> None:
        """Forgets a stream's batches; the window shrinks if a failure lost any of them."""
        lost = [flight for flight in self._flights if flight.feed == feed]
        for flight in lost:
            self._flights.remove(flight)
        failed = failed or (bool(lost) and now_s - lost[0].sent_s > LONG_S)
        if not (lost and failed) or now_s - self._failed_s < LONG_S:  # one failure ends all streams of a connection
            return
        self._failed_s = now_s
        self._best_rate = self._base_s = 0.0
        self._whole, self._probe = False, None
        self.window = max(LEAST_WINDOW_BYTES, min(FIRST_WINDOW_BYTES, self.window // 4))
        if self._delivered_s < lost[0].sent_s:  # no sign of life since
            self._longest_s = min(LONGEST_SILENCE_S, 2 * max(AIM_S, self._longest_s))

    def _adapt(self, flight: _Flight, now_s: float) -> None:
        waited_s = now_s - flight.sent_s
        self._longest_s = max(waited_s, self._longest_s * FADING)
        self._shortest_s = min(waited_s, self._shortest_s)
        rate = (self._delivered - flight.delivered) / max(now_s - flight.delivered_s, 1e-3)
        self._best_rate = max(rate, self._best_rate * 0.5 ** ((now_s - self._best_s) / HALF_LIFE_S))
        self._best_s = now_s
        self._base_s = min(self._base_s, waited_s)
        self._whole = self._whole and self._base_s > SHORT_S / BATCHES_ON_THE_WAY
        if self._probe is not None:
            self._evaluate(self._probe, flight, rate, now_s)
        elif waited_s - self._base_s <= SHORT_S:
            if flight.filled:
                self.window = min(MOST_WINDOW_BYTES, self.window + flight.bytes)
                self.narrow = self.narrow and self.window < NARROW_BYTES
        elif flight.filled and self.window < PROBED_BYTES and now_s >= self._probe_at_s:
            self._probe = _Probe(now_s, self.window, rate)
            self.window = max(FIRST_WINDOW_BYTES, self.window * 3 // 2)
        elif waited_s - self._base_s > LONG_S:
            least = max(LEAST_WINDOW_BYTES, int(self._best_rate * AIM_S * BUSY_SHARE))
            self.window = min(self.window, max(least, int(rate * AIM_S)))
            self.narrow = self.window < NARROW_BYTES

    def _evaluate(self, probe: _Probe, flight: _Flight, rate: float, now_s: float) -> None:
        """Keeps a larger window that delivers far more, once a batch that was sent into it has been receipted."""
        if flight.sent_s < probe.began_s:
            return
        self._probe = None
        if flight.filled and rate >= probe.rate * FAR_MORE:
            self._whole, self._base_s = True, min(LONGEST_BASE_S, now_s - flight.sent_s)
            self._probe_every_s = 0.0
        else:
            self.window = probe.window
            self._probe_every_s = min(MOST_PROBE_S, max(FIRST_PROBE_S, 2 * self._probe_every_s))
        self._probe_at_s = now_s + self._probe_every_s

    def _on_the_way(self, rank: int) -> int:
        return sum(flight.bytes for flight in self._flights if flight.rank <= rank)
