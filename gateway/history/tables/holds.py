"""Statements on legal holds."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from gateway.history.tables.schema import record_holds
from gateway.v1 import history_service_pb2

LegalHold = history_service_pb2.LegalHold


def add(conn: Connection, hold: LegalHold) -> None:
    """Inserts a hold."""
    message = hold.SerializeToString(deterministic=True)
    conn.execute(insert(record_holds).values(hold_id=hold.hold_id, message=message, released=0))


def find(conn: Connection, hold_id: str) -> LegalHold | None:
    """The hold with this id."""
    message = conn.execute(select(record_holds.c.message).where(record_holds.c.hold_id == hold_id)).scalar_one_or_none()
    return None if message is None else LegalHold.FromString(message)


def release(conn: Connection, hold: LegalHold) -> None:
    """Stores a released hold."""
    message = hold.SerializeToString(deterministic=True)
    conn.execute(update(record_holds).where(record_holds.c.hold_id == hold.hold_id).values(message=message, released=1))


def all_of(conn: Connection, *, released: bool) -> list[LegalHold]:
    """Holds, newest first."""
    statement = select(record_holds.c.message).order_by(record_holds.c.hold_id.desc())
    if not released:
        statement = statement.where(record_holds.c.released == 0)
    return [LegalHold.FromString(row[0]) for row in conn.execute(statement)]
