"""Marks each start of a node in its database with a random number, so that a restored database can be told by it."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from gateway.db.schema import cursors

_START = "start"
_START_BEFORE = "start before"


def mark_start(conn: Connection, token: int) -> tuple[int, ...]:
    """Writes this start's token; returns those of the last start and of the one before it, as far as there were any."""
    last, before = (_read(conn, name) for name in (_START, _START_BEFORE))
    _write(conn, _START, token, instead=last)
    if last is not None:
        _write(conn, _START_BEFORE, last, instead=before)
    return tuple(known for known in (last, before) if known is not None)


def _read(conn: Connection, name: str) -> int | None:
    return conn.execute(select(cursors.c.position).where(cursors.c.name == name)).scalar_one_or_none()


def _write(conn: Connection, name: str, token: int, *, instead: int | None) -> None:
    if instead is None:
        conn.execute(insert(cursors).values(name=name, position=token))
    else:
        conn.execute(update(cursors).where(cursors.c.name == name).values(position=token))
