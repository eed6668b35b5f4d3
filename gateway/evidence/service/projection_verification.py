"""Compares the projections with what a rebuild gives (step 11 of `verification`).

The truth of one moment (feeds, entries, local log, recorded items) is copied into a scratch database and projected by
the product's own code. Each row is compared with the row of that moment; a working gateway goes on meanwhile.

Not compared: the end of a record's retention, since the settings may have changed; what SQLite checks by an index.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, String, Table, select
from sqlalchemy.dialects.postgresql import TSVECTOR

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.db.schema import metadata
from gateway.db.statements import insert_rows
from gateway.feed.projection.projector import Projector
from gateway.feed.service.writing.transaction import Command, Transaction
from gateway.feed.service.writing.writer import PROJECTION_CHUNK
from gateway.feed.tables import journal
from gateway.feed.tables.schema import checkpoints, defects, entries, feeds, tiles
from gateway.feed.tables.schema import journal as journal_table
from gateway.files import OWNER_ONLY, create_file
from gateway.history.projection.index import IndexCommand, Retention
from gateway.history.service.indexer import HistoryIndexer
from gateway.history.tables import progress as record_progress
from gateway.history.tables.schema import record_log, risk_hits, shipments
from gateway.trust.pki.keys import Ed25519Signer

STEP = "11 projections"

MOST = 20
"""Most rows told of one table."""

ATTEMPTS = 5
PAUSE_S = 1.0
"""How often, and after how many seconds, a moment is taken again while the gateway is projecting."""

_CHUNK = 1_000

_TRUTH = (feeds, entries, tiles, checkpoints, journal_table)

_EXCLUDED = {shipments.c.delete_at, defects.c.noted_at}
"""Columns of projections that don't follow from the truth alone. Words of a full-text search aren't compared either,
since each database has a form of its own."""

Add = Callable[[str, str], None]
"""Called with a table and a problem."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Follower:
    """A projection that is built behind the others.

    Attributes:
        is_complete: whether it has everything that is projected.
        build: makes it in a scratch database, whose transactions the function given executes commands in.
    """

    tables: Sequence[Table]
    is_complete: Callable[[Connection], bool]
    build: Callable[[Database, Callable[[Command[object]], object]], object]


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """How a node's projections are built.

    Attributes:
        folder: where the scratch database may lie; it becomes as large as the database.
        followers: what else is compared, where it is complete.
    """

    projector: Projector
    retention: Retention
    folder: Path
    followers: Sequence[Follower] = ()


@dataclass(frozen=True, slots=True)
class _Difference:
    table: str
    problem: str


class _ScratchSigners:
    """Signs what a rebuild appends in the scratch database, which nobody gets."""

    def __init__(self) -> None:
        self._key = Ed25519Signer("scratch", Ed25519PrivateKey.generate())

    def for_feed(self, origin: FeedOrigin) -> Ed25519Signer:
        return self._key.named(origin.line)


def check_projections(
    database: Database, rebuilding: Rebuilding, *, node: str, add: Add, unchecked: Callable[[str], None]
) -> int:
    """Compares all projections; returns the number of rows compared. `unchecked` gets a sentence if it can't."""
    for _ in range(ATTEMPTS):
        with database.read() as conn:
            behind = journal.head_position(conn) - journal.projected_position(conn)
            if not behind:
                count, differences = _compared(conn, rebuilding, node)
                if not differences or not _moves_on(database, conn):
                    for difference in differences:
                        add(difference.table, difference.problem)
                    return count
        time.sleep(PAUSE_S)
    unchecked("projections weren't compared, since the gateway kept projecting; verify again when less arrives")
    return 0


def _moves_on(database: Database, moment: Connection) -> bool:
    """Whether something was projected since, e.g. lists that were being distributed."""
    time.sleep(PAUSE_S)
    tables = [metadata.tables[name] for name in ("list_progress", "list_distribution", "projector_progress")]
    with database.read() as conn:
        return any(moment.execute(select(table)).all() != conn.execute(select(table)).all() for table in tables)


def _compared(moment: Connection, rebuilding: Rebuilding, node: str) -> tuple[int, list[_Difference]]:
    count, differences = 0, list[_Difference]()
    with _scratch(rebuilding.folder) as scratch:
        _copy_truth(moment, scratch)
        _rebuild(scratch, rebuilding, node)
        with scratch.read() as rebuilt:
            for table in _compared_tables(moment, rebuilding):
                rows, different = _compare(table, moment, rebuilt)
                count += rows
                differences += different
    return count, differences


def _compared_tables(moment: Connection, rebuilding: Rebuilding) -> list[Table]:
    """Tables that a rebuild makes anew; a follower that is off, or behind, isn't compared."""
    following = {table for one in rebuilding.projector.registry.projections if one.follows for table in one.tables}
    tables = [one for one in rebuilding.projector.tables if one is not risk_hits and one not in following]
    complete = (one for one in rebuilding.followers if one.is_complete(moment))
    return tables + [table for one in complete for table in one.tables]


@contextmanager
def _scratch(folder: Path) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="verify-", dir=folder, ignore_cleanup_errors=True) as made:
        path = Path(made) / "scratch.sqlite3"
        create_file(path, mode=OWNER_ONLY).close()
        database = Database(f"sqlite:///{path}")
        try:
            with database.write() as conn:
                metadata.create_all(conn)
            yield database
        finally:
            database.close()


def _copy_truth(moment: Connection, scratch: Database) -> None:
    indexed = record_progress.indexed(moment)
    for table in _TRUTH:
        _copy(moment, scratch, table)
    _copy(moment, scratch, record_log, record_log.c.position <= indexed)


def _copy(moment: Connection, scratch: Database, table: Table, *conditions: Any) -> None:
    rows = moment.execution_options(yield_per=_CHUNK).execute(select(table).where(*conditions))
    for part in rows.partitions(_CHUNK):
        with scratch.write() as conn:
            insert_rows(conn, table, table.columns.keys(), [tuple(row) for row in part])


def _rebuild(scratch: Database, rebuilding: Rebuilding, node: str) -> None:
    signers, more = _ScratchSigners(), True

    def transaction(conn: Connection) -> Transaction:
        now_ms = time.time_ns() // 1_000_000
        return Transaction(conn, own_node=node, signers=signers, now_ms=now_ms, projector=rebuilding.projector)

    while more:
        with scratch.write() as conn:
            more = transaction(conn).project(PROJECTION_CHUNK)
    indexer = HistoryIndexer(scratch)
    while (batch := indexer.next()) is not None:
        with scratch.write() as conn:
            if not IndexCommand(batch, rebuilding.retention).execute(transaction(conn)):
                break

    def run(command: Command[object]) -> object:
        with scratch.write() as conn:
            return command.execute(transaction(conn))

    for follower in rebuilding.followers:
        follower.build(scratch, run)


def _compare(table: Table, moment: Connection, rebuilt: Connection) -> tuple[int, list[_Difference]]:
    """Compares a table's rows in the order of their keys; the number of rows, and the first differences."""
    columns = [column for column in table.columns if column not in _EXCLUDED and not isinstance(column.type, TSVECTOR)]
    names = [column.name for column in columns]
    keys = [names.index(column.name) for column in table.primary_key.columns]
    stored, expected = _rows(table, columns, moment), _rows(table, columns, rebuilt)
    count, found = 0, list[_Difference]()
    row, should = next(stored, None), next(expected, None)
    while (row is not None or should is not None) and len(found) < MOST:
        here, there = _key(row, keys), _key(should, keys)
        if should is None or (row is not None and here < there):
            found.append(_Difference(table.name, f"the row {_told(here)} doesn't follow from the feeds"))
            row = next(stored, None)
        elif row is None or there < here:
            found.append(_Difference(table.name, f"the row {_told(there)} is missing"))
            should = next(expected, None)
        else:
            wrong = [name for name, value, right in zip(names, row, should, strict=True) if value != right]
            if wrong:
                problem = f"the row {_told(here)} isn't what a rebuild gives: {', '.join(wrong)}"
                found.append(_Difference(table.name, problem))
            row, should = next(stored, None), next(expected, None)
            count += 1
    return count, found


def _rows(table: Table, columns: Sequence[Any], conn: Connection) -> Iterator[Row]:
    order = [
        column.collate("C") if conn.dialect.name == "postgresql" and isinstance(column.type, String) else column
        for column in table.primary_key.columns
    ]
    for row in conn.execution_options(yield_per=_CHUNK).execute(select(*columns).order_by(*order)):
        yield tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


def _key(row: Row | None, places: Sequence[int]) -> Row:
    """A key that can be ordered: text by its bytes."""
    if row is None:
        return ()
    return tuple(value.encode() if isinstance(value, str) else value for value in (row[at] for at in places))


def _told(key: Row) -> str:
    return ", ".join(value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in key)
