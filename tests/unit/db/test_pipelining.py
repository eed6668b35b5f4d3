"""Statements sent ahead have the effects of those that are waited for, and what fails is never committed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, Table, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from gateway.db.database import Database, savepoint
from gateway.db.statements import Prepared, insert_rows, run
from gateway.errors import StoreUnavailableError
from tests.support.databases import MakeDatabase
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.both_databases

things = Table("things", MetaData(), Column("id", Integer, primary_key=True), Column("content", LargeBinary))

_ADD = Prepared(insert(things))
_ALL = Prepared(select(things.c.id).order_by(things.c.id))


@pytest.fixture
def database(make_empty_database: MakeDatabase) -> Database:
    made = make_empty_database()
    with made.write() as conn:
        things.create(conn)
        _ADD(conn, id=1, content=b"first")
    return made


@pytest.fixture
def on_postgresql(postgres_server: PostgresServer) -> Iterator[Database]:
    name = postgres_server.create()
    made = Database(postgres_server.url_of(name))
    with made.write() as conn:
        things.create(conn)
    yield made
    made.close()
    postgres_server.drop(name)


def ids(database: Database) -> list[int]:
    with database.read() as conn:
        return [row[0] for row in _ALL(conn)]


def test_statements_larger_than_the_connection_holds_reach_the_server(on_postgresql: Database) -> None:
    large, kept = bytes(3_000_000), []

    def write() -> None:
        with on_postgresql.write(ahead=True) as conn:
            for number in range(2, 6):
                _ADD(conn, id=number, content=large)
            kept.extend(_ALL(conn))
            _ADD(conn, id=6, content=large)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(60)
    assert not writing.is_alive(), "the driver waits for the server, and the server for the driver"
    assert len(kept) == 4
    assert ids(on_postgresql) == [2, 3, 4, 5, 6]


def test_what_is_sent_ahead_takes_effect_in_order(database: Database) -> None:
    with database.write(ahead=True) as conn:
        unread = _ADD(conn, id=2, content=b"")
        insert_rows(conn, things, ("id", "content"), [(number, b"") for number in range(10, 30)])
        assert len(_ALL(conn)) == 22
        insert_rows(conn, things, ("id", "content"), [(number, b"") for number in range(100, 300)])  # by COPY
        conn.execute(insert(things).values(id=300, content=b""))
        assert conn.execute(select(things.c.id).where(things.c.id > 299)).scalars().all() == [300]
        _ADD(conn, id=301, content=b"")
    assert unread.rowcount == 1
    assert ids(database) == [1, 2, *range(10, 30), *range(100, 302)]


def test_a_statement_is_sent_without_the_answer_to_the_one_before(on_postgresql: Database) -> None:
    with on_postgresql.engine.connect() as other, on_postgresql.write(ahead=True) as conn:
        other.execute(text("SELECT pg_advisory_lock(7)"))
        run(conn, "SELECT pg_advisory_xact_lock(7)", ())  # would wait for the other connection for ever
        added = _ADD(conn, id=2, content=b"")
        other.execute(text("SELECT pg_advisory_unlock(7)"))
        assert added.rowcount == 1
    assert ids(on_postgresql) == [2]


def fails_unread(conn: Connection) -> None:
    _ADD(conn, id=2, content=b"")
    _ADD(conn, id=1, content=b"twice")


def fails_before_another_is_read(conn: Connection) -> None:
    fails_unread(conn)
    assert len(_ALL(conn))


def fails_before_a_copy(conn: Connection) -> None:
    fails_unread(conn)
    insert_rows(conn, things, ("id", "content"), [(number, b"") for number in range(100, 300)])


def fails_before_core(conn: Connection) -> None:
    fails_unread(conn)
    conn.execute(select(things.c.id)).all()


def fails_within_a_copy(conn: Connection) -> None:
    insert_rows(conn, things, ("id", "content"), [(number % 150, b"") for number in range(200)])


def fails_itself(conn: Connection) -> None:
    _ADD(conn, id=2, content=b"")
    raise KeyError


FAILURES = (
    (fails_unread, IntegrityError),
    (fails_before_another_is_read, IntegrityError),
    (fails_before_a_copy, IntegrityError),
    (fails_before_core, IntegrityError),
    (fails_within_a_copy, IntegrityError),
    (fails_itself, KeyError),
)


@pytest.mark.parametrize(("failing", "error"), FAILURES)
def test_nothing_of_a_failing_transaction_is_committed(
    database: Database, failing: Callable[[Connection], None], error: type[Exception]
) -> None:
    with pytest.raises(error), database.write(ahead=True) as conn:
        failing(conn)
    assert ids(database) == [1]
    for ahead in (True, False):
        with database.write(ahead=ahead) as conn:  # the connection is as before
            _ADD(conn, id=7 + ahead, content=b"")
    assert ids(database) == [1, 7, 8]


@pytest.mark.parametrize(("failing", "error"), FAILURES)
def test_a_savepoint_undoes_what_fails_in_it(
    database: Database, failing: Callable[[Connection], None], error: type[Exception]
) -> None:
    def in_savepoint(conn: Connection) -> None:
        with savepoint(conn):
            failing(conn)

    with database.write(ahead=True) as conn:
        _ADD(conn, id=50, content=b"")
        with pytest.raises(error):
            in_savepoint(conn)
        with savepoint(conn):
            _ADD(conn, id=51, content=b"")
    assert ids(database) == [1, 50, 51]


def test_a_transaction_with_an_error_that_nobody_heeds_is_not_committed(on_postgresql: Database) -> None:
    def unheeded(*, read: bool) -> None:
        with on_postgresql.write(ahead=True) as conn:
            _ADD(conn, id=1, content=b"")
            with pytest.raises(IntegrityError):
                _ADD(conn, id=1, content=b"twice").wait()
            if read:
                with pytest.raises(DBAPIError):
                    _ALL(conn).wait()

    for read in (False, True):
        with pytest.raises((StoreUnavailableError, DBAPIError)):
            unheeded(read=read)
    assert ids(on_postgresql) == []


def test_a_connection_that_ends_within_a_transaction_is_replaced(on_postgresql: Database) -> None:
    def interrupted() -> None:
        with on_postgresql.write(ahead=True) as conn:
            pid = run(conn, "SELECT pg_backend_pid()", ()).scalar_one()
            _ADD(conn, id=2, content=b"")
            with on_postgresql.engine.connect() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
            _ADD(conn, id=3, content=b"")

    with pytest.raises(StoreUnavailableError):
        interrupted()
    with on_postgresql.write(ahead=True) as conn:
        _ADD(conn, id=4, content=b"")
    assert ids(on_postgresql) == [4]
