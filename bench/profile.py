"""Where the time of running nodes goes: samples both under bulk or unary load, without changing them.

What the stages of an alert cost in isolation is `bench.stages`'s.

    python -m bench.profile [--load bulk|unary] [--alerts N] [--top N]
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import product
from bench.nodes import NodeProcess, Pair, running_pair

SAMPLES_PER_S = 200
"""More would slow the nodes down visibly: each sample stops them for some hundred microseconds."""

_IDLE = ("_worker (", "select (", "_poll_wrapper", "wait (threading", "_wait_for_tstate_lock")
"""Leaf functions in which a thread waits though py-spy may count it as running."""

_ADDRESS = re.compile(r"thread \([0-9A-Fa-fx]+\):? ?")
_NUMBER = re.compile(r"_\d+$")
_LINE = re.compile(r":\d+\)$")


@dataclass
class Profile:
    """Samples by thread: in a function itself, and in it or below it."""

    samples: Counter[str] = field(default_factory=Counter)
    own: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    below: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, thread: str, frames: list[str], count: int) -> None:
        if not frames or frames[-1].startswith(_IDLE):
            return
        self.samples[thread] += count
        self.own[thread][frames[-1]] += count
        for frame in set(frames):
            self.below[thread][frame] += count

    @property
    def total(self) -> int:
        return self.samples.total()


def read(path: Path) -> Profile:
    """Reads py-spy's raw format: one stack and its count in each line."""
    profile = Profile()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        thread, *frames = stack.split(";")
        name = _NUMBER.sub("", _ADDRESS.sub("", thread)) or "unnamed"
        profile.add(name, [_LINE.sub(")", frame) for frame in frames], int(count))
    return profile


async def sample(folder: Path, load: str, count: int) -> dict[str, tuple[Profile, float]]:
    """Runs the load on two nodes; returns each node's profile and its processor time per alert in µs."""
    async with running_pair(folder) as pair:
        await product.bulk(pair, 2_000)
        await pair.settled()
        nodes = (pair.cn, pair.hk)
        outputs = {node.name: folder / f"{node.name}.stacks" for node in nodes}
        samplers = [sampler(node, outputs[node.name]) for node in nodes]
        await asyncio.sleep(1.5)  # py-spy reads the symbols first
        before = [node.cpu_s for node in nodes]
        await _load(pair, load, count)
        spent = [node.cpu_s - start for node, start in zip(nodes, before, strict=True)]
        for sampling in samplers:
            sampling.send_signal(signal.SIGINT)
            await asyncio.to_thread(sampling.wait)
        return {
            node.name: (read(outputs[node.name]), cpu_s / count * 1e6) for node, cpu_s in zip(nodes, spent, strict=True)
        }


async def _load(pair: Pair, load: str, count: int) -> None:
    if load == "bulk":
        await product.bulk(pair, count)
    else:
        await product.publish(pair, count, 64)
        await pair.settled()


def sampler(node: NodeProcess, output: Path) -> subprocess.Popen[bytes]:
    """Samples a node into a file until it gets SIGINT."""
    program = Path(sys.executable).parent / "py-spy"
    options = ["--rate", str(SAMPLES_PER_S), "--threads", "--format", "raw", "--output", str(output)]
    command = [str(program), "record", "--pid", str(node.pid), "--duration", "3600", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def tables(name: str, profile: Profile, cpu_us: float, top: int) -> Iterator[Table]:
    """One table for each thread that mattered: the product's functions by all that they cause, then any by themselves.

    Shares are of all samples of the node.
    """
    for thread, samples in profile.samples.most_common(4):
        share = samples / profile.total
        table = Table("function", "itself", "with all below", title=f"{name}, {thread}: {share:.0%} of the samples")
        for column in table.columns[1:]:
            column.justify = "right"
        table.caption = f"the whole node: {cpu_us:.0f} µs of processor time per alert, gRPC's own threads included"
        own, below = profile.own[thread], profile.below[thread]
        ours = [frame for frame, _ in below.most_common() if "(gateway/" in frame][:top]
        others = [frame for frame, _ in own.most_common(top // 2) if frame not in ours]
        for frames in (ours, others):
            for frame in frames:
                table.add_row(frame, f"{own[frame] / profile.total:.1%}", f"{below[frame] / profile.total:.1%}")
            table.add_section()
        yield table


def main(
    load: Annotated[str, typer.Option(help="bulk or unary (64 in flight).")] = "bulk",
    count: Annotated[int, typer.Option("--alerts", help="Alerts to send.")] = 20_000,
    top: Annotated[int, typer.Option(help="Functions to show of each thread.")] = 30,
) -> None:
    """Sample both nodes under load and print where their time goes."""
    if load not in ("bulk", "unary"):
        raise typer.BadParameter("bulk or unary", param_hint="--load")
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    profiles = asyncio.run(sample(folder, load, count))
    shutil.rmtree(folder)
    console = Console()
    for name, (profile, cpu_us) in profiles.items():
        for table in tables(name, profile, cpu_us, top):
            console.print(table)


if __name__ == "__main__":
    typer.run(main)
