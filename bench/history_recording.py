"""Measures recording in bulk at one node."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from bench.nodes import NodeProcess
from gateway.client import GatewayClient
from gateway.db.database import Database
from gateway.history.tables import progress as record_progress
from gateway.v1.shipment_pb2 import Shipment

POLL_S = 0.05
"""How often the progress of index and rules is read while it is timed, in seconds."""


class Recorded(NamedTuple):
    """Shipments per second until all were acknowledged, found by searches, and judged by the rules."""

    durable: float
    findable: float
    judged: float


async def record(node: NodeProcess, client: GatewayClient, records: Sequence[Shipment]) -> Recorded:
    """Records in bulk."""
    database = Database(node.url)
    try:
        goal = _read(database, record_progress.indexed) + len(records)
        started = time.perf_counter()
        async for batch in client.history.record(records):
            assert not batch.refused
        taken = [time.perf_counter() - started]
        for position in (record_progress.indexed, record_progress.evaluated):
            while await asyncio.to_thread(_read, database, position) < goal:  # noqa: ASYNC110  another process does it
                await asyncio.sleep(POLL_S)
            taken.append(time.perf_counter() - started)
    finally:
        database.close()
    return Recorded(*(len(records) / seconds for seconds in taken))


def _read(database: Database, position: Callable[[Connection], int]) -> int:
    with database.read() as conn:
        return position(conn)
