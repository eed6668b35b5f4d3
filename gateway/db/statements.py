"""Compiles SQLAlchemy Core statements once per database and runs them on the driver.

Building a statement takes ten times as long as running it on SQLite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

Row = tuple[Any, ...]
"""Values in column order."""


LONGEST_LIST = 500
"""Most values in one IN list; each length is compiled."""


def storable_text(text: str) -> str:
    """Replaces NUL, which PostgreSQL refuses in text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class Rows(Sequence[Row]):
    """All rows of a statement."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Row], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, at: Any) -> Any:
        return self._rows[at]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def one(self) -> Row:
        """The first row; raises NoResultFound."""
        if not self._rows:
            raise NoResultFound("no row was found where one was required")
        return self._rows[0]

    def one_or_none(self) -> Row | None:
        return self._rows[0] if self._rows else None

    def scalar_one(self) -> Any:
        """The first value; raises NoResultFound."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        return self._rows[0][0] if self._rows else None


def run(conn: Connection, text: str, values: Sequence[Any] | dict[str, Any]) -> Rows:
    """Runs driver SQL in the transaction; raises SQLAlchemy's DBAPIError."""
    with _cursor(conn, text) as cursor:
        cursor.execute(text, values)
        rows = cursor.fetchall() if cursor.description is not None else []
        return Rows(rows, cursor.rowcount)


def copy_rows(conn: Connection, text: str, types: Sequence[str], rows: Iterable[Row]) -> None:
    """Runs COPY … FROM STDIN (FORMAT BINARY) on PostgreSQL, with columns of these types.

    Raises:
        DBAPIError: nothing was copied, and the transaction must end.
    """
    with _cursor(conn, text) as cursor, cursor.copy(text) as into:
        into.set_types(types)
        for row in rows:
            into.write_row(row)


@contextmanager
def _cursor(conn: Connection, text: str) -> Iterator[Any]:
    """A cursor of the driver; raises SQLAlchemy's DBAPIError."""
    dbapi: Any = conn.connection.dbapi_connection
    # PostgreSQL's text has two digits for each byte.
    cursor = dbapi.cursor(binary=True) if conn.dialect.name == "postgresql" else dbapi.cursor()
    try:
        yield cursor
    except Exception as error:
        known: Any = conn.dialect.loaded_dbapi.Error
        if not isinstance(error, known):
            raise
        raise DBAPIError.instance(text, None, error, known, hide_parameters=True, dialect=conn.dialect) from error
    finally:
        cursor.close()


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    defaults: dict[str, Any]
    order: tuple[str, ...] | None  # None for named parameters


class Prepared:
    """A statement with named parameters (`bindparam`). Thread-safe."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def __call__(self, conn: Connection, **values: int | str | bytes | None) -> Rows:
        compiled = self._compiled.get(conn.dialect.name) or self._compile(conn.dialect)
        given = {**compiled.defaults, **values}
        order = compiled.order
        if order is None:
            return run(conn, compiled.text, given)
        return run(conn, compiled.text, [given[name] for name in order])

    def _compile(self, dialect: Dialect) -> _Compiled:
        made = self._compiled[dialect.name] = _compiled(self._statement, dialect)
        return made


class PreparedList:
    """A statement with one list for `IN`, `bindparam("values", expanding=True)`.

    Long lists run in parts of few lengths, so that few texts are compiled.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[tuple[str, int], _Compiled] = {}

    def __call__(
        self, conn: Connection, values: Collection[int] | Collection[str], **others: int | str | bytes
    ) -> Iterator[Row]:
        """Rows for each part of the values, in order."""
        ordered: list[Any] = sorted(set(values))
        for at in range(0, len(ordered), LONGEST_LIST):
            part = ordered[at : at + LONGEST_LIST]
            length = min(LONGEST_LIST, 1 << (len(part) - 1).bit_length())
            padded = part + [part[-1]] * (length - len(part))
            compiled = self._compiled.get((conn.dialect.name, length)) or self._compile(conn.dialect, length)
            order = compiled.order
            if order is not None and len(order) == length:  # hot path
                yield from run(conn, compiled.text, padded)
                continue
            listed = {f"values_{number}": value for number, value in enumerate(padded, 1)}
            given = {**compiled.defaults, **others, **listed}
            yield from run(conn, compiled.text, given if order is None else [given[name] for name in order])

    def execute(self, conn: Connection, values: Collection[int] | Collection[str], **others: int | str | bytes) -> None:
        """Runs a statement without rows."""
        for _ in self(conn, values, **others):
            pass

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
    return _Compiled(expanded.statement if lists else str(compiled), defaults, order)
