"""SQLite's write-ahead log is copied beside the commits, and stays short."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

import gateway.db.wal_checkpoints
from gateway.db.database import Database

PAGE = b"x" * 3_000
"""Nearly a page of SQLite's."""


def until(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(0.01)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gateway.db.wal_checkpoints, "EVERY_S", 0.01)
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
    monkeypatch.setattr(gateway.db.wal_checkpoints, "MOST_FRAMES", 100)
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
