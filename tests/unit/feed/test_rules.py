"""How much is on the way to a partner: a simulated line, its rate and delay, and what the window makes of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest

from gateway.feed.rules import FIRST_WINDOW_BYTES, LEAST_WINDOW_BYTES, LONGEST_SILENCE_S, Pace

ALERT = 5_000
FEED, URGENT = "alerts", "alerts-a"


@dataclass
class Simulation:
    """A line that carries so many bytes a second and delays each way; a sender that always has alerts."""

    rate: float
    delay_s: float
    busy_s: float = 0.0
    """For which the recipient works on each batch, one after the other, however small."""
    done_s: float = 0.0
    pace: Pace = field(default_factory=Pace)
    now_s: float = 100.0
    free_s: float = 0.0
    end: int = 0
    delivered: int = 0
    waits_s: list[float] = field(default_factory=list)
    receipts: deque[tuple[float, int, int, float]] = field(default_factory=deque)

    def run(self, seconds: float) -> float:
        """Sends for so long; the part of the line that was used."""
        until_s, before = self.now_s + seconds, self.delivered
        while self.now_s < until_s:
            while self.pace.has_room(3):
                size = max(1, self.pace.batch_bytes // ALERT) * ALERT
                self.end += 1
                self.pace.sent(FEED, 3, end=self.end, size=size, now_s=self.now_s)
                self.free_s = max(self.free_s, self.now_s) + size / self.rate
                self.done_s = max(self.done_s, self.free_s + 2 * self.delay_s) + self.busy_s
                self.receipts.append((self.done_s, self.end, size, self.now_s))
            self.now_s, end, size, sent_s = self.receipts.popleft()
            self.pace.receipted(FEED, end, self.now_s)
            self.delivered += size
            self.waits_s.append(self.now_s - sent_s)
        return (self.delivered - before) / (self.rate * (self.now_s - until_s + seconds))


@pytest.mark.parametrize(
    ("rate", "delay_s"), [(8_000, 0.0), (8_000, 0.2), (250_000, 0.2), (250_000, 0.0), (10e6, 0.01)]
)
def test_a_line_is_kept_busy_and_little_is_on_its_way(rate: float, delay_s: float) -> None:
    line = Simulation(rate, delay_s)
    line.run(20)
    line.waits_s.clear()
    assert line.run(120) > 0.9
    assert max(line.waits_s) < 2.5  # an urgent alert waits no longer behind what is on the way
    assert line.pace.narrow == (rate < 100_000)


def test_a_line_that_becomes_narrow_is_filled_anew() -> None:
    line = Simulation(10e6, 0.01)
    line.run(10)
    line.rate = 8_000
    line.pace.ended(FEED, failed=True, now_s=line.now_s + 4)
    assert line.pace.window <= FIRST_WINDOW_BYTES
    line.receipts.clear()
    line.now_s += 5
    line.run(30)
    line.waits_s.clear()
    assert line.run(60) > 0.9
    assert max(line.waits_s) < 2.5


def test_batches_shrink_and_silence_is_expected_longer_with_each_failure() -> None:
    pace = Pace()
    windows, silences = [], []
    for number in range(8):
        now_s = 100.0 * number
        pace.sent(FEED, 3, end=1, size=200_000, now_s=now_s)
        pace.ended(FEED, failed=True, now_s=now_s + 5)
        windows.append(pace.window)
        silences.append(pace.silence_s)
    assert windows == sorted(windows, reverse=True)
    assert windows[-1] == LEAST_WINDOW_BYTES
    assert silences == sorted(silences)
    assert silences[-1] == LONGEST_SILENCE_S


def test_a_stream_that_ends_in_order_changes_nothing() -> None:
    pace = Pace()
    pace.sent(FEED, 3, end=1, size=10_000, now_s=100.0)
    pace.ended(FEED, failed=False, now_s=100.1)
    assert (pace.window, pace.silence_s, pace.has_room(3)) == (FIRST_WINDOW_BYTES, 0.0, True)


def test_an_urgent_feed_has_room_beside_what_others_have_on_the_way() -> None:
    pace = Pace()
    pace.sent(FEED, 3, end=1, size=pace.window, now_s=100.0)
    assert not pace.has_room(3)
    assert pace.has_room(0)
    pace.sent(URGENT, 0, end=1, size=pace.window, now_s=100.0)
    assert not pace.has_room(0)


def test_a_recipient_that_is_busy_for_seconds_gets_no_tiny_batches() -> None:
    line = Simulation(10e6, 0.0)
    line.run(10)
    line.delay_s = 1.0  # to commit, however small the batch
    line.run(20)
    assert line.pace.window > 1_000_000
    assert not line.pace.narrow


@pytest.mark.parametrize(("delay_s", "busy_s"), [(0.0, 0.6), (0.0, 2.0), (1.0, 0.0), (1.0, 1.0)])
def test_a_recipient_that_is_slow_for_other_reasons_from_the_beginning_gets_larger_batches(
    delay_s: float, busy_s: float
) -> None:
    """Smaller ones aren't quicker, so that the line isn't what takes the time."""
    line = Simulation(10e6, delay_s, busy_s)
    line.run(120)
    assert line.pace.window > 300_000
    before = line.delivered
    line.run(60)
    assert (line.delivered - before) / 60 > 100_000


def test_a_narrow_line_stays_narrow_whatever_its_recipient_takes() -> None:
    line = Simulation(8_000, 0.2, 0.3)
    line.run(120)
    line.waits_s.clear()
    line.run(120)
    assert sorted(line.waits_s)[len(line.waits_s) // 2] < 4.0
    assert line.pace.narrow


def test_what_a_busy_recipient_took_is_forgotten_when_it_is_quick_again() -> None:
    line = Simulation(10e6, 0.0, 2.0)
    line.run(120)
    line.busy_s = 0.0
    line.run(20)
    line.rate = 8_000
    line.pace.sent(FEED, 3, end=line.end + 1, size=ALERT, now_s=line.now_s)
    line.pace.ended(FEED, failed=True, now_s=line.now_s + 4)
    line.receipts.clear()
    line.end += 1
    line.now_s += 5
    line.run(120)
    line.waits_s.clear()
    line.run(60)
    assert max(line.waits_s) < 2.5
