"""Measures a pair of nodes on PostgreSQL beside a pair on SQLite, in turn: alerts in bulk, recording, searching.

Four nodes and one PostgreSQL server run all the time; one of the two pairs works. PostgreSQL runs as it comes, with
fsync, on the same disk, and has a database for each of its two nodes. A ratio is taken within a round: PostgreSQL's
rate by SQLite's; for a search SQLite's time by PostgreSQL's. Processor time counts what nodes, their workers and the
server's processes used until nothing was left to do.

    python -m bench.postgresql [--rounds N] [--alerts N] [--records N] [--searches N] [--dir FOLDER] [--json FILE]
                               [--statements N]

`--statements` prints where the server spent its time (pg_stat_statements), which itself costs some time.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import psutil
import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bench import product
from bench import shipment_records as made
from bench.history import postgresql_server
from bench.history_searches import GROUNDS
from bench.nodes import PUBLISHER, RECIPIENT, NodeProcess, Pair, running_pair
from bench.rounds import Series
from gateway.client import GatewayClient
from gateway.db.database import Database
from gateway.history.tables import progress as record_progress
from gateway.v1 import history_pb2

SQLITE, POSTGRESQL = "sqlite", "postgresql"

POLL_S = 0.05
"""How often the index's progress is read while it is timed, in seconds."""

_LOADED = "shared_preload_libraries"

_STATEMENTS = """
SELECT datname, calls, total_exec_time, rows, wal_bytes, query
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
ORDER BY total_exec_time DESC LIMIT %s"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a round does on each database."""

    alerts: int
    records: int
    searches: int


@dataclass(frozen=True, slots=True)
class Side:
    """A running pair, and the processes of its database's server.

    Attributes:
        server: the server's first process; None for SQLite.
    """

    name: str
    pair: Pair
    server: psutil.Process | None

    def node_s(self, node: NodeProcess) -> float:
        """Processor time that a node and its workers have used, in seconds."""
        return used_s(psutil.Process(node.pid))

    def server_s(self) -> float:
        """Processor time that the server has used for all its databases, in seconds."""
        return 0.0 if self.server is None else used_s(self.server)

    def spent_s(self) -> dict[str, float]:
        """By whom."""
        of_nodes = {node.name: self.node_s(node) for node in (self.pair.cn, self.pair.hk)}
        return {**of_nodes, "server": self.server_s()}


Figures = dict[str, Series]


class Notes:
    """Takes figures of rounds."""

    def __init__(self) -> None:
        self.figures: Figures = {}

    def add(self, name: str, unit: str, value: float) -> None:
        self.figures.setdefault(name, Series(unit)).values.append(value)

    def spent(self, side: Side, what: str, before: Mapping[str, float], count: int) -> None:
        """Notes the processor time since `before`, for each of some items."""
        total = 0.0
        for who, seconds in side.spent_s().items():
            used_us = (seconds - before[who]) / count * 1e6
            total += used_us
            if used_us and (who != RECIPIENT or what == "bulk"):
                self.add(f"{side.name}: {what}, processor of {who}", "µs", used_us)
        self.add(f"{side.name}: {what}, processor", "µs", total)

    def ratio(self, what: str, *, of: str, inverse: bool = False) -> None:
        """Notes PostgreSQL's last figure by SQLite's, or the other way round for times."""
        mine, other = (self.figures[f"{name}: {of}"].values[-1] for name in (POSTGRESQL, SQLITE))
        self.add(f"postgresql / sqlite: {what}", "×", other / mine if inverse else mine / other)


async def bulk(side: Side, count: int, notes: Notes) -> None:
    """Alerts from the client to the recipient's receipt."""
    await side.pair.settled()
    before = side.spent_s()
    taken = await product.bulk(side.pair, count)
    notes.add(f"{side.name}: bulk", "/s", taken.receipted)
    notes.spent(side, "bulk", before, count)


async def record(side: Side, count: int, first: int, notes: Notes) -> None:
    """Shipments recorded at the publisher: until they are durable, findable, and evaluated."""
    records = list(made.shipments(count, first=first))
    database = Database(side.pair.cn.url)
    try:
        before, goal = side.spent_s(), first + count
        started = time.perf_counter()
        async for batch in side.pair.cn_client.history.record(records):
            assert not batch.refused
        durable = time.perf_counter() - started
        indexed = await _reached(database, goal, started, evaluated=False)
        evaluated = await _reached(database, goal, started, evaluated=True)
    finally:
        database.close()
    for what, seconds in (("record", durable), ("record until findable", indexed), ("record until judged", evaluated)):
        notes.add(f"{side.name}: {what}", "/s", count / seconds)
    notes.spent(side, "record", before, count)


async def _reached(database: Database, goal: int, started: float, *, evaluated: bool) -> float:
    """Seconds since `started` when so many records are indexed, or evaluated."""
    position = record_progress.evaluated if evaluated else record_progress.indexed

    def read() -> int:
        with database.read() as conn:
            return position(conn)

    while await asyncio.to_thread(read) < goal:  # noqa: ASYNC110  the state is another process's
        await asyncio.sleep(POLL_S)
    return time.perf_counter() - started


async def search(sides: Sequence[Side], numbers: Sequence[int], notes: Notes) -> None:
    """Searches of one reference each, in turn on both."""
    taken: dict[str, list[float]] = {side.name: [] for side in sides}
    before = {side.name: side.spent_s() for side in sides}
    for number in numbers:
        for side in sides:
            taken[side.name].append(await _search(side.pair.cn_client, number))
    for side in sides:
        milliseconds = sorted(1000 * one for one in taken[side.name])
        notes.add(f"{side.name}: search p50", "ms", statistics.median(milliseconds))
        notes.add(f"{side.name}: search p99", "ms", milliseconds[int(0.99 * len(milliseconds))])
        notes.spent(side, "search", before[side.name], len(numbers))


async def _search(client: GatewayClient, number: int) -> float:
    criteria = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=made.ucr(number))])
    started = time.perf_counter()
    found = [one async for one in client.history.search(criteria, GROUNDS, nodes=[PUBLISHER])]
    taken = time.perf_counter() - started
    assert any(isinstance(one, history_pb2.HistoryRecord) for one in found)
    return taken


async def measure(sides: Sequence[Side], sizes: Sizes, rounds: int, tell: Any) -> Figures:
    """Takes all figures; the sides change their order from round to round. One small round goes before."""
    warm = Sizes(min(2_000, sizes.alerts), min(2_000, sizes.records), 20)
    recorded = await _round(sides, warm, 0, Notes(), lambda what: tell(f"warming up: {what}"))
    notes = Notes()
    for number in range(1, rounds + 1):
        order = sides if number % 2 else sides[::-1]
        recorded = await _round(order, sizes, recorded, notes, lambda what, n=number: tell(f"round {n}: {what}"))
        notes.ratio("bulk", of="bulk")
        notes.ratio("record", of="record")
        notes.ratio("record until findable", of="record until findable")
        notes.ratio("search", of="search p50", inverse=True)
        for what in ("bulk", "record", "search"):
            notes.ratio(f"{what}, processor", of=f"{what}, processor", inverse=True)
    return notes.figures


async def _round(sides: Sequence[Side], sizes: Sizes, recorded: int, notes: Notes, tell: Any) -> int:
    """Measures once; returns how many records there are then."""
    for side in sides:
        tell(f"{side.name}, bulk")
        await bulk(side, sizes.alerts, notes)
    for side in sides:
        tell(f"{side.name}, record")
        await record(side, sizes.records, recorded, notes)
    recorded += sizes.records
    tell("search")
    numbers = made.sample(recorded, min(sizes.searches, recorded))
    await search(sides, numbers, notes)
    return recorded


@asynccontextmanager
async def running_sides(root: Path, *, statements: bool) -> AsyncIterator[list[Side]]:
    """Both pairs with empty databases, SQLite's first."""
    async with AsyncExitStack() as stack:
        if statements:
            _load_statements(root / "server")
        databases = stack.enter_context(postgresql_server(root / "server"))
        urls = {name: databases(name) for name in (PUBLISHER, RECIPIENT)}
        if statements:
            for url in urls.values():
                _execute(url, "CREATE EXTENSION pg_stat_statements")
        server = psutil.Process(int((root / "server" / "postmaster.pid").read_text("utf-8").split()[0]))
        sqlite = await stack.enter_async_context(running_pair(root / SQLITE))
        postgresql = await stack.enter_async_context(running_pair(root / POSTGRESQL, database_urls=urls))
        yield [Side(SQLITE, sqlite, None), Side(POSTGRESQL, postgresql, server)]


def _load_statements(folder: Path) -> None:
    with postgresql_server(folder) as databases:
        _execute(databases("settings"), f"ALTER SYSTEM SET {_LOADED} = 'pg_stat_statements'")


def _execute(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def used_s(first: psutil.Process) -> float:
    """Processor time of a process and all below it, in seconds, those included that have ended."""
    used = 0.0
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            used += sum(process.cpu_times()[:4])  # user, system, and those of children that have ended
    return used


def show(figures: Figures, console: Console) -> None:
    """Prints the figures."""
    table = Table("", "median", "least", "greatest", "", title="PostgreSQL beside SQLite, interleaved")
    for column in table.columns[1:4]:
        column.justify = "right"
    for name, series in sorted(figures.items()):
        values = (series.median, min(series.values), max(series.values))
        table.add_row(name, *(f"{value:,.0f}" if value >= 100 else f"{value:.2f}" for value in values), series.unit)
    console.print(table)


def show_statements(url: str, most: int, console: Console) -> None:
    """Prints the statements that cost the server most, over all databases."""
    table = Table("database", "calls", "ms", "µs each", "rows", "WAL kB", "statement", title="Statements by their time")
    with psycopg.connect(url, autocommit=True) as connection:
        for name, calls, ms, rows, wal, query in connection.execute(_STATEMENTS, (most,)):
            text = " ".join(query.split())[:150]
            figures = (f"{calls:,}", f"{ms:,.0f}", f"{ms / calls * 1000:,.0f}", f"{rows:,}", f"{wal / 1000:,.0f}")
            table.add_row(name, *figures, text)
    console.print(table)


def write(path: Path, figures: Figures, command: str) -> None:
    """Writes the figures for `bench.charts --add`, without those of single processes."""
    series = {
        name: {"unit": one.unit, "median": one.median, "min": min(one.values), "max": max(one.values)}
        for name, one in figures.items()
        if "processor of" not in name
    }
    environment = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    document = {"environment": environment, "command": command, "figures": series}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


async def _run(root: Path, sizes: Sizes, rounds: int, statements: int, console: Console) -> Figures:
    async with running_sides(root, statements=bool(statements)) as sides:
        with console.status("starting") as status:
            figures = await measure(sides, sizes, rounds, status.update)
        if statements:
            show_statements(sides[1].pair.cn.url, statements, console)
        return figures


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each measures both databases.")] = 3,
    alerts: Annotated[int, typer.Option(min=500, help="Alerts in bulk in a round.")] = 10_000,
    records: Annotated[int, typer.Option(min=500, help="Shipments recorded in a round.")] = 10_000,
    searches: Annotated[int, typer.Option(min=20, help="Searches in a round.")] = 300,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where databases go.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
    statements: Annotated[int, typer.Option(min=0, help="Costly statements to print; 0: none.")] = 0,
) -> None:
    """Measure bulk, recording and searching on PostgreSQL beside SQLite."""
    console = Console(width=160)
    root = Path(tempfile.mkdtemp(prefix="gateway-bench-", dir=folder))
    root.chmod(0o755)  # PostgreSQL runs as another user when this is root
    figures = asyncio.run(_run(root, Sizes(alerts, records, searches), rounds, statements, console))
    shutil.rmtree(root)  # kept when something failed: the nodes' logs are there
    show(figures, console)
    if json_file is not None:
        options = f"--rounds {rounds} --alerts {alerts} --records {records} --searches {searches}"
        write(json_file, figures, f"python -m bench.postgresql {options}")


if __name__ == "__main__":
    typer.run(main)
