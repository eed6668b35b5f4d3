"""Fresh databases for tests: a test that takes `database` runs on SQLite, with a mark on a real PostgreSQL as well.

    @pytest.mark.both_databases
    def test_a_head_moves_once(database: Database) -> None: ...

The mark, or `pytestmark` of a module, belongs to tests where PostgreSQL could do something else: those that run a
statement which no other marked test runs (`scripts/postgresql_statements.py` names them), and those of locks, order,
errors and limits.

One database of each kind is migrated in a session and copied. The PostgreSQL server is the one that
GATEWAY_TEST_POSTGRES names (postgresql://…, by a user who may create databases); without it one from the development
dependencies is started in a temporary folder, also as root.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy.engine import make_url

from gateway.db.database import Database
from gateway.db.migrate import upgrade
from tests.support.postgres import PostgresServer, embedded_server

URL_VARIABLE = "GATEWAY_TEST_POSTGRES"

DIALECTS = ("sqlite", "postgresql")

MakeDatabase = Callable[[], Database]
"""Gives another fresh, empty database of the test's kind, e.g. one for each node."""


class Databases(Protocol):
    """Makes databases of one kind for one test."""

    def empty(self) -> Database:
        """A database without any tables."""

    def migrated(self) -> Database:
        """A database with all tables, without rows."""

    def copy(self, database: Database) -> Database:
        """Another database with the same tables and rows; nothing else uses that one meanwhile."""

    def remove(self) -> None:
        """Closes and removes what was made."""


@dataclass
class SqliteFiles:
    """Databases as files in a test's folder, which removes them."""

    folder: Path
    made: list[Database] = field(default_factory=list)

    def empty(self) -> Database:
        self.made.append(Database(self._next_url()))
        return self.made[-1]

    def migrated(self) -> Database:
        self.made.append(new_database(self._next_url()))
        return self.made[-1]

    def copy(self, database: Database) -> Database:
        to = self._next_url()
        with closing(sqlite3.connect(str(database.engine.url.database))) as conn:
            conn.execute("VACUUM INTO ?", (make_url(to).database,))
        self.made.append(Database(to))
        return self.made[-1]

    def remove(self) -> None:
        for database in self.made:
            database.close()

    def _next_url(self) -> str:
        return f"sqlite:///{self.folder / f'{len(self.made)}.sqlite3'}"


@dataclass
class PostgresDatabases:
    """Databases on a server."""

    server: PostgresServer
    empty_ones: dict[str, Database] = field(default_factory=dict)
    migrated_ones: dict[str, Database] = field(default_factory=dict)

    def empty(self) -> Database:
        name = self.server.create()
        return self.empty_ones.setdefault(name, Database(self.server.url_of(name)))

    def migrated(self) -> Database:
        name = self.server.take()
        return self.migrated_ones.setdefault(name, Database(self.server.url_of(name)))

    def copy(self, database: Database) -> Database:
        database.engine.dispose()  # PostgreSQL copies only what nobody is connected to
        database.readers.dispose()
        name = self.server.create(f'TEMPLATE "{database.engine.url.database}"{self.server.strategy}')
        return self.empty_ones.setdefault(name, Database(self.server.url_of(name)))

    def remove(self) -> None:
        for name, database in self.empty_ones.items():
            database.close()
            self.server.drop(name)
        for name, database in self.migrated_ones.items():
            database.close()
            self.server.give_back(name)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server on which databases may be made."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    with embedded_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def postgres_server(postgres_url: str) -> Iterator[PostgresServer]:
    """The same with databases."""
    # Copying files is five times cheaper than the default, through the write-ahead log, on a server without fsync.
    strategy = "" if os.environ.get(URL_VARIABLE) else " STRATEGY file_copy"
    server = PostgresServer(postgres_url, strategy)
    yield server
    server.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs marked tests once on each kind of database."""
    if "databases" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("databases", DIALECTS, indirect=True)


@pytest.fixture
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Makes databases of one kind; all are removed at the end of the test."""
    made: Databases
    if getattr(request, "param", "sqlite") == "postgresql":
        made = PostgresDatabases(request.getfixturevalue("postgres_server"))
    else:
        made = SqliteFiles(tmp_path)
    yield made
    made.remove()


@pytest.fixture
def make_empty_database(databases: Databases) -> MakeDatabase:
    """Makes databases of one kind without any tables."""
    return databases.empty


@pytest.fixture
def make_database(databases: Databases) -> MakeDatabase:
    """Makes databases of one kind with all tables."""
    return databases.migrated


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    """One fresh, empty database with all tables."""
    return make_database()


def new_database(url: str) -> Database:
    """A new SQLite database with all tables, at sqlite:///PATH, also for fixtures that live longer than one test."""
    path = make_url(url).database
    assert path, f"{url} names no file"
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(migrated_file(), path)
    return Database(url)


@cache
def migrated_file() -> Path:
    """A SQLite database with all tables, to be copied."""
    folder = tempfile.TemporaryDirectory(prefix="gateway-migrated-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "migrated.sqlite3"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path
