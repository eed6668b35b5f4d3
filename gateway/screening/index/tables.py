"""Keeps names of entries and their keys in tables of a SQLite database: a file of derived data, or memory.

A posting (key, row) has the row's features beside it, so that most rows are ruled out before their names are read.
Rows are numbered once and for all: what is left of a removed entry's postings leads nowhere, until `purge`.

One thread writes. Each thread reads a file by a connection of its own and sees what was committed before; in memory
reading and writing take turns.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from gateway.errors import GatewayError, Kind, StoreUnavailableError
from gateway.screening.index.entries import ListedName
from gateway.screening.index.key_numbers import KEY_BITS, OTHER_SIDE, KeyKind, held_by, kind_of
from gateway.screening.index.reading import ReadEntry

RULES = 13
"""Raise it whenever names are read or keyed differently, or the tables change."""

MAX_OF_KEY = 3_000
"""Rows read of a key; more common keys don't discriminate."""

MOST_AT_ONCE = 5_000
"""Postings read in one statement; if keys have more, each is read by itself, as far as it is needed."""

MAX_MAPPED = 256_000_000
"""Bytes of a file that are mapped for readers: memory that the system can take back. The rest is read in pages."""

_VARIABLES = 500
"""Values in one statement."""

_WRITER_KB, _READER_KB = 65_536, 8_192
"""Caches of connections."""

_MOST_LOGGED = 16_000_000
"""Bytes of the write-ahead log's file that stay after a long change."""

_ROW_BITS = 26
_ROW_MASK = (1 << _ROW_BITS) - 1
_RANGE_SHIFT = KEY_BITS - 4
"""New postings are sorted in ranges of keys, which bounds memory."""

_PURGE_STEPS = 4_096
_LEAST_DEAD = 10_000
"""Rows that are gone, at least, before their postings are removed; and half as many as there are."""

_TABLES = """
CREATE TABLE state (content TEXT NOT NULL);
CREATE TABLE names (
    row INTEGER PRIMARY KEY, entry INTEGER NOT NULL, list INTEGER NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL,
    kind INTEGER NOT NULL, action INTEGER NOT NULL, valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL,
    flags INTEGER NOT NULL, form TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX names_by_entry ON names (id, list);
CREATE TABLE postings (
    key INTEGER NOT NULL, row INTEGER NOT NULL, features INTEGER NOT NULL, brand TEXT, PRIMARY KEY (key, row)
) WITHOUT ROWID;
"""
_ADD_NAME = f"INSERT INTO names VALUES ({', '.join('?' * len(ListedName._fields))})"
_OF_KEY = f"SELECT row, features, brand FROM postings WHERE key BETWEEN ? AND ? LIMIT {MAX_OF_KEY}"
_PURGE = "DELETE FROM postings WHERE key >= ? AND key < ? AND row NOT IN (SELECT row FROM names)"


class IndexUnusableError(GatewayError):
    """Reports a file of the screening index that is damaged, or of other rules or another history."""

    reason = "INDEX_UNUSABLE"
    kind = Kind.DATA_LOSS
    way_out = (
        "Nothing needs to be done: the index is built anew from the lists, which takes some minutes for a million."
    )


@dataclass
class IndexState:
    """What is true of a whole index.

    Attributes:
        rules: as `RULES` was.
        seq: the last change in it.
        source: names the history of changes.
        complete: whether it lacks no entry.
        held: kinds of its keys, at least (`key_numbers.held_by`).
        rows: numbered rows.
        living: rows that there are.
        dead: rows that are gone since `purge` began.
        groups: names by number.
    """

    rules: int = RULES
    seq: int = 0
    source: str = ""
    complete: bool = True
    held: int = 0
    rows: int = 0
    living: int = 0
    dead: int = 0
    groups: list[str] = field(default_factory=list)


@cache
def _postings_of(count: int) -> str:
    return f"SELECT key, row, features, brand FROM postings WHERE key IN ({', '.join('?' * count)}) LIMIT ?"


@cache
def _counts_of(count: int) -> str:
    return f"SELECT key, count(*) FROM postings WHERE key IN ({', '.join('?' * count)}) GROUP BY key"


@cache
def _names_of(count: int) -> str:
    return f"SELECT * FROM names WHERE row IN ({', '.join('?' * count)})"


def _parts(values: Sequence[int]) -> Sequence[Sequence[int]]:
    if 0 < len(values) <= _VARIABLES:
        return (values,)
    return [values[start : start + _VARIABLES] for start in range(0, len(values), _VARIABLES)]


class FoundKeys:
    """What an index has of some keys. `features`, `brands`: of the rows that were read."""

    def __init__(self, cursor: sqlite3.Cursor, keys: Sequence[int]) -> None:
        self._cursor = cursor
        self._rows: dict[int, list[int]] = {}
        self._counts: dict[int, int] = {}
        """Of keys whose rows aren't read yet."""
        self.features: dict[int, int] = {}
        self.brands: dict[int, str] = {}
        rows, features = self._rows, self.features
        for part in _parts(keys):
            postings = cursor.execute(_postings_of(len(part)), (*part, MOST_AT_ONCE + 1)).fetchall()
            if len(postings) > MOST_AT_ONCE:
                self._counts.update(cursor.execute(_counts_of(len(part)), part).fetchall())
                continue
            for key, row, packed, brand in postings:
                if key in rows:
                    rows[key].append(row)
                else:
                    rows[key] = [row]
                features[row] = packed
                if brand:
                    self.brands[row] = brand

    def present(self, keys: Iterable[int]) -> list[int]:
        """Those of the keys, in order, that are there on one side or the other."""
        held = self._rows.keys() | self._counts if self._counts else self._rows
        return [key for key in keys if key in held or key ^ OTHER_SIDE in held] if held else []

    def count(self, first: int, last: int) -> int:
        """Number of a key's rows, on one side or both."""
        return sum(self._counts[key] if key in self._counts else len(self._rows.get(key, ())) for key in {first, last})

    def rows(self, first: int, last: int) -> list[int]:
        """A key's rows, on one side or both, at most MAX_OF_KEY."""
        if first in self._counts or last in self._counts:
            found = self._cursor.execute(_OF_KEY, (first, last)).fetchall()
            self.features.update([(row, packed) for row, packed, _ in found])
            self.brands.update([(row, brand) for row, _, brand in found if brand])
            return [row for row, _, _ in found]
        rows = self._rows.get(first, [])
        return (rows if first == last else rows + self._rows.get(last, []))[:MAX_OF_KEY]


class TableReader:
    """Reads tables in one transaction."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def find(self, keys: Sequence[int]) -> FoundKeys:
        """What there is of keys."""
        return FoundKeys(self._cursor, keys)

    def entries(self) -> int:
        """Number of entries with a name."""
        (count,) = self._cursor.execute("SELECT count(DISTINCT entry) FROM names").fetchone()
        return int(count)

    def names(self, rows: Sequence[int]) -> list[ListedName]:
        """Names by row, in that order, without those that are gone."""
        found: dict[int, ListedName] = {}
        for part in _parts(rows):
            found.update(
                [(name[0], ListedName._make(name)) for name in self._cursor.execute(_names_of(len(part)), part)]
            )
        return [found[row] for row in rows if row in found]


class _Connection(sqlite3.Connection):
    """Closes itself when nothing refers to it: readers' end with their threads, the rest with the tables."""

    def __del__(self) -> None:
        self.close()


class NameTables:
    """Tables of names and keys."""

    def __init__(self, path: Path | None = None) -> None:
        """Opens a file, or makes it; without a path, tables in memory.

        Raises:
            IndexUnusableError: it is damaged, or was made by other rules.
        """
        self._path = path
        self._lock = threading.RLock()
        self._of_thread = threading.local()
        self._purged = 0
        self.is_damaged = False
        """Whether reading or writing has found damage."""
        try:
            self._writer = self._connect(_WRITER_KB, mapped=0)
            if not self._writer.execute("SELECT 1 FROM sqlite_master").fetchone():
                self._writer.execute("PRAGMA journal_mode = WAL")
                self._writer.executescript(_TABLES)
                self._writer.execute("INSERT INTO state VALUES (?)", (json.dumps(vars(IndexState())),))
            elif self._writer.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise IndexUnusableError("the screening index is damaged")
            self._writer.execute("PRAGMA shrink_memory")
            self._load()
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise IndexUnusableError(f"the screening index can't be read: {error}") from error
        if self.state.rules != RULES:
            raise IndexUnusableError("the screening index was made by another version")

    def _connect(self, cache_kb: int, *, mapped: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path or ":memory:",
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            factory=_Connection,
        )
        connection.execute(f"PRAGMA cache_size = -{cache_kb}")
        connection.execute(f"PRAGMA mmap_size = {mapped}")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_MOST_LOGGED}")
        return connection

    def _load(self) -> None:
        (content,) = self._writer.execute("SELECT content FROM state").fetchone()
        self.state = IndexState(**json.loads(content))
        self._numbers = {name: number for number, name in enumerate(self.state.groups)}

    def close(self) -> None:
        """Closes the writing connection; those that read are closed with their threads."""
        self._writer.close()

    # Reading

    @contextmanager
    def reading(self) -> Iterator[TableReader]:
        """One state of the tables for all that is read meanwhile.

        Raises:
            IndexUnusableError: the file is damaged.
            StoreUnavailableError: it can't be read now.
        """
        if self._path is None:
            with self._lock:
                yield TableReader(self._writer.cursor())
            return
        connection: sqlite3.Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = self._connect(_READER_KB, mapped=MAX_MAPPED)
        try:
            connection.execute("BEGIN")
            yield TableReader(connection.cursor())
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(f"the screening index can't be read: {error}") from error
        except sqlite3.DatabaseError as error:
            self.is_damaged = True
            raise IndexUnusableError(f"the screening index can't be read: {error}") from error
        finally:
            connection.rollback()

    # Writing

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Changes that become visible and durable together; within others, with these.

        Raises:
            StoreUnavailableError: they can't be written; nothing is changed.
        """
        with self._lock:
            if self._writer.in_transaction:
                yield
                return
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield
                self._writer.execute("UPDATE state SET content = ?", (json.dumps(vars(self.state)),))
                self._writer.execute("COMMIT")
            except BaseException as error:
                with suppress(sqlite3.Error):  # of a damaged file, which is made anew
                    self._writer.rollback()
                    self._load()
                if isinstance(error, sqlite3.Error):
                    self.is_damaged = not isinstance(error, sqlite3.OperationalError)
                    raise StoreUnavailableError(f"the screening index can't be written: {error}") from error
                raise

    def add(self, entries: Iterable[ReadEntry]) -> int:
        """Adds entries, each in place of its earlier revision, and returns their number. Within `changing`."""
        state, execute = self.state, self._writer.execute
        first, count, features, brands = state.rows, 0, array("Q"), dict[int, str]()
        ranges: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))
        for entry, names in entries:
            count += 1
            self.remove(entry.group, entry.id)
            group, number = self._group(entry.group), state.rows
            for name in names:
                row = state.rows
                state.rows += 1
                state.living += 1
                execute(_ADD_NAME, (row, number, group, *entry[1:7], name.flags, name.form, name.text))
                features.append(name.features)
                if name.brand:
                    brands[row - first] = name.brand
                for key in name.keys:
                    ranges[key >> _RANGE_SHIFT].append(key << _ROW_BITS | row - first)
        self._writer.executemany(
            "INSERT INTO postings VALUES (?, ?, ?, ?)", self._sorted(ranges, first, features, brands)
        )
        return count

    def _sorted(
        self, ranges: dict[int, array[int]], first: int, features: Sequence[int], brands: Mapping[int, str]
    ) -> Iterator[tuple[int, int, int, str | None]]:
        """Postings in the tables' order, from rows numbered from `first` on."""
        held = self.state.held
        for number in sorted(ranges):
            for posting in sorted(ranges.pop(number)):
                key, row = posting >> _ROW_BITS, posting & _ROW_MASK
                held |= held_by(key)
                yield key, first + row, features[row], brands.get(row) if kind_of(key) == KeyKind.CORE_BRAND else None
        self.state.held = held

    def _group(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self.state.groups)
            self.state.groups.append(name)
        return number

    def remove(self, group: str, entry_id: str) -> bool:
        """Removes an entry; False if there is none with a name. Within `changing`."""
        gone = self._writer.execute(
            "DELETE FROM names WHERE id = ? AND list = ?", (entry_id, self._numbers.get(group, -1))
        )
        self.state.dead += gone.rowcount
        self.state.living -= gone.rowcount
        return gone.rowcount > 0

    def purge(self) -> bool:
        """Removes some postings of names that are gone, a step of milliseconds; False if none is due."""
        if not self._purged and self.state.dead < max(_LEAST_DEAD, self.state.living // 2):
            return False
        with self.changing():
            if not self._purged:
                self.state.dead = 0
            width = (1 << KEY_BITS) // _PURGE_STEPS
            self._writer.execute(_PURGE, (self._purged * width, (self._purged + 1) * width))
        self._purged = (self._purged + 1) % _PURGE_STEPS
        return True
