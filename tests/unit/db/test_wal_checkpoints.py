"""SQLite's write-ahead log is copied beside the commits, and stays short."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as NoFreeConnectionError

import gateway.db.database_file
from gateway.db.database import Database
from gateway.db.database_file import WalCheckpoints

PAGE = b"x" * 3_000
"""Nearly a page of SQLite's."""


def until(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(0.01)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gateway.db.database_file, "EVERY_S", 0.01)
    return tmp_path / "gateway.sqlite3"


def add(database: Database, rows: int) -> None:
    with database.write() as conn:
        for _ in range(rows):
            conn.execute(text("INSERT INTO filled VALUES (:page)"), {"page": PAGE})


def make(path: Path) -> Database:
    database = Database(f"sqlite:///{path}")
    with database.write() as conn:
        conn.execute(text("CREATE TABLE filled (page BLOB)"))
    return database


def test_what_was_committed_comes_into_the_file_without_another_commit(path: Path) -> None:
    database = make(path)
    add(database, 300)
    until(lambda: path.stat().st_size > 300 * len(PAGE))
    database.close()


def test_the_log_stays_short_beside_continuous_commits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.db.database_file, "MOST_FRAMES", 100)
    database, wal = make(path), path.with_name("gateway.sqlite3-wal")
    written, longest = 0, 0
    while written < 40_000_000:
        add(database, 20)
        written += 20 * 4096
        longest = max(longest, wal.stat().st_size)
    database.close()
    assert longest < written / 2


def test_a_reader_in_an_old_state_delays_the_copy_and_no_commit(path: Path) -> None:
    database = make(path)
    with database.read() as reading:
        assert reading.execute(text("SELECT count(*) FROM filled")).scalar_one() == 0
        add(database, 300)
        time.sleep(0.1)
        assert reading.execute(text("SELECT count(*) FROM filled")).scalar_one() == 0
    add(database, 1)
    until(lambda: path.stat().st_size > 300 * len(PAGE))
    with database.read() as reading:
        assert reading.execute(text("SELECT count(*) FROM filled")).scalar_one() == 301
    database.close()


def test_a_pool_without_a_free_connection_delays_the_copy_only(path: Path) -> None:
    tried = threading.Event()

    def connect() -> sqlite3.Connection:
        if not tried.is_set():
            tried.set()
            raise NoFreeConnectionError("QueuePool limit of size 5 overflow 10 reached")
        return sqlite3.connect(path)

    database = Database(f"sqlite:///{path}")
    database._checkpoints = WalCheckpoints(connect)
    with database.write() as conn:
        conn.execute(text("CREATE TABLE filled (page BLOB)"))
    add(database, 300)
    tried.wait()
    until(lambda: path.stat().st_size > 300 * len(PAGE))
    database.close()


def test_a_commit_stands_where_the_system_has_no_more_threads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as threads:
        threads.setattr(threading.Thread, "start", full)
        database = make(path)
    assert path.stat().st_size > 4096, "it is copied by the commit"
    add(database, 300)
    until(lambda: path.stat().st_size > 300 * len(PAGE))
    database.close()


def test_an_end_that_comes_as_a_copy_begins_is_heard(path: Path) -> None:
    copying = WalCheckpoints(lambda: sqlite3.connect(path))

    class ClosedMeanwhile(threading.Event):
        def clear(self) -> None:
            copying._closed.set()
            self.set()
            super().clear()

    copying._due = ClosedMeanwhile()
    with closing(sqlite3.connect(path)) as connection:
        copying.committed(connection)
    thread = copying._thread
    assert thread is not None
    thread.join(20)
    assert not thread.is_alive(), "a node would never stop"
