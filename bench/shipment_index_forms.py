"""Forms of the index of shipments that bench.shipment_index compares, and the keys that go into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from gateway.db.statements import run
from gateway.history.codec.batches import KeyColumns
from gateway.history.rules.bloom import BITS_PER_KEY, HASHES
from gateway.history.tables import segments, shipment_search, shipments
from gateway.history.tables.schema import shipment_keys
from gateway.history.tables.segments import BLOCK_BITS, CELL_BITS, SEGMENT_BITS
from gateway.history.tables.shipment_search import RecordFilter

BEGIN_MS = 1_767_225_600_000  # 2026-01-01
APART_MS = 2_000
"""Time between two declarations: 30 days are 1,296,000 records."""

RECORD, DECLARATION, UCR, SEAL, CONTAINER, PLATE, TRADER, NAME, CONSIGNEE, CODE, CHAPTER, PLACE = range(12)
KINDS = 12

Keys: TypeAlias = "npt.NDArray[np.int64]"
"""Keys of some positions in order: a row for each, a column for each kind."""

Numbers: TypeAlias = "npt.NDArray[np.uint64]"


def _mixed(kind: int, values: Numbers) -> Numbers:
    """splitmix64."""
    x = values * np.uint64(0x9E3779B97F4A7C15) + np.uint64(kind * 0xD1B54A32D192ED03 % (1 << 64))
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)


def key(kind: int, value: int) -> int:
    """A key as the product's: 62 bits in no order."""
    return int(_mixed(kind, np.array([value], np.uint64))[0] >> np.uint64(2))


def _trader(salt: int, positions: Numbers) -> Numbers:
    """Number 1 has a tenth of all records, the next ones less and less; every fifth record is of a small trader."""
    chance = (_mixed(salt, positions) >> np.uint64(11)).astype(np.float64) / 2.0**53
    large = np.minimum((1.0 - chance) ** (-1 / 0.152), 1e15).astype(np.uint64) % np.uint64(50_000)
    small = np.uint64(1_000) + _mixed(salt + 1, positions) % np.uint64(49_000)
    return np.where(_mixed(salt + 2, positions) % np.uint64(5) > 0, large, small)


def keys_of(first: int, count: int) -> Keys:
    """Twelve keys each: four that no other record has, a container, a plate, parties, a code and chapter, a place."""
    at = np.arange(first, first + count, dtype=np.uint64)
    exporter, rare = _trader(100, at), at % np.uint64(400) == 7
    values = dict.fromkeys((RECORD, DECLARATION, UCR, SEAL), at)
    values |= {CONTAINER: at % np.uint64(1_500_000), PLATE: _mixed(200, at) % np.uint64(10_000)}
    values |= {TRADER: exporter, NAME: exporter, CONSIGNEE: _trader(300, at), PLACE: at % np.uint64(4)}
    values[CODE] = np.where(rare, np.uint64(99), at // np.uint64(4) % np.uint64(10))
    values[CHAPTER] = np.where(rare, np.uint64(99), at // np.uint64(4) % np.uint64(5))
    columns = [_mixed(kind, values[kind]) >> np.uint64(2) for kind in range(KINDS)]
    return np.stack(columns, axis=1).astype(np.int64)


def declared_ms(position: int) -> int:
    """When the record was declared."""
    return BEGIN_MS + position * APART_MS


@dataclass(frozen=True, slots=True)
class Query:
    """A search; see shipment_search.search."""

    key_sets: Sequence[Sequence[int]]
    record_filter: RecordFilter
    before: int
    limit: int = 51


class Form(Protocol):
    """One way to index keys. Used by one thread."""

    name: str

    @property
    def tables(self) -> Sequence[str]:
        """With what names of its tables begin."""

    def index(self, conn: Connection, first: int, keys: Keys) -> None:
        """Writes positions from one on with their keys, as a node does."""

    def load(self, conn: Connection, first: int, keys: Keys) -> None:
        """The same for many at once."""

    def complete(self, conn: Connection, positions: int) -> None:
        """Does what follows a load of so many."""

    def search(self, conn: Connection, query: Query) -> list[int]:
        """Positions, the newest first."""


class Segments:
    """The product's own, on both databases."""

    name = "segments"
    tables = (shipment_keys.name, "shipment_segments")

    def index(self, conn: Connection, first: int, keys: Keys) -> None:
        positions = np.repeat(np.arange(first, first + len(keys), dtype=np.int64), keys.shape[1])
        shipments.add_keys(conn, *KeyColumns.of(keys.ravel().tolist(), positions.tolist()).columns())

    def load(self, conn: Connection, first: int, keys: Keys) -> None:
        positions = np.repeat(np.arange(first, first + len(keys), dtype=np.int64), KINDS)
        flat = keys.reshape(-1)
        of_cell = positions >> CELL_BITS
        order = np.lexsort((positions, flat, of_cell))
        columns = [of_cell[order], flat[order], positions[order]]
        dbapi: Any = conn.connection.dbapi_connection
        if conn.dialect.name == "sqlite":
            rows = zip(*(column.tolist() for column in columns), strict=True)
            dbapi.executemany("INSERT OR IGNORE INTO shipment_keys VALUES (?, ?, ?)", rows)
            return
        unique = np.ones(len(order), bool)
        unique[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
        form = [("fields", ">i2"), ("a", ">i4"), ("segment", ">i4"), ("b", ">i4"), ("key", ">i8"), ("c", ">i4")]
        rows_of = np.zeros(int(unique.sum()), [*form, ("position", ">i8")])
        rows_of["fields"], rows_of["a"], rows_of["b"], rows_of["c"] = 3, 4, 8, 8
        for column, name in zip(columns, ("segment", "key", "position"), strict=True):
            rows_of[name] = column[unique]
        _copy(dbapi, "shipment_keys (cell, key, position)", rows_of.tobytes())

    def complete(self, conn: Connection, positions: int) -> None:
        run(
            conn,
            "INSERT INTO shipment_segments (segment, first_declared, last_declared) SELECT position >> 17, "
            "min(declared_at), max(declared_at) FROM shipment_revisions GROUP BY 1",
            (),
        )
        for segment in range((positions + 1) >> SEGMENT_BITS):
            first = max(1, segment << SEGMENT_BITS)
            keys = np.unique(keys_of(first, ((segment + 1) << SEGMENT_BITS) - first))
            segments.keep_filter(conn, segment, bloom_of(keys))

    def search(self, conn: Connection, query: Query) -> list[int]:
        found = shipment_search.search(
            conn, query.key_sets, query.record_filter, before=query.before, limit=query.limit
        )
        return list(found)


def bloom_of(keys: Keys) -> bytes:
    """What gateway.history.rules.bloom gives, a hundred times as fast."""
    size = (len(keys) * BITS_PER_KEY + 7) // 8
    bits = np.zeros(8 * size, bool)
    at, step = keys & ((1 << 31) - 1), keys >> 31 | 1
    for number in range(HASHES):
        bits[(at + number * step) % len(bits)] = True
    return np.packbits(bits, bitorder="little").tobytes()


def _copy(dbapi: Any, into: str, rows: bytes) -> None:
    with dbapi.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN (FORMAT binary)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows + b"\xff\xff")


def positions_within(conn: Connection, query: Query) -> range | None:
    """Positions outside of which nothing was declared in the query's time, by the times of blocks."""
    since, until = query.record_filter.declared_from, query.record_filter.declared_until
    if not (since or until):
        return range(query.before)
    mark = "?" if conn.dialect.name == "sqlite" else "%s"
    text = (
        f"SELECT min(block), max(block) FROM shipment_times WHERE last_declared >= {mark} AND first_declared < {mark}"
    )
    first, last = run(conn, text, (since, until or 1 << 62)).one()
    return None if first is None else range(first << BLOCK_BITS, min(query.before, (last + 1) << BLOCK_BITS))


def _declared(record_filter: RecordFilter, mark: str) -> list[str]:
    since = [f"r.declared_at >= {mark}"] if record_filter.declared_from else []
    return since + ([f"r.declared_at < {mark}"] if record_filter.declared_until else [])


class Fts5:
    """One FTS5 table: keys as words, the position as rowid."""

    name = "FTS5"
    tables = ("shipment_index",)

    def __init__(self, conn: Connection) -> None:
        options = "content='', detail=none, columnsize=0, tokenize='ascii'"
        run(conn, f"CREATE VIRTUAL TABLE shipment_index USING fts5(keys, {options})", ())

    def index(self, conn: Connection, first: int, keys: Keys) -> None:
        self.load(conn, first, keys)

    def load(self, conn: Connection, first: int, keys: Keys) -> None:
        form = " ".join(["%x"] * KINDS)
        rows = [(first + at, form % tuple(of_position)) for at, of_position in enumerate(keys.tolist())]
        dbapi: Any = conn.connection.dbapi_connection
        dbapi.executemany("INSERT INTO shipment_index (rowid, keys) VALUES (?, ?)", rows)

    def complete(self, conn: Connection, positions: int) -> None:
        pass

    def search(self, conn: Connection, query: Query) -> list[int]:
        within = positions_within(conn, query)
        if within is None:
            return []
        match = " AND ".join(f"({' OR '.join(f'{one:x}' for one in keys)})" for keys in query.key_sets)
        declared = _declared(query.record_filter, "?")
        join = "CROSS JOIN shipment_revisions r ON r.position = f.rowid" if declared else ""
        conditions = ["f.shipment_index MATCH ?", "f.rowid >= ?", "f.rowid < ?", *declared]
        where = " AND ".join(conditions)
        text = f"SELECT f.rowid FROM shipment_index f {join} WHERE {where} ORDER BY f.rowid DESC LIMIT ?"
        values = (match, within.start, within.stop, *query.record_filter.bounds, query.limit)
        return [row[0] for row in run(conn, text, values)]


class Gin:
    """A row for each position with an array of its keys, and a GIN index on that."""

    name = "GIN"
    tables = ("shipment_index",)

    def __init__(self, conn: Connection) -> None:
        run(conn, "CREATE TABLE shipment_index (position bigint PRIMARY KEY, keys bigint[] NOT NULL)", ())
        run(conn, "ALTER ROLE CURRENT_USER SET enable_seqscan = off", ())  # it takes a key for one in two hundred

    def index(self, conn: Connection, first: int, keys: Keys) -> None:
        marks = ", ".join(["(%s, %s::bigint[])"] * len(keys))
        values = [value for at, of_position in enumerate(keys.tolist()) for value in (first + at, of_position)]
        run(conn, f"INSERT INTO shipment_index (position, keys) VALUES {marks}", values)

    def load(self, conn: Connection, first: int, keys: Keys) -> None:
        head = ["dimensions", "flags", "type", "size", "lower"]
        each = [(f"{part}{at}", kind) for at in range(KINDS) for part, kind in (("l", ">i4"), ("k", ">i8"))]
        form = [("fields", ">i2"), ("a", ">i4"), ("position", ">i8"), ("b", ">i4"), *((name, ">i4") for name in head)]
        rows = np.zeros(len(keys), [*form, *each])
        rows["fields"], rows["a"], rows["b"] = 2, 8, 20 + 12 * KINDS
        rows["dimensions"], rows["type"], rows["size"], rows["lower"] = 1, 20, KINDS, 1
        rows["position"] = np.arange(first, first + len(keys))
        for at in range(KINDS):
            rows[f"l{at}"], rows[f"k{at}"] = 8, keys[:, at]
        _copy(conn.connection.dbapi_connection, "shipment_index (position, keys)", rows.tobytes())

    def complete(self, conn: Connection, positions: int) -> None:
        run(conn, "SET LOCAL maintenance_work_mem = '1GB'", ())
        run(
            conn,
            "CREATE INDEX ix_shipment_index_keys ON shipment_index USING gin (keys) "
            "WITH (gin_pending_list_limit = 512)",
            (),
        )

    def search(self, conn: Connection, query: Query) -> list[int]:
        within = positions_within(conn, query)
        if within is None:
            return []
        conditions = [*["keys && %s::bigint[]"] * len(query.key_sets), "position + 0 >= %s", "position + 0 < %s"]
        # MATERIALIZED, + 0: else the planner may read rows in the order of their positions until it has found enough.
        text = f"WITH f AS MATERIALIZED (SELECT position FROM shipment_index WHERE {' AND '.join(conditions)}) "
        declared = _declared(query.record_filter, "%s")
        join = f"JOIN shipment_revisions r ON r.position = f.position AND {' AND '.join(declared)}" if declared else ""
        text += f"SELECT f.position FROM f {join} ORDER BY f.position DESC LIMIT %s"
        values = [*map(list, query.key_sets), within.start, within.stop, *query.record_filter.bounds, query.limit]
        return [row[0] for row in run(conn, text, values)]
