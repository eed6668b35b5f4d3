import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

import gateway.db.database
from gateway.db.database import Database
from gateway.db.statements import driver_of, run
from gateway.errors import StoreUnavailableError
from gateway.feed.tables import journal

pytestmark = pytest.mark.both_databases

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
        assert journal.projected_position(reading) == 0
        with database.write() as conn:
            journal.move_projected(conn, 7)
        assert journal.projected_position(reading) == 0
        with database.look() as looking:
            assert journal.projected_position(looking) == 7
    with database.look() as looking:
        assert journal.projected_position(looking) == 7


def test_on_postgresql_who_reads_does_not_write(postgres_url: str) -> None:
    database = Database(postgres_url)
    try:
        with pytest.raises(DBAPIError, match="read-only"), database.read() as conn:
            conn.execute(text("CREATE TABLE made_while_reading (number INTEGER)"))
    finally:
        database.close()


def test_a_search_reads_without_a_transaction_on_postgresql_and_a_snapshot_on_sqlite(database: Database) -> None:
    """Its statements wait for the server alone, not for BEGIN and COMMIT too."""
    on_postgresql = database.dialect == "postgresql"
    with database.searching() as searching:
        assert journal.projected_position(searching) == 0
        with database.write() as conn:
            journal.move_projected(conn, 7)
        assert journal.projected_position(searching) == (7 if on_postgresql else 0)
        if on_postgresql:
            driver = driver_of(searching)
            assert driver.info.transaction_status is TransactionStatus.IDLE
            assert [
                run(searching, f"SHOW {name}", ()).scalar_one() for name in ("plan_cache_mode", "enable_seqscan")
            ] == [
                "force_generic_plan",
                "off",
            ]
    if on_postgresql:
        with pytest.raises(DBAPIError, match="read-only"), database.searching() as searching:
            run(searching, "CREATE TABLE made_while_searching (number INTEGER)", ())
    with database.read() as reading:
        assert journal.projected_position(reading) == 7


def test_connections_that_the_server_has_ended_meanwhile_are_made_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.db.database, "_PING_AFTER_S", 0.0)  # as if they had lain idle
    for position in (7, 8):
        with database.write() as conn:
            journal.move_projected(conn, position)
        with database.read() as conn:
            assert journal.projected_position(conn) == position
        if database.dialect == "postgresql":
            _end_all_connections(database.engine.url)
    with database.look() as conn:
        assert journal.projected_position(conn) == 8
    with database.searching() as conn:
        assert journal.projected_position(conn) == 8
    if database.dialect == "postgresql":
        _end_all_connections(database.engine.url)
    with database.searching() as conn:
        assert journal.projected_position(conn) == 8


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


def embedded(tmp_path: Path) -> tuple[Database, Path]:
    path = tmp_path / "gateway.sqlite3"
    database = Database(f"sqlite:///{path}")
    with database.write() as conn:
        conn.execute(text("CREATE TABLE rows (number INTEGER)"))
    return database, path


def add_row(database: Database, number: int) -> None:
    with database.write() as conn:
        conn.execute(text("INSERT INTO rows VALUES (:number)"), {"number": number})


def test_nothing_is_committed_into_a_file_that_is_gone(tmp_path: Path) -> None:
    """SQLite would commit into the nameless file, and all of it would be lost with the process."""
    database, path = embedded(tmp_path)
    add_row(database, 1)
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(StoreUnavailableError, match=r"gateway\.sqlite3 is gone"):
        add_row(database, 2)
    database.engine.dispose()
    with pytest.raises(StoreUnavailableError, match="is gone"):
        add_row(database, 3)  # on a new connection, which would make a new file
    assert not path.exists()
    path.with_name("elsewhere").rename(path)
    add_row(database, 4)
    with database.read() as conn:
        assert conn.execute(text("SELECT number FROM rows")).scalars().all() == [1, 4]
    path.rename(path.with_name("old"))
    path.write_bytes(path.with_name("old").read_bytes())
    with pytest.raises(StoreUnavailableError, match="isn't the file that was opened; restart"):
        add_row(database, 5)
    database.close()


READ_ONLY = """
import os, sys
from pathlib import Path
import gateway.db.database
from gateway.db.database import Database
from gateway.errors import StoreUnavailableError
from sqlalchemy import text
import sqlalchemy.dialects.sqlite.pysqlite
if os.geteuid() == 0:
    os.seteuid(65534)
path = Path(sys.argv[1]) / "gateway.sqlite3"
database = Database(f"sqlite:///{path}")
with database.write() as conn:
    conn.execute(text("CREATE TABLE rows (number INTEGER)"))
path.chmod(0o400)
try:
    with database.write() as conn:
        conn.execute(text("INSERT INTO rows VALUES (1)"))
except StoreUnavailableError as error:
    print(error.message)
"""


def test_a_file_that_may_not_be_written_is_told_on_open_connections_too() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        shown = subprocess.run(
            [sys.executable, "-c", READ_ONLY, folder], capture_output=True, text=True, timeout=60, check=True
        ).stdout
    assert "gateway.sqlite3 may not be written" in shown


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_removed_file_beside_the_database_stops_writing_and_a_clean_stop_loses_nothing(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / "gateway.sqlite3"
    database = Database(f"sqlite:///{path}")
    with database.write() as conn:
        conn.exec_driver_sql("CREATE TABLE kept (number INTEGER)")
    for number in range(3):
        with database.write() as conn:
            conn.exec_driver_sql("INSERT INTO kept VALUES (?)", (number,))
    path.with_name(path.name + suffix).unlink()
    with pytest.raises(StoreUnavailableError, match=rf"gateway\.sqlite3{suffix} was removed"), database.write() as conn:
        conn.exec_driver_sql("INSERT INTO kept VALUES (99)")
    database.close()
    again = Database(f"sqlite:///{path}")
    with again.write() as conn:
        assert conn.exec_driver_sql("SELECT number FROM kept").scalars().all() == [0, 1, 2]
    again.close()


def test_connections_come_and_go(tmp_path: Path) -> None:
    """SQLite removes both files with the last connection, and the next one makes others."""
    database = Database(f"sqlite:///{tmp_path / 'gateway.sqlite3'}")
    for _ in range(3):
        with database.write() as one, database.read() as other:
            assert one.connection.dbapi_connection is not other.connection.dbapi_connection
        database.engine.dispose()
    database.close()
