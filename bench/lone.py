"""What a lone alert costs both nodes: processor time, transactions, and how often threads wait for each other.

Alerts come at random moments at a steady rate, as from customs systems; a watcher is at the partner. All that the nodes
do meanwhile is counted: receipts, answers, upkeep.

    python -m bench.lone [--rate N] [--seconds N] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bench import product
from bench.floors import Echo, running_echo
from bench.nodes import PUBLISHER, NodeProcess, free_port, running_pair
from bench.results import Figures, show, write

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


async def measure(folder: Path, *, rate: float, seconds: float, rounds: int) -> Figures:
    """Of each alert: what each node did, what gRPC alone costs, and latencies."""
    figures, ports = Figures(), {name: free_port() for name in ("cn", "hk")}
    async with running_pair(folder, metrics_ports=ports) as pair, running_echo(pair.cn.folder, PUBLISHER) as echo:
        await product.latency(pair, 2.0, rate=rate)  # warms up
        nodes = [(node, ports[node.name]) for node in (pair.cn, pair.hk)]
        for _ in range(rounds):
            bare = [await _bare(echo, rate)]
            before = {node.name: counts(node, port) for node, port in nodes}
            latencies = await product.latency(pair, seconds, rate=rate)
            spent = {
                node.name: {what: value - before[node.name][what] for what, value in counts(node, port).items()}
                for node, port in nodes
            }
            bare.append(await _bare(echo, rate))
            _note(figures, spent, latencies, *(sum(values) / len(values) for values in zip(*bare, strict=True)))
    return figures


def _note(
    figures: Figures,
    spent: Mapping[str, Mapping[str, float]],
    latencies: product.Latencies,
    call_us: float,
    message_us: float,
) -> None:
    """One round: what all alerts took at each node, and a bare call's and message's processor time beside them."""
    for what in spent[PUBLISHER]:
        of_nodes = {name: values[what] / latencies.alerts for name, values in spent.items()}
        for name, value in {**of_nodes, "both": sum(of_nodes.values())}.items():
            figures.note(f"lone: {what}, {name}", "an alert", value)
    alert_us = figures["lone: processor, µs, both"].values[-1]
    figures.note("lone: bare call", "µs", call_us)
    figures.note("lone: bare message", "µs", message_us)
    figures.note("lone: an alert, in bare calls", "×", alert_us / call_us)
    bare_us = call_us + MESSAGES * message_us
    figures.note(f"lone: gRPC alone, a call and {MESSAGES} messages, of that", "%", bare_us / alert_us * 100)
    figures.note("lone: latency p50", "ms", latencies.p50_ms)
    figures.note("lone: latency p99", "ms", latencies.p99_ms)
    figures.note("lone: latency max", "ms", latencies.max_ms)


async def _bare(echo: Echo, rate: float) -> tuple[float, float]:
    """Processor time of a bare call and of a bare message, in µs."""
    return await echo.lone_us(rate, BARE_S), await echo.lone_message_us(rate, BARE_S)


def main(
    rate: Annotated[float, typer.Option(min=1, help="Alerts per second.")] = product.LATENCY_RATES[0],
    seconds: Annotated[float, typer.Option(min=1, help="How long they come.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, each between two of bare calls.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures go too.")] = None,
) -> None:
    """Measure lone alerts at one rate."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    figures = asyncio.run(measure(folder, rate=rate, seconds=seconds, rounds=rounds))
    shutil.rmtree(folder)
    show(figures, f"Lone alerts, {rate:g}/s")
    write(json_file, figures, command="python -m bench.lone")


if __name__ == "__main__":
    typer.run(main)
