"""Loops at intervals wake together, and never twice for one beat."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gateway.rpc.beats import next_beat, until_beat


@given(now_s=st.floats(0, 1e7), every_s=st.sampled_from([0.25, 1.0, 5.0]))
def test_a_beat_is_a_multiple_that_is_half_an_interval_away_at_least(now_s: float, every_s: float) -> None:
    left_s = until_beat(now_s, every_s)
    assert every_s / 2 <= left_s <= 1.5 * every_s
    beats = (now_s + left_s) / every_s
    assert abs(beats - round(beats)) < 1e-4


def test_loops_that_began_at_different_times_wake_in_one_turn() -> None:
    async def run() -> None:
        turns: list[int] = []
        turn = 0

        async def loop(offset_s: float) -> None:
            await asyncio.sleep(offset_s)
            await next_beat(0.2)
            turns.append(turn)

        async def count() -> None:
            nonlocal turn
            while len(turns) < 3:
                await asyncio.sleep(0.01)
                turn += 1

        began_s = asyncio.get_running_loop().time()
        await asyncio.sleep(until_beat(began_s, 0.2))  # so that the three begin in one interval's first half
        await asyncio.gather(count(), *(loop(offset_s) for offset_s in (0.0, 0.01, 0.02)))
        assert max(turns) - min(turns) <= 1

    asyncio.run(run())
