"""Statements on saved views."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, func, insert, or_, select

from gateway.casework.tables.schema import saved_views
from gateway.v1 import casework_service_pb2 as service

MOST_VIEWS = 100
"""Views of one person, and those that one is shown."""


def of(conn: Connection, person: str, roles: Collection[str]) -> list[service.SavedView]:
    """A person's views by name, then those shared with its roles."""
    table = saved_views.c
    query = select(table.message).where(or_(table.owner == person, table.shared_with.in_(sorted(roles))))
    query = query.order_by(table.owner != person, table.name, table.view_id).limit(2 * MOST_VIEWS)
    return [service.SavedView.FromString(bytes(message)) for message in conn.execute(query).scalars()]


def get(conn: Connection, view_id: str) -> service.SavedView | None:
    """One view."""
    row = conn.execute(select(saved_views.c.message).where(saved_views.c.view_id == view_id)).scalar_one_or_none()
    return None if row is None else service.SavedView.FromString(bytes(row))


def count(conn: Connection, person: str) -> int:
    """Number of a person's views."""
    query = select(func.count()).select_from(saved_views).where(saved_views.c.owner == person)
    return int(conn.execute(query).scalar_one())


def put(conn: Connection, view: service.SavedView) -> None:
    """Writes a view in place of one with its id."""
    remove(conn, view.view_id)
    message = view.SerializeToString(deterministic=True)
    values = {"view_id": view.view_id, "owner": view.owner, "shared_with": view.shared_with, "name": view.name}
    conn.execute(insert(saved_views).values(**values, message=message))


def remove(conn: Connection, view_id: str) -> None:
    """Removes a view."""
    conn.execute(delete(saved_views).where(saved_views.c.view_id == view_id))
