"""Statements on the keys that sign assertions, which the replicas of a node share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, select

from gateway.db.statements import insert_rows
from gateway.persons.tables.schema import person_secrets

_FIRST: Final = "assertions"
_LATER: Final = "assertions-"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionKeyRow:
    """A key's 32 secret bytes; `made_at` in milliseconds since 1970."""

    seed: bytes = field(repr=False)
    made_at: int


def list_all(conn: Connection) -> list[AssertionKeyRow]:
    """All keys that are kept, the oldest first."""
    columns = person_secrets.c
    statement = select(columns.secret, columns.made_at).where(_is_key()).order_by(columns.made_at)
    return [AssertionKeyRow(seed=bytes(row[0]), made_at=row[1]) for row in conn.execute(statement)]


def add_first(conn: Connection, key: AssertionKeyRow) -> None:
    """Stores a node's first key unless another replica was first."""
    _insert(conn, _FIRST, key)


def add(conn: Connection, key: AssertionKeyRow) -> None:
    """Stores another key; one is made in a millisecond."""
    _insert(conn, f"{_LATER}{key.made_at}", key)


def remove(conn: Connection, keys: Sequence[AssertionKeyRow]) -> None:
    """Deletes keys by when they were made."""
    made = [key.made_at for key in keys]
    conn.execute(delete(person_secrets).where(_is_key(), person_secrets.c.made_at.in_(made)))


def remove_all(conn: Connection) -> None:
    """Deletes all keys: the next start makes another."""
    conn.execute(delete(person_secrets).where(_is_key()))


def _is_key() -> ColumnElement[bool]:
    purpose = person_secrets.c.purpose
    return (purpose == _FIRST) | purpose.startswith(_LATER, autoescape=True)


def _insert(conn: Connection, purpose: str, key: AssertionKeyRow) -> None:
    row = (purpose, key.seed, key.made_at)
    insert_rows(conn, person_secrets, ("purpose", "secret", "made_at"), [row], or_ignore=True)
