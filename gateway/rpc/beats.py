"""Lets what is done at intervals be done at the same moments, so that an idle node wakes once for all of it."""

from __future__ import annotations

import asyncio


async def next_beat(every_s: float) -> None:
    """Sleeps until the loop's clock is next at a multiple of so many seconds."""
    await asyncio.sleep(beat_in_s(every_s))


def beat_in_s(every_s: float) -> float:
    """Seconds until `next_beat` would return, for who may be woken before."""
    return until_beat(asyncio.get_running_loop().time(), every_s)


def until_beat(now_s: float, every_s: float) -> float:
    """Seconds from a time to the next multiple of `every_s`, at least half of it: a loop never runs twice at one."""
    left_s = every_s - now_s % every_s
    return left_s if left_s >= every_s / 2 else left_s + every_s
