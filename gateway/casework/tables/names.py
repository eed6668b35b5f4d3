"""Statements on names of parties in alerts, and their keys of screening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, select

from gateway.casework.tables.schema import alert_name_keys, alert_names
from gateway.db.statements import PreparedList, insert_rows

_values: BindParameter[Any] = bindparam("values", expanding=True)
_TEXTS = PreparedList(select(alert_names).where(alert_names.c.name.in_(_values)))


def add(conn: Connection, names: Sequence[tuple[int, str]], keys: Sequence[tuple[int, int]]) -> None:
    """Inserts names as (key, text), and keys of screening as (key, name); known ones stay."""
    if names:
        insert_rows(conn, alert_names, ("name", "text"), sorted(names), or_ignore=True)
    if keys:
        insert_rows(conn, alert_name_keys, ("key", "name"), sorted(keys), or_ignore=True)


def texts(conn: Connection, names: Sequence[int]) -> dict[int, str]:
    """Texts of known names."""
    return {row[0]: row[1] for row in _TEXTS(conn, names)}


def filed_under(conn: Connection, keys: Sequence[int], limit: int) -> list[int]:
    """Distinct names with any of these keys."""
    statement = select(alert_name_keys.c.name).where(alert_name_keys.c.key.in_(sorted(keys))).distinct().limit(limit)
    return list(conn.execute(statement).scalars())


def forget(conn: Connection, keys: Sequence[int]) -> None:
    """Removes names that no alert has any more."""
    conn.execute(delete(alert_names).where(alert_names.c.name.in_(keys)))
    conn.execute(delete(alert_name_keys).where(alert_name_keys.c.name.in_(keys)))
