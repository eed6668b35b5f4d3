"""Statements that are written once with SQLAlchemy Core, compiled once per database, and go straight to the driver.

Building a Core statement for each call costs ten times what SQLite needs to run it, and running a text through
SQLAlchemy still three times; a lone alert takes some fifty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError, NoResultFound
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

Row = tuple[Any, ...]
"""One row's values, in the order of the statement's columns."""


def storable_text(text: str) -> str:
    """A text as both databases keep it: PostgreSQL takes no NUL, so a replacement character stands for each."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class Rows(Sequence[Row]):
    """What a statement gave: its rows, all read."""

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
        """The first row; raises NoResultFound when there is none."""
        if not self._rows:
            raise NoResultFound("no row was found where one was required")
        return self._rows[0]

    def one_or_none(self) -> Row | None:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def scalar_one(self) -> Any:
        """The first value of the first row; raises NoResultFound when there is none."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """The first value of the first row, or None."""
        return self._rows[0][0] if self._rows else None


def run(conn: Connection, text: str, values: Sequence[Any] | dict[str, Any]) -> Rows:
    """Runs the driver's own form of a statement inside the connection's transaction.

    Args:
        conn: in a transaction.
        text: with the driver's own marks for parameters.
        values: as the driver takes them.

    Raises:
        DBAPIError: SQLAlchemy's class for the driver's error, as if it had run the statement.
    """
    dbapi: Any = conn.connection.dbapi_connection
    cursor = dbapi.cursor()
    try:
        cursor.execute(text, values)
        rows = cursor.fetchall() if cursor.description is not None else []
        return Rows(rows, cursor.rowcount)
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
    order: tuple[str, ...] | None  # of positional parameters; None when the driver takes names


class Prepared:
    """One statement with named parameters (`bindparam`); thread-safe, since compiling twice does no harm.

    Values go to the driver as they are: integers, text and bytes. Lists (`IN`) need Core itself.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}

    def __call__(self, conn: Connection, **values: int | str | bytes | None) -> Rows:
        """Runs the statement with these values for its parameters."""
        compiled = self._compiled.get(conn.dialect.name) or self._compile(conn.dialect)
        given = {**compiled.defaults, **values}
        order = compiled.order
        if order is None:
            return run(conn, compiled.text, given)
        return run(conn, compiled.text, [given[name] for name in order])

    def _compile(self, dialect: Dialect) -> _Compiled:
        assert isinstance(self._statement, ClauseElement)  # noqa: S101  every Core statement is one
        compiled: Any = self._statement.compile(dialect=dialect)
        order = tuple(compiled.positiontup) if compiled.positional else None
        made = _Compiled(str(compiled), dict(compiled.params), order)
        self._compiled[dialect.name] = made
        return made
