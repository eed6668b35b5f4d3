"""A peer of the product's search: plain PostgreSQL with a GIN index over the keys of the same records.

One table of positions, contents and keys (`bigint[]`), asked over its socket by psycopg, without TLS, agreements,
signatures or audit: what a search of our own index on another server would cost at least.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg

from bench import shipment_records as made
from bench.history_recording import Tell
from gateway.contract.identification.shipment_keys import key_sets, keys_of
from gateway.v1 import history_pb2

TABLE = "records_by_gin"

TOLD_EACH = 100_000
"""Records after which it says how far it is."""

INDEX_MEMORY = "512MB"
"""PostgreSQL's memory for making the index: with its own 64 MB five million records take hours."""

_SEARCH = f"SELECT content FROM {TABLE} WHERE keys @> %s ORDER BY position DESC LIMIT 51"


class GinPeer:
    """The table, filled up to a number of records."""

    def __init__(self, url: str) -> None:
        self._conn = psycopg.connect(url, autocommit=True)
        self._conn.execute(
            f"CREATE TABLE IF NOT EXISTS {TABLE} (position bigint PRIMARY KEY, content bytea, keys bigint[])"
        )

    def fill(self, size: int, tell: Tell) -> None:
        """Copies what is missing up to `size` records; the index is made anew."""
        filled: int = self._conn.execute(f"SELECT count(*) FROM {TABLE}").fetchall()[0][0]
        if filled >= size:
            return
        self._conn.execute(f"DROP INDEX IF EXISTS {TABLE}_keys")
        with self._conn.cursor().copy(f"COPY {TABLE} FROM STDIN (FORMAT BINARY)") as into:
            into.set_types(("int8", "bytea", "int8[]"))
            for number, record in enumerate(made.shipments(size - filled, first=filled), filled):
                into.write_row((number, record.SerializeToString(), sorted(keys_of(record))))
                if number % TOLD_EACH == TOLD_EACH - 1:
                    tell(f"the peer has {number + 1:,} of {size:,} records")
        tell("the peer's index is made")
        self._conn.execute(f"SET maintenance_work_mem = '{INDEX_MEMORY}'")
        self._conn.execute(f"CREATE INDEX {TABLE}_keys ON {TABLE} USING gin (keys)")
        self._conn.execute(f"VACUUM ANALYZE {TABLE}")

    def search(self, number: int) -> float:
        """Seconds for the record with a shipment's UCR."""
        criteria = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=made.ucr(number))])
        (keys,) = key_sets(criteria)
        started = time.perf_counter()
        found: Sequence[tuple[bytes]] = self._conn.execute(_SEARCH, (keys[:1],)).fetchall()
        taken = time.perf_counter() - started
        assert found
        return taken

    def close(self) -> None:
        """Closes its connection."""
        self._conn.close()
