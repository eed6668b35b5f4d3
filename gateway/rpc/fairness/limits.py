"""Limits each caller's calls per second (token bucket), and concurrent calls and streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import OverloadedError
from gateway.trust.rules.permissions import Principal, PrincipalKind

MIN_RETRY_AFTER_S = 0.1
"""Shortest retry time in seconds, so that a flood doesn't return at once."""

_ROUNDING = 1e-6
"""Part of a token that may be missing: a caller that waits exactly the retry time must get in."""

BUSY_RETRY_AFTER_S = 1.0
"""Retry time in seconds when too many calls run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one caller; a stream counts once in `calls_per_s`, and `burst` is calls at once after a pause."""

    calls_per_s: float
    burst: int
    concurrent_calls: int
    concurrent_streams: int


SYSTEM_LIMITS = Limits(calls_per_s=20_000, burst=20_000, concurrent_calls=512, concurrent_streams=64)
"""A customs system: more than one core can answer, so that only a flood is limited."""

PEER_LIMITS = Limits(calls_per_s=500, burst=1_000, concurrent_calls=64, concurrent_streams=32)
"""A partner's gateway: two streams per channel, and some hundred queries a second."""


def default_limits(principal: Principal) -> Limits:
    """Limits without a setting."""
    return PEER_LIMITS if principal.kind is PrincipalKind.PEER else SYSTEM_LIMITS


class _Usage:
    __slots__ = ("calls", "limits", "streams", "tokens", "updated_s")

    def __init__(self, limits: Limits, now_s: float) -> None:
        self.limits = limits
        self.tokens = float(limits.burst)
        self.updated_s = now_s
        self.calls = 0
        self.streams = 0


class CallerLimits:
    """Counts each caller's use, on one thread. Times are seconds of a monotonic clock.

    Memory grows with the authenticated callers, whom directory and settings bound.
    """

    def __init__(self, limits_of: Callable[[Principal], Limits] = default_limits) -> None:
        self._limits_of = limits_of
        self._usages: dict[str, _Usage] = {}

    def enter(self, principal: Principal, *, streaming: bool, now_s: float) -> None:
        """Counts the start of a call; `leave` must follow when it ends.

        Raises OverloadedError with the seconds to wait, and counts nothing, at a limit.
        """
        usage = self._usages.get(principal.id)
        if usage is None:
            usage = self._usages[principal.id] = _Usage(self._limits_of(principal), now_s)
        _require_room(usage, streaming)
        _take_token(usage, now_s)
        if streaming:
            usage.streams += 1
        else:
            usage.calls += 1

    def leave(self, principal: Principal, *, streaming: bool) -> None:
        usage = self._usages[principal.id]
        if streaming:
            usage.streams -= 1
        else:
            usage.calls -= 1


def _require_room(usage: _Usage, streaming: bool) -> None:
    running, most, what = (
        (usage.streams, usage.limits.concurrent_streams, "streams")
        if streaming
        else (usage.calls, usage.limits.concurrent_calls, "calls")
    )
    if running >= most:
        raise OverloadedError(
            f"{running} {what} are open, and that is the limit for one caller", retry_after_s=BUSY_RETRY_AFTER_S
        )


def _take_token(usage: _Usage, now_s: float) -> None:
    limits = usage.limits
    elapsed = max(0.0, now_s - usage.updated_s)
    usage.tokens = min(float(limits.burst), usage.tokens + elapsed * limits.calls_per_s)
    usage.updated_s = max(usage.updated_s, now_s)
    if usage.tokens < 1.0 - _ROUNDING:
        wait_s = (1.0 - usage.tokens) / limits.calls_per_s
        raise OverloadedError(
            f"more than {limits.calls_per_s:g} calls a second", retry_after_s=max(MIN_RETRY_AFTER_S, wait_s)
        )
    usage.tokens -= 1.0
