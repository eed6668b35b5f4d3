"""The short way to the driver gives what SQLAlchemy's own would, on both databases."""

from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError, NoResultFound, ProgrammingError

from gateway.db.database import Database, savepoint
from gateway.db.statements import LONGEST_LIST, Prepared, PreparedList, insert_rows, run
from gateway.errors import StoreUnavailableError
from tests.support.databases import MakeDatabase

pytestmark = pytest.mark.both_databases

cursors = Table("cursors", MetaData(), Column("name", String(32), primary_key=True), Column("position", BigInteger))

_ADD = Prepared(insert(cursors))
_ALL = Prepared(select(cursors).order_by(cursors.c.name))
_ONE = Prepared(select(cursors.c.position).where(cursors.c.name == bindparam("called")))
_MOVE = Prepared(update(cursors).where(cursors.c.name == bindparam("called")).values(position=bindparam("position")))

_names: BindParameter[Any] = bindparam("values", expanding=True)
_AMONG = PreparedList(select(cursors).where(cursors.c.name.in_(_names)))
_AMONG_ABOVE = PreparedList(
    select(cursors.c.name).where(cursors.c.name.in_(_names), cursors.c.position > bindparam("above"))
)
_MOVE_AMONG = PreparedList(update(cursors).where(cursors.c.name.in_(_names)).values(position=7))
_REMOVE_AMONG = PreparedList(
    delete(cursors).where(cursors.c.name.in_(_names), cursors.c.position == bindparam("position"))
)


@pytest.fixture
def database(make_empty_database: MakeDatabase) -> Database:
    made = make_empty_database()
    with made.write() as conn:
        cursors.create(conn)
    return made


def test_rows_come_as_tuples_in_the_order_of_columns(database: Database) -> None:
    with database.write() as conn:
        for name, position in (("b", 2), ("a", 1)):
            assert _ADD(conn, name=name, position=position).rowcount == 1
    with database.read() as conn:
        rows = _ALL(conn)
        assert list(rows) == list(conn.execute(select(cursors).order_by(cursors.c.name)))
        assert (len(rows), rows[1]) == (2, ("b", 2))
        assert _ONE(conn, called="b").scalar_one() == 2


def test_no_row_is_none_or_an_error_as_asked(database: Database) -> None:
    with database.read() as conn:
        nothing = _ONE(conn, called="nobody")
        assert (nothing.one_or_none(), nothing.scalar_one_or_none()) == (None, None)
        with pytest.raises(NoResultFound):
            nothing.one()
        with pytest.raises(NoResultFound):
            nothing.scalar_one()


def test_changes_are_counted(database: Database) -> None:
    with database.write() as conn:
        _ADD(conn, name="a", position=1)
        assert _MOVE(conn, called="a", position=5).rowcount == 1
        assert _MOVE(conn, called="nobody", position=5).rowcount == 0


def test_a_taken_key_is_the_error_that_callers_catch(database: Database) -> None:
    with database.write() as conn:
        _ADD(conn, name="a", position=1)
    with pytest.raises(IntegrityError), database.write() as conn:
        _ADD(conn, name="a", position=2)
    with database.read() as conn:
        assert _ONE(conn, called="a").scalar_one() == 1, "and the transaction was rolled back"


def test_a_statement_that_the_database_refuses_is_its_error(database: Database) -> None:
    expected = (StoreUnavailableError, ProgrammingError)  # SQLite calls it operational
    with pytest.raises(expected) as refused, database.read() as conn:
        run(conn, "SELECT position FROM nowhere", ())
    assert "nowhere" in str(refused.value)


def test_what_a_savepoint_takes_back_is_gone_and_the_rest_stays(database: Database) -> None:
    with database.write() as conn:
        _ADD(conn, name="before", position=1)
        with pytest.raises(IntegrityError), savepoint(conn):
            _add_two(conn, "within", "before")
        with savepoint(conn):
            _ADD(conn, name="after", position=1)
    with database.read() as conn:
        assert [name for name, _ in _ALL(conn)] == ["after", "before"]


def _add_two(conn: Connection, *names: str) -> None:
    for name in names:
        _ADD(conn, name=name, position=1)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, LONGEST_LIST - 1, LONGEST_LIST, LONGEST_LIST + 1, 3 * LONGEST_LIST])
def test_a_list_of_any_length_finds_each_row_once(database: Database, count: int) -> None:
    names = [f"n{number:05d}" for number in range(3 * LONGEST_LIST + 2)]
    with database.write() as conn:
        conn.execute(insert(cursors), [{"name": name, "position": at} for at, name in enumerate(names)])
    some = names[1 : count + 1]
    with database.read() as conn:
        assert sorted(_AMONG(conn, [*some, *some[:1], "unknown"])) == [(name, at) for at, name in enumerate(some, 1)]
        assert [row[0] for row in _AMONG_ABOVE(conn, some, above=count // 2)] == some[count // 2 :]


def test_a_list_changes_and_removes_its_rows_alone(database: Database) -> None:
    with database.write() as conn:
        conn.execute(insert(cursors), [{"name": name, "position": 1} for name in "abcde"])
        _MOVE_AMONG.execute(conn, {"a", "b", "c"})
        _REMOVE_AMONG.execute(conn, ["b", "c", "d"], position=7)
    with database.read() as conn:
        assert list(_ALL(conn)) == [("a", 7), ("d", 1), ("e", 1)]


_KINDS = Table(
    "rows_of_each_kind",
    MetaData(),
    Column("number", BigInteger, primary_key=True),
    Column("small", Integer),
    Column("word", String(8)),
    Column("long", Text),
    Column("bits", LargeBinary),
    Column("is_odd", Boolean),
)


@pytest.mark.parametrize("count", [1, 9, 10, 99, 100, 250])
def test_rows_arrive_as_they_were_in_whichever_way_they_go(database: Database, count: int) -> None:
    """One by one, as arrays, or by COPY."""
    rows = [
        (
            number << 40,
            -number if number % 3 else None,
            "x" * (number % 9),
            f"'{number}\\\t\n钨",
            bytes([number]),
            number % 2 == 1,
        )
        for number in range(count)
    ]
    with database.write() as conn:
        _KINDS.drop(conn, checkfirst=True)
        _KINDS.create(conn)
        assert insert_rows(conn, _KINDS, _KINDS.c.keys(), rows) == count
        assert [tuple(row) for row in conn.execute(select(_KINDS).order_by(_KINDS.c.number))] == rows
        assert list(run(conn, "SELECT * FROM rows_of_each_kind ORDER BY number", ())) == [
            row if database.dialect == "postgresql" else (*row[:5], int(row[5])) for row in rows
        ]
        more = [*rows[-1:], *((number << 40, 0, "", "", b"", False) for number in range(1_000, 1_000 + count))]
        assert insert_rows(conn, _KINDS, _KINDS.c.keys(), more, or_ignore=True) == count
        _KINDS.drop(conn)


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_row_that_is_there_fails_the_same_in_each_way(database: Database, count: int) -> None:
    rows = [(number, 0, "", "", b"", False) for number in range(count)]
    with database.write() as conn:
        _KINDS.drop(conn, checkfirst=True)
        _KINDS.create(conn)
        insert_rows(conn, _KINDS, _KINDS.c.keys(), [rows[-1]])
    with database.write() as conn, pytest.raises(IntegrityError):
        insert_rows(conn, _KINDS, _KINDS.c.keys(), rows)
    with database.write() as conn:
        _KINDS.drop(conn)


@pytest.mark.parametrize("count", [1, 10, 100])
@pytest.mark.parametrize("number", [1 << 31, -(1 << 31) - 1, (1 << 32) + 3])
def test_a_number_that_is_too_large_is_refused_in_each_way(
    make_database: MakeDatabase, count: int, number: int
) -> None:
    """SQLite has one size of numbers."""
    database = make_database()
    with database.write() as conn:
        _KINDS.drop(conn, checkfirst=True)
        _KINDS.create(conn)
    rows = [(at, number if at == count - 1 else None, "", "", b"", False) for at in range(count)]
    if database.dialect == "postgresql":
        with database.write() as conn, pytest.raises(DataError):
            insert_rows(conn, _KINDS, _KINDS.c.keys(), rows)
    else:
        with database.write() as conn:
            insert_rows(conn, _KINDS, _KINDS.c.keys(), rows)
            assert conn.execute(select(_KINDS.c.small).order_by(_KINDS.c.number)).all()[-1] == (number,)
    with database.write() as conn:
        _KINDS.drop(conn)
