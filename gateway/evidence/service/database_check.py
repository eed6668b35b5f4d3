"""Runs the database engine's own check, and compares tables and checksums (step 0 of `verification`)."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from gateway.db import fingerprint
from gateway.db.database import Database
from gateway.db.schema import metadata
from gateway.feed.tables import requests

STEP = "0 database"

MOST = 100
"""Most problems that SQLite's check tells."""

Add = Callable[[str], None]

_AMCHECK_INDEXES = """
SELECT c.relname, bt_index_check(index => c.oid, heapallindexed => true)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
WHERE a.amname = 'btree' AND c.relnamespace = current_schema()::regnamespace AND i.indisvalid AND c.relname = %s"""

_INDEXES = """
SELECT c.relname FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE c.relkind = 'i' AND a.amname = 'btree' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1"""

_TABLES = """
SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1"""

_AMCHECK_TABLE = "SELECT blkno, offnum, msg FROM verify_heapam(%s::regclass) LIMIT 20"


def check_database(database: Database, add: Add, unchecked: Add) -> None:
    """Runs all checks; `unchecked` gets sentences on those that can't be run here."""
    with database.read() as conn:
        dialect = conn.dialect.name
        if dialect == "sqlite":
            _check_sqlite(conn, add)
        else:
            _check_postgresql(conn, unchecked)
        for difference in fingerprint.differences(
            fingerprint.expected(metadata, conn.dialect), fingerprint.described(conn)
        ):
            add(difference)
    if dialect == "postgresql":
        _run_amcheck(database, add, unchecked)
    for problem in requests.damaged(database):
        add(problem)


def _check_sqlite(conn: Connection, add: Add) -> None:
    for (said,) in conn.exec_driver_sql(f"PRAGMA integrity_check({MOST})"):
        for line in str(said).splitlines():
            if line != "ok" and not line.startswith("***"):
                add(f"SQLite's integrity check: {line}")
    for table, row, parent, _ in conn.exec_driver_sql("PRAGMA foreign_key_check"):
        add(f"row {row} of {table} refers to a row of {parent} that is missing")


def _check_postgresql(conn: Connection, unchecked: Add) -> None:
    if conn.exec_driver_sql("SHOW data_checksums").scalar_one() != "on":
        unchecked(
            "PostgreSQL keeps no checksums of its pages (data_checksums is off); `pg_checksums --enable` adds them"
        )


def _run_amcheck(database: Database, add: Add, unchecked: Add) -> None:
    """Checks each index and table in a transaction of its own: an error ends one."""
    with database.read() as conn:
        installed = conn.exec_driver_sql("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'").scalar_one()
        tables = list(conn.exec_driver_sql(_TABLES).scalars())
        indexes = list(conn.exec_driver_sql(_INDEXES).scalars())
    if not installed:
        unchecked(
            "PostgreSQL's own check isn't installed in this database; a superuser's `CREATE EXTENSION amcheck` does"
        )
        return
    for name in tables:
        try:
            with database.read() as conn:
                for block, offset, said in conn.exec_driver_sql(_AMCHECK_TABLE, (name,)):
                    add(f"amcheck: table {name}, block {block}, row {offset}: {said}")
        except Exception as error:  # a damaged page ends the statement
            add(f"amcheck: table {name}: {_cause(error)}")
    for name in indexes:
        try:
            with database.read() as conn:
                conn.exec_driver_sql(_AMCHECK_INDEXES, (name,)).all()
        except Exception as error:
            add(f"amcheck: index {name}: {_cause(error)}")


def _cause(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:300]
