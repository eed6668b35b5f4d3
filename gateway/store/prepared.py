"""Statements that are written once with SQLAlchemy Core, compiled once per database, and then cost as little as the
driver does.

Building a Core statement for each call costs ten times what SQLite needs to run it, and a lone alert takes some fifty.
Owns the compiled form. Doesn't own the statements: they stand beside the functions that use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement


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

    def __call__(self, conn: Connection, **values: int | str | bytes) -> CursorResult[*tuple[Any, ...]]:
        """Runs the statement with these values for its parameters."""
        compiled = self._compiled.get(conn.dialect.name) or self._compile(conn.dialect)
        given = {**compiled.defaults, **values}
        order = compiled.order
        if order is None:
            return conn.exec_driver_sql(compiled.text, given)
        return conn.exec_driver_sql(compiled.text, tuple([given[name] for name in order]))

    def _compile(self, dialect: Dialect) -> _Compiled:
        assert isinstance(self._statement, ClauseElement)  # noqa: S101  every Core statement is one
        compiled: Any = self._statement.compile(dialect=dialect)
        order = tuple(compiled.positiontup) if compiled.positional else None
        made = _Compiled(str(compiled), dict(compiled.params), order)
        self._compiled[dialect.name] = made
        return made
