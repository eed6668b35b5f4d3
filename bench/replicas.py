"""Measures publishing through one, two and four replicas on PostgreSQL, beside one node on SQLite, in turn.

Real processes on loopback, real TLS, durable commits (PostgreSQL with fsync, one server without a standby). Each round
starts every variant afresh and stops it again. The recipient runs and receives. One process makes the calls: where it
is the bound, more replicas can't show more.

    python -m bench.replicas [--rounds N] [--seconds S] [--callers N]
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.support.federation import Federation, NodeProcess, alert
from tests.support.postgres import PostgresServer, embedded_server
from tests.support.replicas import add_replicas

SQLITE = "SQLite, one process"
VARIANTS = {SQLITE: 0, "PostgreSQL, 1 replica": 1, "PostgreSQL, 2 replicas": 2, "PostgreSQL, 4 replicas": 4}

ALONE = 50
"""Alerts published one after the other."""

WARM = 20
"""Alerts before anything is measured."""


@dataclass
class Figures:
    """One variant: a value for each round.

    Attributes:
        rate: alerts acknowledged in a second, with all callers at once.
        alone: median milliseconds of an alert that is published alone.
    """

    rate: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each measures every variant once.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of load for each variant.")] = 5.0,
    callers: Annotated[int, typer.Option(min=1, help="Callers at once, spread over the replicas.")] = 32,
) -> None:
    """Measure publishing through replicas."""
    console, figures = Console(width=100), {name: Figures() for name in VARIANTS}
    with embedded_server() as server:
        postgres = _durable(server.url)
        for round_number in range(1, rounds + 1):
            for name, replicas in VARIANTS.items():
                console.print(f"round {round_number}: {name}", highlight=False)
                with _running(replicas, postgres) as (federation, nodes):
                    alone, rate = federation.run(_measure(federation, nodes, seconds, callers))
                figures[name].alone.append(alone)
                figures[name].rate.append(rate)
        postgres.close()
    table = Table("variant", "alerts/s", "of SQLite", "alone, ms", title=f"{callers} callers, {rounds} rounds")
    base = statistics.median(figures[SQLITE].rate)
    for name, measured in figures.items():
        share = f"{statistics.median(measured.rate) / base:.2f}"
        table.add_row(name, _spread(measured.rate, 0), share, _spread(measured.alone, 1))
    console.print(table)


@contextmanager
def _running(replicas: int, postgres: PostgresServer) -> Iterator[tuple[Federation, Sequence[NodeProcess]]]:
    """The publisher's processes and the recipient, with new databases."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        federation = stack.enter_context(Federation(root / "federation"))
        nodes: Sequence[NodeProcess] = [federation["cn"]]
        if replicas:
            name = postgres.create()
            stack.callback(postgres.drop, name)
            nodes = add_replicas(federation, "cn", postgres.url_of(name), replicas)
        federation.start("hk")
        for node in nodes:
            node.start()
        try:
            yield federation, nodes
        finally:
            for node in (*nodes, federation["hk"]):
                node.stop()


async def _measure(
    federation: Federation, nodes: Sequence[NodeProcess], seconds: float, callers: int
) -> tuple[float, float]:
    """Milliseconds of a lone alert, and alerts in a second under load."""
    for node in nodes:
        await _publish_each(federation, node, WARM)
    alone = statistics.median(await _publish_each(federation, nodes[0], ALONE))
    until = time.monotonic() + seconds
    done = await asyncio.gather(
        *[_publish_until(federation, nodes[caller % len(nodes)], until) for caller in range(callers)]
    )
    return alone * 1000, sum(done) / seconds


async def _publish_each(federation: Federation, node: NodeProcess, count: int) -> list[float]:
    """Seconds of each alert, one after the other."""
    times = []
    async with federation.client_at(node.local_port, "cn", "publisher") as client:
        for _ in range(count):
            started = time.monotonic()
            await client.publish(alert(), ["hk"])
            times.append(time.monotonic() - started)
    return times


async def _publish_until(federation: Federation, node: NodeProcess, until: float) -> int:
    """Number of alerts that one caller had acknowledged in time."""
    done = 0
    async with federation.client_at(node.local_port, "cn", "publisher") as client:
        while time.monotonic() < until:
            await client.publish(alert(), ["hk"])
            done += time.monotonic() < until
    return done


def _durable(url: str) -> PostgresServer:
    """The server, with every commit on the disk before it is acknowledged."""
    server = PostgresServer(url)
    for statement in ("ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"):
        server._execute(statement)
    return server


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


if __name__ == "__main__":
    typer.run(main)
