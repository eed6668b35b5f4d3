import threading
from pathlib import Path

import pytest
from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

import gateway.db.database
from gateway.db.database import Database
from gateway.feed.tables import progress

ROUNDS = 40
THREADS = 8


def test_a_new_file_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """SQLite refuses some of those that turn a file to WAL at once without waiting; nobody must notice."""
    modes, errors = list[str](), list[BaseException]()
    for number in range(ROUNDS):
        together = threading.Barrier(THREADS)

        def start(url: str, together: threading.Barrier) -> None:
            database = Database(url)
            together.wait()
            try:
                with database.read() as conn:
                    modes.append(conn.execute(text("PRAGMA journal_mode")).scalar_one())
            except BaseException as error:
                errors.append(error)
            finally:
                database.close()

        arguments = (f"sqlite:///{tmp_path / str(number)}.sqlite3", together)
        threads = [threading.Thread(target=start, args=arguments) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert modes == ["wal"] * ROUNDS * THREADS


def test_what_is_read_is_one_state_and_a_look_sees_the_newest(database: Database) -> None:
    with database.read() as reading:
        assert progress.position(reading) == 0
        with database.write() as conn:
            progress.move(conn, 7)
        assert progress.position(reading) == 0
        with database.look() as looking:
            assert progress.position(looking) == 7
    with database.look() as looking:
        assert progress.position(looking) == 7


def test_on_postgresql_who_reads_does_not_write(postgres_url: str) -> None:
    database = Database(postgres_url)
    try:
        with pytest.raises(DBAPIError, match="read-only"), database.read() as conn:
            conn.execute(text("CREATE TABLE made_while_reading (number INTEGER)"))
    finally:
        database.close()


def test_connections_that_the_server_has_ended_meanwhile_are_made_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.db.database, "_PING_AFTER_S", 0.0)  # as if they had lain idle
    for position in (7, 8):
        with database.write() as conn:
            progress.move(conn, position)
        with database.read() as conn:
            assert progress.position(conn) == position
        if database.dialect == "postgresql":
            _end_all_connections(database.engine.url)
    with database.look() as conn:
        assert progress.position(conn) == 8


def _end_all_connections(url: URL) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as conn:
        ended = conn.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        assert len(list(ended)) >= 2
