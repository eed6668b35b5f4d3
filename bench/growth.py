"""What becomes of speed, memory and start-up as a feed grows to a million entries.

A floor is taken beside each rate, since minutes lie between the sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench import product
from bench.floors import running_echo
from bench.nodes import PUBLISHER, running_pair
from bench.results import Figures, Tell

SIZES = (10_000, 100_000, 1_000_000)
QUICK_SIZES = (2_000, 20_000)

REPEATS = 3
"""Bulk runs at each size."""


async def run(folder: Path, sizes: Sequence[int], *, bulk: int, stream: int, tell: Tell) -> Figures:
    """Fills a feed and measures at each size, then starts both nodes again.

    Args:
        folder: where the nodes live.
        sizes: entries in the feed, ascending.
        bulk: alerts of one bulk run.
        stream: messages of one floor.
        tell: told of progress.
    """
    figures = Figures()
    async with running_pair(folder) as pair, running_echo(pair.cn.folder, PUBLISHER) as echo:
        await product.bulk(pair, 1_000)
        for size in sizes:
            await product.fill(pair, size, tell=tell)
            tell(f"growth: measuring at {size:,} entries")
            for _ in range(REPEATS):
                await pair.settled()
                floor = await echo.stream(stream)
                rate = (await product.bulk(pair, bulk)).receipted
                figures.note(f"growth: bulk with {size:,} entries before", "/s", rate)
                figures.note(f"growth: bulk / stream with {size:,} entries before", "×", rate / floor)
            for node in (pair.cn, pair.hk):
                figures.note(f"growth: memory of {node.name} with {size:,} entries", "MB", node.rss_mb)
                figures.note(f"growth: database of {node.name} with {size:,} entries", "MB", node.database_mb)
        for node in (pair.cn, pair.hk):  # one after the other, so that each start has the machine to itself
            tell(f"growth: restarting {node.name}")
            await node.stop()
            figures.note(f"growth: start-up of {node.name}", "s", await node.start())
            await pair.settled()
            figures.note(f"growth: memory of {node.name} after its start", "MB", node.rss_mb)
    return figures
