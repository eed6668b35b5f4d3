"""What each process spends on alerts and list entries in bulk, without and with processes that prepare them.

Rates on a machine with few cores say nothing about more of them. Processor time by process does: a node's own process
is one interpreter, so it bounds the rate, whatever the others do; and all processes together bound it on few cores.

    python -m bench.workers [--alerts N] [--entries N] [--processes N]
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from bench import product
from bench.lists import Rows, import_rows, rows_of, stub_of
from bench.nodes import NodeProcess, Pair, running_pair
from gateway.rpc.workers import worker_main

CORES = (1, 2, 4, 8)
"""For which the ceiling is computed."""

OWN, PREPARATION, OTHERS = "node", "preparation", "others"

SpentTimes = Mapping[tuple[str, str], float]
"""Seconds of processor time by node and kind of process."""


@dataclass(frozen=True)
class Spent:
    """Processor time per item in µs, by node and kind of process; the client's too."""

    what: str
    processes: int
    items: int
    by: SpentTimes
    client_us: float

    def ceiling(self, cores: int) -> float:
        """Items per second of two nodes and a client on so many cores: the busiest interpreter, or all together.

        What works beside it (screening, indexes) isn't counted: it has a lower priority and ends later.
        """
        counted = {of: us for of, us in self.by.items() if of[1] != OTHERS}
        single = max(us for of, us in counted.items() if of[1] == OWN)
        return 1e6 / max(single, (sum(counted.values()) + self.client_us) / cores)


def _seconds(pair: Pair) -> dict[tuple[str, str], float]:
    spent: dict[tuple[str, str], float] = {}
    for node in (pair.cn, pair.hk):
        spent[node.name, OWN] = node.cpu_s
        for child in psutil.Process(node.pid).children(recursive=True):
            command = child.cmdline()
            name = command[command.index(worker_main.__name__) + 1] if worker_main.__name__ in command else ""
            kind = PREPARATION if name.startswith(PREPARATION) else OTHERS
            times = child.cpu_times()
            spent[node.name, kind] = spent.get((node.name, kind), 0.0) + times.user + times.system
    return spent


async def _measured(pair: Pair, what: str, processes: int, items: int, work: Callable[[], Awaitable[None]]) -> Spent:
    before, client = _seconds(pair), psutil.Process().cpu_times()
    await work()
    after, client_after = _seconds(pair), psutil.Process().cpu_times()
    by = {of: (seconds - before.get(of, 0.0)) / items * 1e6 for of, seconds in after.items()}
    client_us = (client_after.user + client_after.system - client.user - client.system) / items * 1e6
    return Spent(what, processes, items, by, client_us)


def _query(node: NodeProcess, statement: str) -> int:
    connection = sqlite3.connect(f"file:{node.folder.path / 'data' / 'gateway.sqlite3'}?mode=ro", uri=True)
    try:
        found = connection.execute(statement).fetchone()
        return int(found[0] or 0) if found else 0
    finally:
        connection.close()


async def measure(folder: Path, processes: int, alerts: int, rows: Rows) -> list[Spent]:
    """Alerts in bulk, and a list's way to the partner's lists."""
    os.environ["GATEWAY_WORKERS__PREPARATION"] = str(processes)
    async with running_pair(folder) as pair:
        await product.bulk(pair, 2_000)
        await pair.settled()

        async def publish() -> None:
            await product.bulk(pair, alerts)
            await pair.settled()

        async def exchange() -> None:
            await import_rows(stub_of(pair.cn_client), rows)
            listed = "SELECT count(*) FROM list_entries"
            while await asyncio.to_thread(_query, pair.hk, listed) < len(rows):  # noqa: ASYNC110  another process
                await asyncio.sleep(0.1)

        return [
            await _measured(pair, "alert", processes, alerts, publish),
            await _measured(pair, "list entry", processes, len(rows), exchange),
        ]


def show(found: list[Spent], console: Console) -> None:
    """Prints what was spent, and the ceilings that follow."""
    table = Table("item", "processes", "cn", "its pool", "hk", "its pool", "client", title="Processor µs per item")
    for one in found:
        spent = [f"{one.by.get((node, kind), 0.0):.0f}" for node in ("cn", "hk") for kind in (OWN, PREPARATION)]
        table.add_row(one.what, str(one.processes), *spent, f"{one.client_us:.0f}")
    console.print(table)
    ceilings = Table("item", "processes", *(f"{cores} cores" for cores in CORES), title="Most items per second")
    for one in found:
        ceilings.add_row(one.what, str(one.processes), *(f"{one.ceiling(cores):,.0f}" for cores in CORES))
    ceilings.caption = "computed from the table above, not measured"
    console.print(ceilings)


def main(
    alerts: Annotated[int, typer.Option(min=1, help="Alerts to send.")] = 10_000,
    entries: Annotated[int, typer.Option(min=1, help="Entries in the list.")] = 20_000,
    processes: Annotated[int, typer.Option(min=1, help="Processes of each node's pool.")] = 2,
) -> None:
    """Measure and print what each process spends."""
    rows = rows_of(entries)
    found: list[Spent] = []
    for number in (0, processes):
        folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
        found += asyncio.run(measure(folder, number, alerts, rows))
        shutil.rmtree(folder)
    show(sorted(found, key=lambda one: one.what), Console())


if __name__ == "__main__":
    typer.run(main)
