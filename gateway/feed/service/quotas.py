"""Bounds what one partner can have stored here in a day (UTC).

Counts are in the database, so that neither a restart nor a second replica resets them. What is beyond a bound waits
until the next day or until an operator raises it; nothing that was accepted is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from gateway.contract.ids import ALERT_CHANNELS, Channel
from gateway.errors import OverloadedError
from gateway.feed.tables import usage

DAY_MS = 24 * 3600 * 1000

MIB = 1024 * 1024

KEPT_DAYS = 90
"""Days for which counts are kept, for operators."""


class Stored(StrEnum):
    """Kinds of what a partner causes to be stored."""

    ALERTS = Channel.ALERTS.value
    """Entries of its feeds of alerts of all priorities; the bytes with this node's refusals of them."""
    WATCHLIST = Channel.WATCHLIST.value
    """Likewise of its feed of lists, apart, so that a long list doesn't stop alerts."""
    LICENCES = Channel.LICENCES.value
    """Likewise of its feed of licences."""
    RISK_PROFILES = Channel.RISK_PROFILES.value
    """Likewise of its feed of risk profiles."""
    QUESTIONS = "questions"
    """Its signed questions that were answered, with their statements."""
    ANSWERS = "answers"
    """Records in its answers to this node's questions."""
    MATCHES = "matches"
    """Matches that its alerts or its entries of lists make here."""


def stored_as(channel: Channel) -> Stored:
    """What entries of a channel are counted as."""
    return Stored.ALERTS if channel in ALERT_CHANNELS else Stored(channel.value)


@dataclass(frozen=True, slots=True)
class Bound:
    """Most items and bytes in a day."""

    items: int
    bytes: int


DEFAULT_BOUNDS: Mapping[Stored, Bound] = {
    Stored.ALERTS: Bound(5_000_000, 10_240 * MIB),
    Stored.WATCHLIST: Bound(5_000_000, 10_240 * MIB),
    Stored.LICENCES: Bound(1_000_000, 2_048 * MIB),
    Stored.RISK_PROFILES: Bound(10_000, 256 * MIB),
    Stored.QUESTIONS: Bound(1_000_000, 2_048 * MIB),
    Stored.ANSWERS: Bound(5_000_000, 20_480 * MIB),
    Stored.MATCHES: Bound(1_000_000, 4_096 * MIB),
}
"""Five first copies of a list of a million entries; ten questions a second all day."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a partner has had stored today, and the part of its bound, the larger of items and bytes."""

    partner: str
    stored: Stored
    items: int
    bytes: int
    bound: Bound

    @property
    def share(self) -> float:
        return max(self.items / self.bound.items, self.bytes / self.bound.bytes)


def count(conn: Connection, partner: str, stored: Stored, *, items: int, size: int, now_ms: int) -> None:
    """Counts what is stored in this transaction."""
    day = now_ms // DAY_MS
    if usage.add(conn, day, partner, stored.value, items=items, size=size):
        usage.forget_before(conn, day - KEPT_DAYS)


class Quotas:
    """Counts and bounds by partner, kind and day. Thread-safe."""

    def __init__(self, bounds: Mapping[Stored, Bound] = DEFAULT_BOUNDS) -> None:
        self._bounds = bounds

    def set_bounds(self, bounds: Mapping[Stored, Bound]) -> None:
        """Other bounds from now on; what is counted stays."""
        self._bounds = bounds

    def require_room(
        self, conn: Connection, partner: str, stored: Stored, *, items: int, size: int, now_ms: int
    ) -> None:
        """Raises OverloadedError with the seconds until the next day if that many items and bytes don't fit."""
        bound = self._bounds[stored]
        day = now_ms // DAY_MS
        used_items, used_bytes = usage.read(conn, day, partner, stored.value)
        if used_items + items <= bound.items and used_bytes + size <= bound.bytes:
            return
        raise OverloadedError(
            f"no more {stored.value} of {partner} are stored today (UTC); the bound is {bound.items:,} with "
            f"{bound.bytes // MIB:,} MiB",
            metadata={"quota": stored.value},
            retry_after_s=((day + 1) * DAY_MS - now_ms) / 1000,
        )

    def room(self, conn: Connection, partner: str, stored: Stored, *, now_ms: int) -> Bound:
        """Items and bytes that still fit today."""
        bound = self._bounds[stored]
        items, size = usage.read(conn, now_ms // DAY_MS, partner, stored.value)
        return Bound(max(0, bound.items - items), max(0, bound.bytes - size))

    def take(self, conn: Connection, partner: str, stored: Stored, *, items: int, size: int, now_ms: int) -> None:
        """Counts it if there is room; raises as `require_room`, before any write."""
        bound, day = self._bounds[stored], now_ms // DAY_MS
        most = {"most_items": bound.items, "most_bytes": bound.bytes}
        if usage.add_within(conn, day, partner, stored.value, items=items, size=size, **most):
            return
        self.require_room(conn, partner, stored, items=items, size=size, now_ms=now_ms)
        count(conn, partner, stored, items=items, size=size, now_ms=now_ms)

    def today(self, conn: Connection, now_ms: int) -> list[Usage]:
        """What was counted today, by partner and kind."""
        return [
            Usage(row.partner, stored, row.items, row.bytes, self._bounds[stored])
            for row in usage.of_day(conn, now_ms // DAY_MS)
            for stored in Stored
            if stored.value == row.kind
        ]
