"""Compares the screening index in memory with the same keys in tables: `python -m bench.screening_index [--entries N]`.

Three places for the same keys, rows and features, searched by one and the same code (`Index.search`):

* memory: the product's sorted columns (`gateway.screening.index`).
* tables: SQLite, one row for each posting, clustered by key, with the row's features beside it.
* fts5: SQLite's full-text index, contentless with `detail=none`, one token for each key.

Prints the time to index, the size, names a second in turn with each other, the memory of a process that searches, the
cost of an entry that is added later, and how many of the hits are the same.
"""

from __future__ import annotations

import argparse
import gc
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.environment import busy
from bench.recall import PARTIES, Query, derived, records
from bench.screening import queries
from gateway.screening.index import index as index_module
from gateway.screening.index import snapshot
from gateway.screening.index.candidates import MAX_GATHERED
from gateway.screening.index.columns import ROW_BITS, ROW_MASK, EntryColumns, IndexEntry
from gateway.screening.index.growing_columns import GrowingColumns
from gateway.screening.index.index import GC_THRESHOLD, NameIndex, PartyQuery
from gateway.screening.index.key_numbers import ALL_HELD, KEY_BITS
from gateway.screening.index.runs import SortedRun

ROUNDS = 5
CACHE_KIB = 65_536
"""Page cache of a connection; the rest is the operating system's."""

LATER = 2_000
"""Entries added after the index was made."""
TRANSACTION = 100
"""Of these, entries in one transaction."""

SIGN = 1 << 63
"""Taken from a posting, which is a number of 64 bits: SQLite's have a sign."""

SCHEMA = """
CREATE TABLE entry (entry INTEGER PRIMARY KEY, id TEXT, grp INTEGER, revision INTEGER, kind INTEGER, action INTEGER,
    valid_from INTEGER, valid_until INTEGER);
CREATE TABLE row (row INTEGER PRIMARY KEY, entry INTEGER, flags INTEGER, features INTEGER, text TEXT, brand TEXT);
CREATE TABLE posting (posting INTEGER PRIMARY KEY, features INTEGER);
"""
FTS_SCHEMA = """
CREATE VIRTUAL TABLE words USING fts5(keys, content='', detail='none', columnsize=0, tokenize='ascii');
"""
ROWS = """SELECT r.row, r.text, r.flags, r.features, r.brand, e.*
FROM row r JOIN entry e ON e.entry = r.entry WHERE r.row IN """


def batched(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[first : first + size] for first in range(0, len(items), size))


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        f"PRAGMA journal_mode=wal; PRAGMA synchronous=normal; PRAGMA cache_size=-{CACHE_KIB}; "
        "PRAGMA mmap_size=2147418112"
    )
    return connection


class TableColumns:
    """Rows and entries of one search, read from tables in batches; takes the place of `Columns`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.rows = 1
        self.texts, self.brands, self.features = dict[int, str](), dict[int, str](), dict[int, int]()
        self.row_flags, self.row_entries = _Fetched(self), dict[int, int]()
        self.ids, self.groups = dict[int, str](), dict[int, int]()
        self.revisions, self.kinds, self.actions = dict[int, int](), dict[int, int](), dict[int, int]()
        self.valid_from, self.valid_until = dict[int, int](), dict[int, int]()
        self.dead = _Never()

    def fetch(self, rows: Sequence[int]) -> None:
        for part in batched([row for row in rows if row not in self.texts], 200):
            for row, text, flags, features, brand, *entry in self._connection.execute(
                f"{ROWS}({','.join('?' * len(part))})", part
            ):
                self.texts[row], self.row_flags[row], self.row_entries[row] = text, flags, entry[0]
                self.features[row], self.brands[row] = features, brand
                number = entry[0]
                self.ids[number], self.groups[number] = entry[1], entry[2]
                self.revisions[number], self.kinds[number], self.actions[number] = entry[3:6]
                self.valid_from[number], self.valid_until[number] = entry[6:]

    def text(self, row: int) -> str:
        if row not in self.texts:
            self.fetch([row])
        return self.texts[row]

    def brand(self, row: int) -> str:
        if row not in self.brands:
            self.fetch([row])
        return self.brands[row]

    def id(self, entry: int) -> str:
        return self.ids[entry]


class _Fetched(dict[int, int]):
    def __init__(self, columns: TableColumns) -> None:
        self._columns = columns

    def __missing__(self, row: int) -> int:
        self._columns.fetch([row])
        return self[row]


class _Never:
    def __getitem__(self, _: int) -> int:
        return 0


class TableRun:
    """One search's view of tables; takes the place of a run. A span is a place in what was read."""

    def __init__(self, connection: sqlite3.Connection, fts5: bool) -> None:
        self._connection, self._fts5 = connection, fts5
        self.columns = TableColumns(connection)
        self.held = ALL_HELD
        self._read = list[int]()

    def may_hold(self, keys: Sequence[int]) -> list[int]:
        return list(keys)

    def spans(self, keys: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        return [span for span, _ in self.spans_by_group([(first, last, 0) for first, last in keys])]

    def spans_by_group(self, keys: Sequence[tuple[int, int, int]]) -> list[tuple[tuple[int, int], int]]:
        spans = []
        for first, last, group in keys:
            if self._fts5:
                words = f"{first}" if first == last else f"{first} OR {last}"
                postings = self._connection.execute(
                    "SELECT r.row, r.features FROM words w JOIN row r ON r.row = w.rowid WHERE words MATCH ? LIMIT ?",
                    (words, MAX_GATHERED),
                ).fetchall()
                rows = [row for row, _ in postings]
            else:
                bounds = (first << ROW_BITS) - SIGN, ((last + 1) << ROW_BITS) - 1 - SIGN, MAX_GATHERED
                postings = self._connection.execute(
                    "SELECT posting, features FROM posting WHERE posting BETWEEN ? AND ? LIMIT ?", bounds
                ).fetchall()
                rows = [posting & ROW_MASK for posting, _ in postings]
            if rows:
                spans.append(((len(self._read), len(self._read) + len(rows)), group))
                self._read += rows
                self.columns.features.update(zip(rows, [features for _, features in postings], strict=True))
        return sorted(spans, key=lambda grouped: grouped[0][1] - grouped[0][0])

    def rows(self, span: tuple[int, int]) -> list[int]:
        return self._read[span[0] : span[1]]


class TableIndex(NameIndex):
    """`Index` over tables."""

    def __init__(self, path: Path, groups: Sequence[str], fts5: bool) -> None:
        super().__init__((), groups)
        self._connection, self._fts5 = connect(path), fts5

    def search(self, party: PartyQuery, **options: Any) -> Any:
        self._connection.execute("BEGIN")
        run: Any = TableRun(self._connection, self._fts5)
        self._runs = (run,)
        try:
            return super().search(party, **options)
        finally:
            self._connection.execute("COMMIT")

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM entry").fetchone()[0])


def fill(path: Path, run: SortedRun, fts5: bool) -> None:
    """Puts what a sorted run holds into tables, in the order of their keys."""
    connection, columns = connect(path), run.columns
    connection.executescript(SCHEMA + FTS_SCHEMA)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?)", _entries(columns, 0))
    connection.executemany("INSERT INTO row VALUES (?,?,?,?,?,?)", _rows(columns, 0))
    if fts5:
        connection.executemany("INSERT INTO words (rowid, keys) VALUES (?,?)", _words(run))
    else:
        features = columns.features
        postings = ((value - SIGN, features[value & ROW_MASK]) for value in run.postings.values[:])
        connection.executemany("INSERT INTO posting VALUES (?,?)", postings)
    connection.execute("COMMIT")
    if fts5:
        connection.execute("INSERT INTO words (words) VALUES ('optimize')")
    connection.execute("PRAGMA wal_checkpoint(truncate)")
    connection.close()


def _words(run: SortedRun) -> Iterator[tuple[int, str]]:
    """Rows with their keys as words, from postings in the order of rows."""
    postings = array(
        "Q", sorted((value & ROW_MASK) << KEY_BITS | value >> ROW_BITS for value in run.postings.values[:])
    )
    mask = (1 << KEY_BITS) - 1
    for row, group in groupby(postings, key=lambda posting: posting >> KEY_BITS):
        yield row, " ".join(str(posting & mask) for posting in group)


def _entries(columns: EntryColumns, after: int) -> Iterator[tuple[Any, ...]]:
    for entry in range(len(columns)):
        yield (
            entry + after,
            columns.id(entry),
            columns.groups[entry],
            columns.revisions[entry],
            columns.kinds[entry],
            columns.actions[entry],
            columns.valid_from[entry],
            columns.valid_until[entry],
        )


def _rows(columns: EntryColumns, after: int, entries_after: int = 0) -> Iterator[tuple[Any, ...]]:
    for row in range(columns.rows):
        entry = columns.row_entries[row] + entries_after
        yield row + after, entry, columns.row_flags[row], columns.features[row], columns.text(row), columns.brand(row)


def _fetched(runs: Any, *options: Any) -> Iterator[Any]:
    columns: Any
    for columns, rows in _candidates(runs, *options):
        if isinstance(columns, TableColumns):
            columns.fetch(rows)
        yield columns, rows


_product: Any = index_module
_candidates = _product.candidates
_product.candidates = _fetched  # reads candidates from tables in one statement


def add_later(path: Path, added: Sequence[IndexEntry], fts5: bool) -> float:
    """Seconds of processor time to read and add entries to tables, some in a transaction."""
    connection = connect(path)
    entries = connection.execute("SELECT max(entry) + 1 FROM entry").fetchone()[0]
    rows = connection.execute("SELECT max(row) + 1 FROM row").fetchone()[0]
    began = time.process_time()
    for part in batched(added, TRANSACTION):
        columns, keys = GrowingColumns(), list[list[int]]()
        for record in part:
            entry = columns.add(record, 0)
            keys += [list(columns.read(row)) for row in columns.rows_of(entry)]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO entry VALUES (?,?,?,?,?,?,?,?)", _entries(columns, entries))
        connection.executemany("INSERT INTO row VALUES (?,?,?,?,?,?)", _rows(columns, rows, entries))
        if fts5:
            words = ((rows + row, " ".join(map(str, of_row))) for row, of_row in enumerate(keys))
            connection.executemany("INSERT INTO words (rowid, keys) VALUES (?,?)", words)
        else:
            postings = (
                ((key << ROW_BITS | rows + row) - SIGN, columns.features[row])
                for row, of_row in enumerate(keys)
                for key in of_row
            )
            connection.executemany("INSERT OR REPLACE INTO posting VALUES (?,?)", postings)
        connection.execute("COMMIT")
        entries, rows = entries + len(columns), rows + columns.rows
    taken = time.process_time() - began
    connection.close()
    return taken


def ask(index: NameIndex, asked: Sequence[Query]) -> float:
    """Names a second of processor time."""
    began = time.process_time()
    for query in asked:
        index.search(PartyQuery((query,)))
    return len(asked) / (time.process_time() - began)


def opened(form: str, folder: Path) -> NameIndex:
    memory = snapshot.read(folder / "memory").index if form == "memory" else None
    return memory or TableIndex(folder / form, ("cn/synthetic",), form == "fts5")


def start_only(form: str, folder: Path) -> None:
    """In a process of its own: seconds from its start to the first answer, and its memory after 2,000 names."""
    index = opened(form, folder)
    index.search(PartyQuery((queries(1, 3)[0],)))
    started = time.time() - psutil.Process().create_time()
    ask(index, queries(2_000, seed=5))
    memory = psutil.Process().memory_full_info()
    print(started, memory.uss, memory.rss)


def restart(form: str, folder: Path) -> list[float]:
    command = [sys.executable, "-m", "bench.screening_index", "--start", form, str(folder)]
    return [float(part) for part in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def build(count: int, minutes: float) -> NameIndex:
    """An index of so many entries, or of those that were read in time."""
    index, end = NameIndex(), time.monotonic() + 60 * minutes

    def in_time() -> Iterator[IndexEntry]:
        for number, record in enumerate(records(count)):
            if number % 1_000 == 0 and time.monotonic() > end:
                return
            yield record

    took = timed(lambda: index.load(in_time()))
    print(f"{len(index):,} entries read and indexed in {took:,.0f} s of processor time", flush=True)
    return index


def same_hits(ours: NameIndex, others: NameIndex, asked: Sequence[Query]) -> tuple[int, int]:
    """Hits of all queries, and those that another index finds too."""
    total = common = 0
    for query in asked:
        hits = {hit.reference for hit in ours.search(PartyQuery((query,))).hits}
        total += len(hits)
        common += len(hits & {hit.reference for hit in others.search(PartyQuery((query,))).hits})
    return total, common


def run(index: NameIndex, folder: Path) -> None:
    gc.set_threshold(GC_THRESHOLD)
    (sorted_run,) = index.sorted_runs()
    entries, forms = len(index), ("memory", "tables", "fts5")
    took = {
        "memory": timed(lambda: snapshot.write(folder / "memory", index, source="bench", seq=1)),
        "tables": timed(lambda: fill(folder / "tables", sorted_run, fts5=False)),
        "fts5": timed(lambda: fill(folder / "fts5", sorted_run, fts5=True)),
    }
    print(f"{entries:,} entries, {index.rows:,} rows, {len(sorted_run.postings):,} postings", flush=True)
    for form in forms:
        size = (folder / form).stat().st_size
        print(f"{form:<8} written in {took[form]:>6,.1f} s of processor time, {size / 1e6:,.0f} MB", flush=True)
    indexes = {form: index if form == "memory" else opened(form, folder) for form in forms}
    gc.collect()
    gc.freeze()
    asked = queries(2_500, seed=2)
    for warmed in indexes.values():
        ask(warmed, asked[2_000:])
    rates: dict[str, list[float]] = {form: [] for form in forms}
    for part in batched(asked[:2_000], 2_000 // ROUNDS):
        for form in forms:
            rates[form].append(ask(indexes[form], part))
    for form in forms:
        ratio = median(ours / memory for ours, memory in zip(rates[form], rates["memory"], strict=True))
        print(f"{form:<8} {median(rates[form]):>8,.0f} names/s, {ratio:.2f} of memory", flush=True)
    listed = [(name.text, name.kind) for record in islice(records(entries), 2_000) for name in record.names]
    rng = random.Random(7)
    close = [derived(rng, [name for name in listed if name[1] in PARTIES])[1] for _ in range(1_000)]
    for form in forms[1:]:
        total, common = same_hits(indexes["memory"], indexes[form], close)
        print(f"{form:<8} {common:,} of {total:,} hits the same", flush=True)
    for form in forms:
        started, private, resident = restart(form, folder)
        print(
            f"{form:<8} {private / 1e6:,.0f} MB private, {resident / 1e6:,.0f} MB resident, "
            f"first answer after {started:.1f} s",
            flush=True,
        )
    added = [record._replace(id=f"L{record.id}") for record in islice(records(LATER), LATER)]
    reading = timed(lambda: _read_only(added))

    def put() -> None:
        for record in added:
            index.put(record)
        while index.tidy():
            pass

    later = {
        "memory": timed(put),
        "tables": add_later(folder / "tables", added, fts5=False),
        "fts5": add_later(folder / "fts5", added, fts5=True),
    }
    print(f"an entry more: reading its names {reading / LATER * 1e6:,.0f} µs; with that", end="")
    print("".join(f", {form} {taken / LATER * 1e6:,.0f} µs" for form, taken in later.items()))


def _read_only(added: Sequence[IndexEntry]) -> None:
    columns = GrowingColumns()
    for record in added:
        for row in columns.rows_of(columns.add(record, 0)):
            list(columns.read(row))


def main() -> None:
    parser = argparse.ArgumentParser(description="The screening index in memory, in tables and in FTS5.")
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=25.0, help="most time to read entries")
    parser.add_argument("--snapshot", type=Path, help="take the index from this file instead")
    parser.add_argument("--start", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        start_only(options.start[0], Path(options.start[1]))
        return
    print(f"others use {busy():.0%} of this machine's cores")
    index = snapshot.read(options.snapshot).index if options.snapshot else build(options.entries, options.minutes)
    with tempfile.TemporaryDirectory() as folder:
        run(index, Path(folder))


if __name__ == "__main__":
    main()
