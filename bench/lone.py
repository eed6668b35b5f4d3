"""What a lone alert costs both nodes: processor time, transactions, and how often threads wait for each other.

Alerts come at random moments at a steady rate, as from customs systems; a watcher is at the partner. All that the nodes
do meanwhile is counted: receipts, answers, upkeep.

    python -m bench.lone [--rate N] [--seconds N]
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from bench import product
from bench.floors import Echo, running_echo
from bench.nodes import PUBLISHER, NodeProcess, free_port, running_pair
from bench.results import Figures, show

BARE_S = 2.0
"""Seconds of bare calls, and of bare messages, before and after the alerts: the machine's speed at that time."""

MESSAGES = 5
"""Messages over streams that an alert needs at least: its batch, the receipt, the answer, that one's receipt, a change
for the watcher, each read and written once.
"""

_COMMITS = re.compile(r'^gateway_commits_total\{kind="(\w+)",result="ok"\} (\S+)$', re.MULTILINE)


def counts(node: NodeProcess, metrics_port: int) -> dict[str, float]:
    """What a node has done since its start, as the system and its metrics say."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=10) as answer:
        commits = {kind: float(number) for kind, number in _COMMITS.findall(answer.read().decode())}
    return {
        "processor, µs": node.cpu_s * 1e6,
        "waits of threads": node.waits,
        "transactions of commands": commits.get("commands", 0),
        "transactions of the projector": commits.get("projection", 0),
    }


async def measure(folder: Path, *, rate: float, seconds: float) -> Figures:
    """Of each alert: what each node did, what gRPC alone costs, and latencies."""
    figures, ports = Figures(), {name: free_port() for name in ("cn", "hk")}
    async with running_pair(folder, metrics_ports=ports) as pair, running_echo(pair.cn.folder, PUBLISHER) as echo:
        await product.latency(pair, 2.0, rate=rate)  # warms up
        nodes = (pair.cn, pair.hk)
        await _note_bare(figures, echo, rate)
        before = {node.name: counts(node, ports[node.name]) for node in nodes}
        latencies = await product.latency(pair, seconds, rate=rate)
        spent = {
            node.name: {what: value - before[node.name][what] for what, value in counts(node, port).items()}
            for node, port in zip(nodes, ports.values(), strict=True)
        }
        await _note_bare(figures, echo, rate)
    for what in spent["cn"]:
        of_nodes = {name: values[what] / latencies.alerts for name, values in spent.items()}
        for name, value in {**of_nodes, "both": sum(of_nodes.values())}.items():
            figures.note(f"{what}, {name}", "an alert", value)
    alert_us = figures["processor, µs, both"].median
    call_us, message_us = figures["bare call"].median, figures["bare message"].median
    figures.note("an alert, in bare calls", "×", alert_us / call_us)
    bare_us = call_us + MESSAGES * message_us
    figures.note(f"gRPC alone, a call and {MESSAGES} messages, of that", "%", bare_us / alert_us * 100)
    figures.note("latency p50", "ms", latencies.p50_ms)
    figures.note("latency p99", "ms", latencies.p99_ms)
    figures.note("latency max", "ms", latencies.max_ms)
    return figures


async def _note_bare(figures: Figures, echo: Echo, rate: float) -> None:
    figures.note("bare call", "µs", await echo.lone_us(rate, BARE_S))
    figures.note("bare message", "µs", await echo.lone_message_us(rate, BARE_S))


def main(
    rate: Annotated[float, typer.Option(min=1, help="Alerts per second.")] = product.LATENCY_RATES[0],
    seconds: Annotated[float, typer.Option(min=1, help="How long they come.")] = 10.0,
) -> None:
    """Measure lone alerts at one rate."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    figures = asyncio.run(measure(folder, rate=rate, seconds=seconds))
    shutil.rmtree(folder)
    show(figures, f"Lone alerts, {rate:g}/s")


if __name__ == "__main__":
    typer.run(main)
