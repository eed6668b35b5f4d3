"""What nodes cost while nothing happens: cn, hk and mo linked and idle, and cn while both its partners are away.

python -m bench.idle [--seconds N] [--json FILE]
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bench.nodes import three_nodes
from bench.results import Figures, show, write

SETTLED_S = 15.0
"""Seconds after the start until links, first looks and first signatures are done."""

AWAY_S = 10.0
"""Seconds after its partners' end until a node has given up the streams and tries at its slowest."""

PLAIN, ALONE = "idle node", "node without its partners"


async def measure(folder: Path, seconds: float) -> Figures:
    """Share of a core and wake-ups of each node over so many seconds, then of cn without the others."""
    figures = Figures()
    async with three_nodes(folder) as nodes:

        async def take(what: str, *names: str) -> None:
            before = {name: (nodes[name].cpu_s, nodes[name].waits) for name in names}
            await asyncio.sleep(seconds)
            for name, (cpu_s, waits) in before.items():
                figures.note(what, "%", (nodes[name].cpu_s - cpu_s) / seconds * 100)
                figures.note(f"{what}: wake-ups", "/s", (nodes[name].waits - waits) / seconds)

        for node in nodes.values():
            await node.start()
        await asyncio.sleep(SETTLED_S)
        await take(PLAIN, *nodes)
        await asyncio.gather(*(node.stop() for name, node in nodes.items() if name != "cn"))
        await asyncio.sleep(AWAY_S)
        await take(ALONE, "cn")
    return figures


def main(
    seconds: Annotated[float, typer.Option(min=1, help="How long to measure.")] = 60.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures go too.")] = None,
) -> None:
    """Measure three idle nodes."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    figures = asyncio.run(measure(folder, seconds))
    shutil.rmtree(folder)
    show(figures, f"Idle for {seconds:g} s, of a core")
    write(json_file, figures, command="python -m bench.idle")


if __name__ == "__main__":
    typer.run(main)
