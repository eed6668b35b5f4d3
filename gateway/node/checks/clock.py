"""Compares this machine's clock with partners' clocks. Without them nothing shows that it is right."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.node.checks.findings import Finding, Result
from gateway.rpc.listener.partner_probe import ClockReading

CLOCK_WARNING = timedelta(seconds=10)
"""Difference that a clock kept by NTP never has."""

MAX_SKEW = timedelta(milliseconds=MAX_CLOCK_SKEW_MS)
"""Difference from which queries are refused and alarms rise."""

WAY_OUT = "Compare both clocks with NTP; `chronyc tracking` or `timedatectl` shows the state of this one."


def compare(name: str, readings: Mapping[str, ClockReading]) -> Finding:
    """What the partners' clocks say of ours."""
    if not readings:
        way_out = "Bring a partner's gateway up, or compare the clock with NTP."
        return Finding(name, Result.UNKNOWN, "no partner's clock could be read to compare with", way_out)
    shown = ", ".join(f"{partner} {_shown(reading)}" for partner, reading in sorted(readings.items()))
    differing = [partner for partner, reading in readings.items() if _difference(reading) > CLOCK_WARNING]
    if not differing:
        return Finding(name, Result.OK, f"agrees with partners' clocks: {shown}")
    wrong = any(_difference(reading) > MAX_SKEW for reading in readings.values())
    own_is_wrong = wrong and len(differing) == len(readings)
    detail = f"partners' clocks differ from this one: {shown}"
    if wrong:
        detail += f"; more than {MAX_SKEW.seconds // 60} minutes stop queries"
    return Finding(name, Result.FAIL if own_is_wrong else Result.WARN, detail, WAY_OUT)


def _difference(reading: ClockReading) -> timedelta:
    """The least that the clocks differ."""
    return max(abs(reading.ahead) - reading.uncertainty, timedelta())


def _shown(reading: ClockReading) -> str:
    seconds = reading.ahead.total_seconds()
    direction = "ahead" if seconds >= 0 else "behind"
    return f"{abs(seconds):.1f} s {direction} (±{reading.uncertainty.total_seconds():.1f} s)"
