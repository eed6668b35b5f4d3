"""What becomes of speed, memory and start-up as a feed grows to a million entries.

A floor is taken beside each rate, since minutes lie between the sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import product
from bench.floors import Echo, running_echo
from bench.nodes import PUBLISHER, Pair, running_pair
from bench.rounds import Tell

SIZES = (10_000, 100_000, 1_000_000)
QUICK_SIZES = (2_000, 20_000)

REPEATS = 3
"""Bulk runs at each size; the median counts."""


@dataclass
class AtSize:
    """What was measured from one size on.

    Attributes:
        entries: in the feed before the first run.
        rates: alerts per second, receipted, of each run.
        floors: messages per second of the bare stream just before each.
        cn_rss_mb, hk_rss_mb: resident memory afterwards, in MB.
        database_mb: the publisher's database, in MB.
    """

    entries: int
    rates: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    cn_rss_mb: float = 0.0
    hk_rss_mb: float = 0.0
    database_mb: float = 0.0

    @property
    def rate(self) -> float:
        return median(self.rates)

    @property
    def ratio(self) -> float:
        return median(rate / floor for rate, floor in zip(self.rates, self.floors, strict=True))


@dataclass
class Restarted:
    """A node that was stopped and started with the full feed: seconds until SERVING, and its memory in MB."""

    start_s: float
    rss_mb: float
    rss_after_load_mb: float = 0.0


@dataclass
class Growth:
    """All sizes, and both nodes after a restart with the largest."""

    sizes: list[AtSize]
    cn: Restarted
    hk: Restarted

    @property
    def most_memory_mb(self) -> float:
        """The most that a node had at the largest size: in the long run, after the restart, and after load again."""
        last = self.sizes[-1]
        return max(
            last.cn_rss_mb,
            last.hk_rss_mb,
            *(value for node in (self.cn, self.hk) for value in (node.rss_mb, node.rss_after_load_mb)),
        )


async def run(folder: Path, sizes: Sequence[int], *, bulk: int, stream: int, tell: Tell) -> Growth:
    """Fills a feed and measures at each size.

    Args:
        folder: where the nodes live.
        sizes: entries in the feed, ascending.
        bulk: alerts of one bulk run.
        stream: messages of one floor.
        tell: told of progress.
    """
    async with running_pair(folder) as pair, running_echo(pair.cn.folder, PUBLISHER) as echo:
        await product.bulk(pair, 1_000)
        taken = []
        for size in sizes:
            await product.fill(pair, size, tell=tell)
            tell(f"growth: measuring at {size:,} entries")
            taken.append(await _at(pair, echo, size, bulk, stream))
        tell("growth: restarting both nodes")
        cn, hk = await _restarted(pair)
        tell("growth: load after the restart")
        for _ in range(REPEATS):
            await product.bulk(pair, bulk)
        cn.rss_after_load_mb, hk.rss_after_load_mb = pair.cn.rss_mb, pair.hk.rss_mb
        return Growth(taken, cn, hk)


async def _at(pair: Pair, echo: Echo, size: int, bulk: int, stream: int) -> AtSize:
    taken = AtSize(size)
    for _ in range(REPEATS):
        await pair.settled()
        taken.floors.append(await echo.stream(stream))
        taken.rates.append((await product.bulk(pair, bulk)).receipted)
    taken.cn_rss_mb, taken.hk_rss_mb, taken.database_mb = pair.cn.rss_mb, pair.hk.rss_mb, pair.cn.database_mb
    return taken


async def _restarted(pair: Pair) -> tuple[Restarted, Restarted]:
    """One after the other, so that each start has the machine to itself as far as the other node lets it."""
    results = []
    for node in (pair.cn, pair.hk):
        await node.stop()
        start_s = await node.start()
        await pair.settled()
        results.append(Restarted(start_s, node.rss_mb))
    return results[0], results[1]
