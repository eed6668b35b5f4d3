"""A copy is one committed state while others write, and holds up none of them."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from gateway.errors import StoreUnavailableError
from gateway.node.backups import sqlite_copy
from gateway.node.backups.manifest import BackupInvalidError
from gateway.node.backups.snapshot import opened_copy, require_intact
from gateway.node.backups.sqlite_copy import copy_database

ROWS = 4_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "what? a #1 name%.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode=wal")
        connection.execute("CREATE TABLE one (id INTEGER PRIMARY KEY, body BLOB)")
        connection.execute("CREATE TABLE two (id INTEGER PRIMARY KEY, body BLOB)")
        rows = [(bytes(1_000),) for _ in range(ROWS)]
        for table in ("one", "two"):
            connection.executemany(f"INSERT INTO {table} (body) VALUES (?)", rows)
    connection.close()
    return file


def counts(file: Path) -> tuple[int, int]:
    with sqlite3.connect(file) as connection:
        row = connection.execute("SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two)").fetchone()
    connection.close()
    return row[0], row[1]


def test_one_state_while_others_commit(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_copy, "PAGES_PER_STEP", 50)
    copying, done = threading.Event(), threading.Event()
    commits = 0

    def write() -> None:
        nonlocal commits
        with sqlite3.connect(source, isolation_level=None) as connection:
            copying.wait()
            while not done.is_set():
                connection.executescript(
                    "BEGIN IMMEDIATE; INSERT INTO one (body) VALUES ('x'); INSERT INTO two (body) VALUES ('x'); COMMIT"
                )
                commits += 1
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[int] = []

    def progress(copied: int, _pages: int) -> None:
        seen.append(copied)
        copying.set()

    try:
        copy_database(source, tmp_path / "copy", progress=progress)
    finally:
        copying.set()
        done.set()
        writer.join()
    assert commits > 1
    assert counts(tmp_path / "copy") == (ROWS, ROWS), "the state at the begin: later commits neither show nor restart"
    assert seen == sorted(seen)
    assert len(seen) > 10
    assert not (tmp_path / "copy-wal").exists()


def test_a_copy_never_replaces_anything(source: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("kept")
    with pytest.raises((StoreUnavailableError, FileExistsError)):
        copy_database(source, tmp_path / "there")
    assert (tmp_path / "there").read_text() == "kept"


def test_damage_is_found(source: Path, tmp_path: Path) -> None:
    copy_database(source, tmp_path / "copy")
    with (tmp_path / "copy").open("r+b") as file:
        file.seek(20_000)
        file.write(b"\xff" * 4_096)
    with pytest.raises(BackupInvalidError), opened_copy(tmp_path / "copy") as conn:
        require_intact(conn, "copy")
