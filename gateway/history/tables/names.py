"""Statements on recorded names and their keys of screening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, select

from gateway.db.statements import PreparedList, insert_rows
from gateway.history.tables.schema import party_name_keys, party_names

_values: BindParameter[Any] = bindparam("values", expanding=True)
_TEXTS = PreparedList(select(party_names).where(party_names.c.name.in_(_values)))
_REMOVE = (
    PreparedList(delete(party_names).where(party_names.c.name.in_(_values))),
    PreparedList(delete(party_name_keys).where(party_name_keys.c.name.in_(_values))),
)


def add(conn: Connection, names: Sequence[tuple[int, str]], keys: Sequence[tuple[int, int]]) -> None:
    """Inserts names as (key, text), and keys of screening as (key, name)."""
    if names:
        insert_rows(conn, party_names, ("name", "text"), sorted(names), or_ignore=True)
    if keys:
        insert_rows(conn, party_name_keys, ("key", "name"), sorted(keys), or_ignore=True)


def texts(conn: Connection, names: Sequence[int]) -> dict[int, str]:
    """Texts of known names."""
    return {row[0]: row[1] for row in _TEXTS(conn, names)}


def filed_under(conn: Connection, keys: Sequence[int], limit: int) -> list[int]:
    """Distinct names with any of these keys."""
    statement = select(party_name_keys.c.name).where(party_name_keys.c.key.in_(sorted(keys))).distinct().limit(limit)
    return list(conn.execute(statement).scalars())


def remove(conn: Connection, names: Sequence[int]) -> None:
    """Removes names and their keys."""
    for statement in _REMOVE:
        statement.execute(conn, names)
