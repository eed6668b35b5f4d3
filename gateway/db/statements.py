"""Compiles SQLAlchemy Core statements once per database and runs them on the driver.

Building a statement takes ten times as long as running it on SQLite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final, NoReturn, TypeAlias

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

Row = tuple[Any, ...]
"""Values in column order."""


_Result: TypeAlias = tuple[list[Row], int]

_LIST = re.compile(r"(?<!NOT )IN \(__\[POSTCOMPILE_values\]\)")
"""An expanding list as SQLAlchemy compiles it."""

LONGEST_LIST = 500
"""Most values in one IN list; each length is compiled."""


def storable_text(text: str) -> str:
    """Replaces NUL, which PostgreSQL refuses in text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


PIPELINE: Final = "gateway_pipeline"
"""Key in the notes on a connection: the StatementPipeline by which statements are sent ahead."""


_COPIED = frozenset({"bigint", "integer", "varchar", "text", "bytea", "boolean"})

_INTEGER_END = 1 << 31
"""The first number that PostgreSQL's `integer` doesn't hold."""

PLANS_KEPT: Final = "gateway_plans_kept"
"""Key in the notes on a connection: PostgreSQL keeps one plan of each statement for all values."""

REMEMBERED_BY: Final = "gateway_remembered_by"
"""Key in the notes on a connection: the engine by which what was read of the database is remembered, if not its own."""

_ROWS_PER_STATEMENT = 100
"""Rows in one INSERT: each makes sqlite3 release the interpreter lock."""

_ROWS_FOR_COPY = 100
"""Fewest rows sent to PostgreSQL by COPY, which takes half of what arrays do."""

_ROWS_FOR_ARRAYS = 2
_ROWS_PER_ARRAY = 5_000
"""Fewest rows sent to PostgreSQL as one array per column, and most per array: one text for all numbers of rows."""


class Rows(Sequence[Row]):
    """All rows of a statement.

    Those of a statement that was sent ahead (`db.pipelining`) come when they are first asked for, which may raise
    SQLAlchemy's DBAPIError for it or for one before it.
    """

    __slots__ = ("_count", "_found", "_pending")

    def __init__(self, found: list[Row], count: int, pending: Callable[[], _Result] | None = None) -> None:
        """`pending`: waits for the result; None where it has come."""
        self._found = found
        self._count = count
        self._pending = pending

    @property
    def rowcount(self) -> int:
        """Rows that the statement has found or changed."""
        if self._pending is not None:
            self.wait()
        return self._count

    def wait(self) -> None:
        """Returns when the statement has succeeded; raises DBAPIError."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            self._found, self._count = pending()

    # Each looks itself whether the result has come: a lone alert reads dozens.

    def __len__(self) -> int:
        if self._pending is not None:
            self.wait()
        return len(self._found)

    def __getitem__(self, at: Any) -> Any:
        if self._pending is not None:
            self.wait()
        return self._found[at]

    def __iter__(self) -> Iterator[Row]:
        if self._pending is not None:
            self.wait()
        return iter(self._found)

    def one(self) -> Row:
        """The first row; raises NoResultFound."""
        if self._pending is not None:
            self.wait()
        if not self._found:
            raise NoResultFound("no row was found where one was required")
        return self._found[0]

    def one_or_none(self) -> Row | None:
        if self._pending is not None:
            self.wait()
        return self._found[0] if self._found else None

    def scalar_one(self) -> Any:
        """The first value; raises NoResultFound."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        if self._pending is not None:
            self.wait()
        return self._found[0][0] if self._found else None


def run(conn: Connection, text: str, values: Sequence[Any] | dict[str, Any]) -> Rows:
    """Runs driver SQL in the transaction, or sends it ahead; raises SQLAlchemy's DBAPIError."""
    driver: Any = conn.connection.dbapi_connection
    if conn.dialect.name != "postgresql":  # no context manager: a lone alert runs dozens of statements
        try:
            cursor = driver.execute(text, values)
            return Rows(cursor.fetchall() if cursor.description is not None else [], cursor.rowcount)
        except Exception as error:
            _raise(conn, text, error)
    cursor = driver.cursor(binary=True)  # its text has two digits for each byte
    pipeline = conn.info.get(PIPELINE)
    with driver_errors(conn, text):
        if pipeline is None:
            with closing(cursor):
                cursor.execute(text, values)
                return Rows(*_result(cursor))
        pipeline.sent()
        cursor.execute(text, values)

    def pending() -> _Result:
        with driver_errors(conn, text):
            pipeline.settle(cursor)
            return _result(cursor)

    return Rows([], 0, pending)


def _result(cursor: Any) -> _Result:
    return cursor.fetchall() if cursor.description is not None else [], cursor.rowcount


@cache
def copied_columns(table: Table, columns: tuple[str, ...]) -> tuple[str, list[str]] | None:
    """The text of a COPY into these columns, and their types; None if the driver has no binary form of one."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = [table.c[name].type.compile(dialect).partition("(")[0].lower() for name in columns]
    if not set(types) <= _COPIED:
        return None
    return f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)", types


def copyable(rows: Sequence[tuple[object, ...]], types: Sequence[str]) -> bool:
    """Whether the numbers for columns of 32 bits have no more: the driver would cut them off without a word."""
    for at, name in enumerate(types):
        if name == "integer":
            numbers: list[Any] = [row[at] for row in rows if row[at] is not None]
            if numbers and not (min(numbers) >= -_INTEGER_END and max(numbers) < _INTEGER_END):
                return False
    return True


def copy_rows(conn: Connection, text: str, types: Sequence[str], rows: Iterable[Row]) -> None:
    """Runs COPY … FROM STDIN (FORMAT BINARY) on PostgreSQL, with columns of these types.

    Raises:
        DBAPIError: nothing was copied, and the transaction must end.
    """
    pipeline = conn.info.get(PIPELINE)
    with (
        driver_errors(conn, text),
        nullcontext() if pipeline is None else pipeline.paused(),
        driver_of(conn).cursor(binary=True) as cursor,
        cursor.copy(text) as into,
    ):
        into.set_types(types)
        for row in rows:
            into.write_row(row)


def insert_rows(
    conn: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[object, ...]],
    *,
    or_ignore: bool = False,
) -> int:
    """Inserts one or more rows, five times faster than Core; returns their number.

    Args:
        or_ignore: skip rows whose primary key exists.
    """
    inserted = 0 if or_ignore else len(rows)
    if conn.dialect.name == "postgresql" and len(rows) >= _ROWS_FOR_ARRAYS:
        copying = copied_columns(table, tuple(columns)) if not or_ignore and len(rows) >= _ROWS_FOR_COPY else None
        if copying is not None and copyable(rows, copying[1]):
            copy_rows(conn, *copying, rows)
            return len(rows)
        for at in range(0, len(rows), _ROWS_PER_ARRAY):
            chunk = rows[at : at + _ROWS_PER_ARRAY]
            arrays = [list(values) for values in zip(*chunk, strict=True)]
            result = run(conn, _insert_arrays_text(table, tuple(columns), or_ignore), arrays)
            inserted += result.rowcount if or_ignore else 0
        return inserted
    for at in range(0, len(rows), _ROWS_PER_STATEMENT):
        chunk = rows[at : at + _ROWS_PER_STATEMENT]
        statement = _insert_text(conn.dialect.name, table.name, tuple(columns), len(chunk), or_ignore)
        result = run(conn, statement, tuple(chain.from_iterable(chunk)))
        inserted += result.rowcount if or_ignore else 0
    return inserted


@cache
def _insert_text(dialect: str, table: str, columns: tuple[str, ...], rows: int, or_ignore: bool) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    values = ", ".join([f"({', '.join([mark] * len(columns))})"] * rows)
    ending = " ON CONFLICT DO NOTHING" if or_ignore else ""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}{ending}"


@cache
def _insert_arrays_text(table: Table, columns: tuple[str, ...], or_ignore: bool) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    arrays = ", ".join(f"%b::{table.c[name].type.compile(dialect)}[]" for name in columns)
    ending = " ON CONFLICT DO NOTHING" if or_ignore else ""
    return f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT * FROM unnest({arrays}){ending}"


def driver_of(conn: Connection) -> Any:
    """The driver's connection."""
    return conn.connection.dbapi_connection


@contextmanager
def driver_errors(conn: Connection, text: str) -> Iterator[None]:
    """Raises the driver's errors as SQLAlchemy's DBAPIError, with the statement's text."""
    try:
        yield
    except Exception as error:
        _raise(conn, text, error)


def _raise(conn: Connection, text: str, error: Exception) -> NoReturn:
    """Raises a driver's error as SQLAlchemy's DBAPIError, and others as they are."""
    known: Any = conn.dialect.loaded_dbapi.Error
    if not isinstance(error, known):
        raise error
    raise DBAPIError.instance(text, None, error, known, hide_parameters=True, dialect=conn.dialect) from error


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    defaults: dict[str, Any]
    order: tuple[str, ...] | None  # None for named parameters
    arranged: Callable[[dict[str, Any]], Sequence[Any] | dict[str, Any]]  # the values in that order


class Prepared:
    """A statement with named parameters (`bindparam`). Thread-safe.

    Args:
        statement: one for all databases, or one for each, by the dialect's name.
    """

    def __init__(self, statement: Executable | Mapping[str, Executable]) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def __call__(self, conn: Connection, **values: int | str | bytes | None) -> Rows:
        compiled = self._compiled.get(conn.dialect.name) or self.compile(conn.dialect)
        given = {**compiled.defaults, **values}
        return run(conn, compiled.text, compiled.arranged(given))

    def compile(self, dialect: Dialect) -> _Compiled:
        """Compiles it for a dialect; a call does so where nobody has."""
        statement = self._statement
        single = statement[dialect.name] if isinstance(statement, Mapping) else statement
        made = self._compiled[dialect.name] = _compiled(single, dialect)
        return made


def upsert(table: Table, changed: Iterable[str]) -> Prepared:
    """Inserts a row, or changes these columns of the one that has its primary key."""
    names, key = tuple(changed), [column.name for column in table.primary_key]
    on_sqlite, on_postgresql = sqlite.insert(table), postgresql.insert(table)
    return Prepared(
        {
            "sqlite": on_sqlite.on_conflict_do_update(
                index_elements=key, set_={name: on_sqlite.excluded[name] for name in names}
            ),
            "postgresql": on_postgresql.on_conflict_do_update(
                index_elements=key, set_={name: on_postgresql.excluded[name] for name in names}
            ),
        }
    )


class PreparedList:
    """A statement with one list for `IN`, `bindparam("values", expanding=True)`.

    Long lists run in parts. SQLite gets parts of few lengths, so that few texts are compiled; PostgreSQL gets each part
    as one array: its driver reads a text with more than 50 parameters anew each time.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, int], _Compiled] = {}
        self._with_array: _Compiled | None = None

    def __call__(
        self,
        conn: Connection,
        values: Collection[int] | Collection[str] | Collection[bytes],
        **others: int | str | bytes,
    ) -> Iterator[Row]:
        """Rows for each part of the values, in order."""
        ordered: list[Any] = sorted(set(values))
        for at in range(0, len(ordered), LONGEST_LIST):
            part = ordered[at : at + LONGEST_LIST]
            if conn.dialect.name == "postgresql":
                whole = self._with_array or self._compile_array(conn.dialect)
                yield from run(conn, whole.text, {**whole.defaults, **others, "values": part})
                continue
            length = min(LONGEST_LIST, 1 << (len(part) - 1).bit_length())
            padded = part + [part[-1]] * (length - len(part))
            compiled = self._compiled.get((conn.dialect.name, length)) or self._compile(conn.dialect, length)
            order = compiled.order
            if order is not None and len(order) == length:  # hot path
                yield from run(conn, compiled.text, padded)
                continue
            listed = {f"values_{number}": value for number, value in enumerate(padded, 1)}
            given = {**compiled.defaults, **others, **listed}
            yield from run(conn, compiled.text, compiled.arranged(given))

    def execute(
        self,
        conn: Connection,
        values: Collection[int] | Collection[str] | Collection[bytes],
        **others: int | str | bytes,
    ) -> None:
        """Runs a statement without rows."""
        for _ in self(conn, values, **others):
            pass

    def _compile_array(self, dialect: Dialect) -> _Compiled:
        assert isinstance(self._statement, ClauseElement)  # noqa: S101  every Core statement is one
        compiled: Any = self._statement.compile(dialect=dialect)
        kind = compiled.binds["values"].type.compile(dialect).partition("(")[0]
        text, count = _LIST.subn(f"= ANY(%(values)s::{kind}[])", str(compiled))
        assert count == 1, text  # noqa: S101  the one list
        made = self._with_array = _Compiled(text, dict(compiled.params), None, _arrangement(None))
        return made

    def _compile(self, dialect: Dialect, length: int) -> _Compiled:
        made = _compiled(self._statement, dialect, values=[0] * length)
        self._compiled[dialect.name, length] = made
        return made


def _compiled(statement: Executable, dialect: Dialect, **lists: list[int]) -> _Compiled:
    assert isinstance(statement, ClauseElement)  # noqa: S101  every Core statement is one
    compiled: Any = statement.compile(dialect=dialect)
    expanded: Any = compiled.construct_expanded_state({**compiled.params, **lists}) if lists else compiled
    order = tuple(expanded.positiontup) if compiled.positional else None
    defaults = {name: value for name, value in compiled.params.items() if name not in lists}
    return _Compiled(expanded.statement if lists else str(compiled), defaults, order, _arrangement(order))


def _arrangement(order: tuple[str, ...] | None) -> Callable[[dict[str, Any]], Sequence[Any] | dict[str, Any]]:
    if order is None:
        return lambda given: given
    if len(order) > 1:
        return itemgetter(*order)
    return (lambda given: (given[order[0]],)) if order else lambda _: ()
