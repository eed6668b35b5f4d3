"""Counts the starts of a node in its database, so that a restored one can be told from its predecessor."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from gateway.store.schema import cursors

_STARTS = "starts"


def count_start(conn: Connection) -> int:
    """Adds one; returns the number of starts before this one."""
    before = conn.execute(select(cursors.c.position).where(cursors.c.name == _STARTS)).scalar_one_or_none()
    if before is None:
        conn.execute(insert(cursors).values(name=_STARTS, position=1))
        return 0
    conn.execute(update(cursors).where(cursors.c.name == _STARTS).values(position=before + 1))
    return int(before)
