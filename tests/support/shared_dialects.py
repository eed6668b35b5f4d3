"""Lets all databases of a process use the statements that SQLAlchemy has compiled for any of them.

It compiles a statement once for each engine. A node makes a few engines in its life; tests make some for each of
thousands of databases, and spent a quarter of their time on compiling the same statements.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from gateway.db import database

_STATEMENTS = 5_000
"""Most that are kept; the product has under a thousand."""

_compiled: LRUCache[Any, Any] = LRUCache(_STATEMENTS)


def share_dialects() -> None:
    """From now on databases of this process do so: their dialects count as one, as which they compile."""
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        dialect.__eq__ = _same  # type: ignore[method-assign]
        dialect.__hash__ = _hash  # type: ignore[assignment, method-assign]
    database.create_engine = _created  # type: ignore[attr-defined]


def _same(dialect: object, other: object) -> bool:
    return type(dialect) is type(other)


def _hash(dialect: object) -> int:
    return hash(type(dialect))


def _created(*arguments: Any, **options: Any) -> Engine:
    engine = create_engine(*arguments, **options)
    engine.update_execution_options(compiled_cache=_compiled)
    return engine
