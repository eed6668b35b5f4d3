"""Measures shipment history: recording in bulk, and searches and traces over three nodes as the records grow.

Shipments are those of bench/shipment_records.py, made before the clock starts. Real TLS, SQLite
with synchronous=FULL, nothing switched off: validation, the signed log of records, agreements, statements, audit.

    python -m bench.history [--sizes 50000,500000] [--bulk N] [--dir FOLDER | --keep FOLDER] [--quiet-within SECONDS]
                            [--rounds N] [--json FILE]

With `--keep` the nodes stay in that folder, and the next run with it goes on with what they hold: five million records
take the better part of an hour to fill.

1. growth: the node's tables are filled to N by the product's own services, without gRPC. At each size: a search for one
   UCR, at our node alone and over three; a search for a place and a code with 1,000 results, until its first
   record and its rate afterwards; a trace of a consignment with a leg at each node.
2. recording: `RecordShipments` with 500 items in a message, until every item is acknowledged as durable, and until all
   are indexed and judged by the rules.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import shipment_records as made
from bench.floors import running_echo
from bench.history_recording import record
from bench.history_searches import Searches
from bench.nodes import NodeProcess, three_nodes
from bench.results import Figures, Tell, show, write
from gateway.db.database import Database
from gateway.history.tables import shipments

QUIET_LOAD = 1.0
"""Load average below which the machine is called quiet."""

ROUNDS = 300
"""Searches that are timed at each size, and twice as many as traces."""

_FIRST_OF_BULK = 1_000_000_000
"""Number of a shipment that no fill reaches."""


def _recorded_at(url: str) -> int:
    database = Database(url)
    try:
        with database.read() as conn:
            return shipments.last_position(conn)
    finally:
        database.close()


async def _filled(node: NodeProcess, size: int) -> None:
    """Fills the tables of a stopped node up to a size, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.history_fill", node.url, str(node.folder.log_key), node.name, str(size)
    )
    if await process.wait():
        raise SystemExit(f"filling {node.name} failed")


async def _quiet(tell: Tell, patience_s: float) -> None:
    """Waits until nobody else uses the machine, as long as there is patience."""
    ends_at = time.monotonic() + patience_s
    while os.getloadavg()[0] > QUIET_LOAD and time.monotonic() < ends_at:
        tell(f"waiting for a quiet machine, load {os.getloadavg()[0]:.1f}")
        await asyncio.sleep(30)


async def measure(
    folder: Path, sizes: Sequence[int], bulk: int, tell: Tell, *, rounds: int, patience_s: float
) -> Figures:
    """Takes all figures; those of a size are shown as soon as it has them."""
    figures = Figures()
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(three_nodes(folder / "nodes"))
        cn, hk, _ = nodes.values()
        echo = await stack.enter_async_context(running_echo(cn.folder, cn.name))
        for size in sizes:
            await asyncio.gather(*(node.stop() for node in nodes.values()))
            tell(f"filling to {size:,}")
            await asyncio.gather(*(_filled(node, size) for node in (cn, hk)))
            await _quiet(tell, patience_s)
            await asyncio.gather(*(node.start() for node in nodes.values()))
            async with cn.client() as officer:
                found = await Searches(officer, echo, nodes, tell, rounds).at_size(size)
            show(found, f"Among {size:,} records at cn and as many at hk")
            figures.update(found)
        if bulk:
            first = _FIRST_OF_BULK + await asyncio.to_thread(_recorded_at, cn.url)
            records = list(made.shipments(bulk, first=first))
            tell(f"recording {bulk:,}")
            async with cn.client() as client:
                recorded = await record(cn, client, records)
            for what, rate in recorded._asdict().items():
                figures.note(f"history: {what}", "/s", rate)
    return figures


def main(
    sizes: Annotated[str, typer.Option("--sizes", help="Records at which searches are timed.")] = "50000,500000",
    bulk: Annotated[int, typer.Option("--bulk", help="Shipments recorded through the API; 0: none.")] = 100_000,
    rounds: Annotated[int, typer.Option("--rounds", help="Searches timed at each size; half as many traces.")] = ROUNDS,
    patience_s: Annotated[float, typer.Option("--quiet-within", help="Seconds to wait for a quiet machine.")] = 0.0,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where databases go.")] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the nodes here, and go on with these.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Measures recording, searching and tracing."""
    console = Console()
    root = keep or Path(tempfile.mkdtemp(prefix="gateway-history-", dir=folder))
    root.mkdir(parents=True, exist_ok=True)
    steps = sorted(map(int, sizes.split(",")))
    try:
        run = measure(root, steps, bulk, console.print, rounds=rounds, patience_s=patience_s)
        figures = asyncio.run(run)
    finally:
        if keep is None:
            shutil.rmtree(root)
    show(figures, "Shipment history", console)
    write(json_file, figures, command=f"python -m bench.history --sizes {sizes}")


if __name__ == "__main__":
    typer.run(main)
