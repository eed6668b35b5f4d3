"""Random bytes are handed out once: to no two callers, in no two threads, and not again in a forked child."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from gateway.feed.service.writing.commands import Randomness


def test_no_two_draws_share_bytes_whatever_their_lengths() -> None:
    take = Randomness()
    drawn = [take(length) for length in (32, 10, 8192, 32, 16_000, 1) for _ in range(50)]
    assert [len(one) for one in drawn] == [length for length in (32, 10, 8192, 32, 16_000, 1) for _ in range(50)]
    long = [one for one in drawn if len(one) >= 10]
    assert len(set(long)) == len(long)


def test_threads_get_different_bytes() -> None:
    take = Randomness()
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda _: take(32), range(4000)))
    assert len(set(drawn)) == 4000


def test_a_forked_child_draws_anew() -> None:
    take = Randomness()
    take(32)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, take(32))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 32) != take(32)
    os.close(reading)
    os.close(writing)
