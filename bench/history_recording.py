"""Measures recording in bulk at one node, beside bare SQLite inserts of the same rows; part of bench.history."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from bench.nodes import NodeProcess
from gateway.db.database import Database
from gateway.history.tables import progress as record_progress
from gateway.v1.shipment_pb2 import Shipment

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Shipments per second.

    Attributes:
        durable: until acknowledged.
        indexed: until the search finds all.
        judged: until the rules have judged all.
        inserts: floor: bare SQLite inserts of the same rows.
        node_us: processor time of the node's process for one shipment until all are indexed, in microseconds.
    """

    count: int
    mean_bytes: float
    durable: float
    indexed: float
    judged: float
    inserts: float
    node_us: float


async def recording(node: NodeProcess, records: Sequence[Shipment], floor: Path, tell: Tell) -> Recorded:
    """Records in bulk at one node."""
    inserts = await asyncio.to_thread(_bare_inserts, floor, records)
    url = node.url
    before, cpu = await asyncio.to_thread(_reached, url, record_progress.indexed), node.cpu_s
    tell("recording")
    async with node.client() as client:
        started = time.perf_counter()
        count = 0
        async for batch in client.history.record(records):
            assert not batch.refused
            count += batch.recorded
        durable = time.perf_counter() - started
        tell("until indexed")
        await _until(lambda: _reached(url, record_progress.indexed) >= before + count)
        indexed, node_s = time.perf_counter() - started, node.cpu_s - cpu
        tell("until judged")
        await _until(lambda: _reached(url, record_progress.evaluated) >= before + count)
        judged = time.perf_counter() - started
    return Recorded(
        count,
        sum(len(one.SerializeToString()) for one in records[:1_000]) / min(1_000, len(records)),
        count / durable,
        count / indexed,
        count / judged,
        inserts,
        node_s / count * 1e6,
    )


def _bare_inserts(path: Path, records: Sequence[Shipment]) -> float:
    """Rows per second into the same table, 500 in a transaction."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("PRAGMA synchronous=full")
    connection.execute(
        "CREATE TABLE record_log (position INTEGER PRIMARY KEY, record_id TEXT, kind INTEGER, recorded_at INTEGER,"
        " recorded_by TEXT, salt BLOB, content BLOB)"
    )
    rows = [(at, one.record_id, 0, 1, "bench", bytes(32), one.SerializeToString()) for at, one in enumerate(records, 1)]
    started = time.perf_counter()
    for at in range(0, len(rows), 500):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO record_log VALUES (?, ?, ?, ?, ?, ?, ?)", rows[at : at + 500])
        connection.execute("COMMIT")
    taken = time.perf_counter() - started
    connection.close()
    return len(rows) / taken


def _reached(url: str, position: Callable[[Connection], int]) -> int:
    database = Database(url)
    try:
        with database.read() as conn:
            return position(conn)
    finally:
        database.close()


async def _until(holds: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(holds):  # noqa: ASYNC110  the state is another process's
        await asyncio.sleep(0.05)
