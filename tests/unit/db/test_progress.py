"""A progress row has its tuple's defaults until it is written, and each column moves alone."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.db.database import Database
from gateway.db.schema import Progress
from tests.support.databases import MakeDatabase

pytestmark = pytest.mark.both_databases


class Reached(NamedTuple):
    position: int = 0
    digest: bytes = b""
    since: int | None = None


TABLE = Table(
    "reached",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("since", BigInteger),
)
PROGRESS = Progress(TABLE, Reached)


@pytest.fixture
def database(make_empty_database: MakeDatabase) -> Database:
    made = make_empty_database()
    with made.write() as conn:
        TABLE.create(conn)
    return made


def test_each_column_moves_alone(database: Database) -> None:
    with database.read() as conn:
        assert PROGRESS.read(conn) == Reached()
    with database.write() as conn:
        PROGRESS.write(conn, since=3)
        PROGRESS.write(conn, position=2**40)
        PROGRESS.write(conn, digest=b"d", since=None)
    with database.read() as conn:
        assert PROGRESS.read(conn) == Reached(2**40, b"d")


def test_a_lock_makes_the_row_and_gives_what_it_says(database: Database) -> None:
    with database.write() as conn:
        assert PROGRESS.lock(conn) == Reached()
        PROGRESS.write(conn, position=7)
    with database.write() as conn:
        assert PROGRESS.lock(conn) == Reached(7)


def test_there_is_one_row_and_nothing_to_write_leaves_it(database: Database) -> None:
    with database.write() as conn:
        PROGRESS.write(conn, position=7)
    with database.write() as conn:
        PROGRESS.write(conn)
        assert PROGRESS.lock(conn) == Reached(7)
        assert len(conn.execute(select(TABLE)).all()) == 1
    with pytest.raises(IntegrityError), database.write() as conn:
        conn.execute(insert(TABLE).values(id=1, position=8, digest=b""))
