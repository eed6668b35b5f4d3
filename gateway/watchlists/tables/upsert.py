"""Inserts or updates many rows in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table

from gateway.db.statements import run

_ROWS_PER_STATEMENT = 100


def values_of(row: Any, columns: Sequence[str]) -> tuple[Any, ...]:
    """The row's attributes named like the columns."""
    return tuple([getattr(row, name) for name in columns])


def upsert(conn: Connection, table: Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    """Inserts or updates rows; `columns` names their values."""
    for at in range(0, len(rows), _ROWS_PER_STATEMENT):
        chunk = rows[at : at + _ROWS_PER_STATEMENT]
        run(conn, _upsert_text(conn.dialect.name, table, columns, len(chunk)), tuple(chain.from_iterable(chunk)))


@cache
def _upsert_text(dialect: str, table: Table, columns: tuple[str, ...], rows: int) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    values = ", ".join([f"({', '.join([mark] * len(columns))})"] * rows)
    key = [column.name for column in table.primary_key.columns]
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES {values} "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    )
