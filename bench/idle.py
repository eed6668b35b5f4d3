"""What nodes cost while nothing happens: cn, hk and mo linked and idle, and cn while both its partners are away.

python -m bench.idle [--seconds N] [--profile] [--json FILE]
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.nodes import NodeProcess, three_nodes
from bench.profile import Profile, read, sampler, tables
from bench.report import write
from bench.rounds import Figures, Series

SETTLED_S = 15.0
"""Seconds after the start until links, first looks and first signatures are done."""

AWAY_S = 10.0
"""Seconds after its partners' end until a node has given up the streams and tries at its slowest."""

MOST_SHARE = 0.005
"""Most of a core that an idle node may take."""

MOST_SHARE_ALONE = 0.01
"""Most of a core for a node whose two partners are away."""

ALONE = "cn alone"
"""cn while hk and mo don't run."""


@dataclass(frozen=True)
class Idle:
    """One node over the time: seconds of a processor, and how often its threads woke up."""

    cpu_s: float
    wakes: int

    def __sub__(self, before: Idle) -> Idle:
        return Idle(self.cpu_s - before.cpu_s, self.wakes - before.wakes)


def taken(node: NodeProcess) -> Idle:
    """What the node has taken since its start."""
    wakes = 0
    for status in Path(f"/proc/{node.pid}/task").glob("*/status"):
        wakes += int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.MULTILINE)[0])
    return Idle(node.cpu_s, wakes)


async def measure(folder: Path, seconds: float, *, profiled: bool) -> tuple[dict[str, Idle], Profile | None]:
    """Each node over so many seconds, then cn without the others; samples of cn beside them if wanted."""
    async with three_nodes(folder) as nodes:
        for node in nodes.values():
            await node.start()
        await asyncio.sleep(SETTLED_S)
        before = {name: taken(node) for name, node in nodes.items()}
        output = folder / "idle.stacks"
        sampling = sampler(nodes["cn"], output) if profiled else None
        await asyncio.sleep(seconds)
        after = {name: taken(node) for name, node in nodes.items()}
        if sampling is not None:
            sampling.send_signal(signal.SIGINT)
            await asyncio.to_thread(sampling.wait)
        idle = {name: now - before[name] for name, now in after.items()}
        await asyncio.gather(*(node.stop() for name, node in nodes.items() if name != "cn"))
        await asyncio.sleep(AWAY_S)
        beginning = taken(nodes["cn"])
        await asyncio.sleep(seconds)
        idle[ALONE] = taken(nodes["cn"]) - beginning
    return idle, read(output) if profiled else None


def main(
    seconds: Annotated[float, typer.Option(min=1, help="How long to measure.")] = 60.0,
    profiled: Annotated[bool, typer.Option("--profile", help="Sample cn too.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figure goes too.")] = None,
) -> None:
    """Measure three idle nodes."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    idle, profile = asyncio.run(measure(folder, seconds, profiled=profiled))
    shutil.rmtree(folder)
    console = Console()
    if profile is not None:
        for table in tables("cn", profile, idle["cn"].cpu_s * 1e6, 40):
            console.print(table)
    table = Table("node", "of a core", "wake-ups per second", "at most", "", title=f"Idle for {seconds:g} s")
    for name, one in idle.items():
        share, most = one.cpu_s / seconds, MOST_SHARE_ALONE if name == ALONE else MOST_SHARE
        verdict = "met" if share <= most else "not met"
        table.add_row(name, f"{share:.2%}", f"{one.wakes / seconds:.1f}", f"{most:.1%}", verdict)
    console.print(table)
    if json_file is not None:
        write(json_file, {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}, _figures(idle, seconds), None)


def _figures(idle: dict[str, Idle], seconds: float) -> Figures:
    shares = {name: one.cpu_s / seconds * 100 for name, one in idle.items()}
    alone = shares.pop(ALONE)
    return {"idle node": Series("%", [*shares.values()]), "node without its partners": Series("%", [alone])}


if __name__ == "__main__":
    typer.run(main)
