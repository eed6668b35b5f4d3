"""What a lone alert costs both nodes: processor time, transactions, and how often threads wait for each other.

Alerts come at random moments at a steady rate, as from customs systems; a watcher is at the partner. All that the nodes
do meanwhile is counted: receipts, answers, upkeep.

    python -m bench.lone [--rate N] [--seconds N] [--profile]
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import product
from bench.floors import Echo, running_echo
from bench.nodes import PUBLISHER, NodeProcess, free_port, running_pair
from bench.profile import Profile, read, sampler, tables

BARE_S = 2.0
"""Seconds of bare calls, and of bare messages, before and after the alerts: the machine's speed at that time."""

MESSAGES = 5
"""Messages over streams that an alert needs at least: its batch, the receipt, the answer, that one's receipt, a change
for the watcher, each read and written once.
"""

_COMMITS = re.compile(r'^gateway_commits_total\{kind="(\w+)",result="ok"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class Bare:
    """What gRPC alone costs at this rate, in µs of the processor: the server of a call; both ends of a message."""

    call_us: float
    message_us: float

    @property
    def alert_us(self) -> float:
        """What the least calls and messages of an alert cost without a gateway."""
        return self.call_us + MESSAGES * self.message_us


@dataclass(frozen=True)
class Counts:
    """What a node has done since its start.

    Attributes:
        cpu_s: processor time in seconds.
        switches: how often one of its threads gave its processor up to wait for something.
        commits: transactions, by kind.
    """

    cpu_s: float
    switches: int
    commits: Counter[str]

    def since(self, before: Counts) -> Counts:
        return Counts(
            self.cpu_s - before.cpu_s, self.switches - before.switches, Counter(self.commits) - before.commits
        )


def counts(node: NodeProcess, metrics_port: int) -> Counts:
    """Reads what the system and the node's metrics say."""
    switches = 0
    for status in Path(f"/proc/{node.pid}/task").glob("*/status"):
        switches += int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.MULTILINE)[0])
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return Counts(node.cpu_s, switches, Counter({kind: int(float(number)) for kind, number in _COMMITS.findall(text)}))


async def measure(
    folder: Path, *, rate: float, seconds: float, profiled: bool
) -> tuple[product.Latencies, dict[str, Counts], dict[str, Profile], Bare]:
    """Latencies, what each node did, samples if wanted, and what gRPC alone costs."""
    ports = {name: free_port() for name in ("cn", "hk")}
    async with running_pair(folder, metrics_ports=ports) as pair, running_echo(pair.cn.folder, PUBLISHER) as echo:
        await product.latency(pair, 2.0, rate=rate)  # warms up
        nodes = (pair.cn, pair.hk)
        outputs = {node.name: folder / f"{node.name}.stacks" for node in nodes if profiled}
        samplers = [sampler(node, outputs[node.name]) for node in nodes if profiled]
        await asyncio.sleep(1.5 if profiled else 0)  # py-spy reads the symbols first
        bare = [await _bare(echo, rate)]
        before = {node.name: counts(node, ports[node.name]) for node in nodes}
        latencies = await product.latency(pair, seconds, rate=rate)
        spent = {node.name: counts(node, ports[node.name]).since(before[node.name]) for node in nodes}
        bare.append(await _bare(echo, rate))
        for running in samplers:
            running.send_signal(signal.SIGINT)
            await asyncio.to_thread(running.wait)
    return latencies, spent, {name: read(path) for name, path in outputs.items()}, _mean(bare)


async def _bare(echo: Echo, rate: float) -> Bare:
    return Bare(await echo.lone_us(rate, BARE_S), await echo.lone_message_us(rate, BARE_S))


def _mean(runs: Sequence[Bare]) -> Bare:
    return Bare(fmean(run.call_us for run in runs), fmean(run.message_us for run in runs))


def main(
    rate: Annotated[float, typer.Option(min=1, help="Alerts per second.")] = product.LATENCY_RATES[0],
    seconds: Annotated[float, typer.Option(min=1, help="How long they come.")] = 10.0,
    profiled: Annotated[bool, typer.Option("--profile", help="Sample the nodes too, which slows them down.")] = False,
) -> None:
    """Measure lone alerts at one rate."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    latencies, spent, profiles, bare = asyncio.run(measure(folder, rate=rate, seconds=seconds, profiled=profiled))
    shutil.rmtree(folder)
    alerts = latencies.alerts
    console = Console()
    for name, profile in profiles.items():
        for table in tables(name, profile, spent[name].cpu_s / alerts * 1e6, 40):
            console.print(table)
    console.print(_table(spent, alerts, f"{alerts} lone alerts, {rate:g}/s"))
    alert_us = sum(one.cpu_s for one in spent.values()) / alerts * 1e6
    console.print(
        f"a bare call costs its server {bare.call_us:.0f} µs: an alert costs {alert_us / bare.call_us:.1f} bare calls"
    )
    console.print(
        f"gRPC alone, a call and {MESSAGES} messages of {bare.message_us:.0f} µs over streams: {bare.alert_us:.0f} µs, "
        f"{bare.alert_us / alert_us:.0%} of that"
    )
    p50, p99 = f"p50 {latencies.p50_ms:.1f} ms", f"p99 {latencies.p99_ms:.1f} ms"
    console.print(f"latency {p50}, {p99}, most {latencies.max_ms:.0f} ms")


def _table(spent: dict[str, Counts], alerts: int, title: str) -> Table:
    table = Table("for each alert", *spent, "both", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    rows = {
        "processor µs": [one.cpu_s * 1e6 for one in spent.values()],
        "waits of threads": [float(one.switches) for one in spent.values()],
        "transactions of commands": [float(one.commits["commands"]) for one in spent.values()],
        "transactions of the projector": [float(one.commits["projection"]) for one in spent.values()],
    }
    for label, values in rows.items():
        numbers = [value / alerts for value in (*values, sum(values))]
        table.add_row(label, *(f"{number:,.0f}" if number >= 100 else f"{number:.2f}" for number in numbers))
    return table


if __name__ == "__main__":
    typer.run(main)
