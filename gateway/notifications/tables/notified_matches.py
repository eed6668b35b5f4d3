"""Statements on matches of which was told: each counts once, however often it is written again."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, delete, select

from gateway.db.statements import PreparedList, insert_rows
from gateway.notifications.tables.schema import notified_matches

_KNOWN = PreparedList(
    select(notified_matches.c.match_id).where(notified_matches.c.match_id.in_(bindparam("values", expanding=True)))
)


def known(conn: Connection, match_ids: Collection[str]) -> set[str]:
    """Those matches of which was told."""
    return {row[0] for row in _KNOWN(conn, match_ids)} if match_ids else set()


def add(conn: Connection, match_ids: Collection[str], now_ms: int) -> None:
    """Notes that of these matches was told; none may be known."""
    if match_ids:
        insert_rows(conn, notified_matches, ("match_id", "told_at"), [(match_id, now_ms) for match_id in match_ids])


def forget_before(conn: Connection, time_ms: int, limit: int) -> int:
    """Forgets up to `limit` matches of which was told before a time; returns how many."""
    c = notified_matches.c
    old = [row[0] for row in conn.execute(select(c.match_id).where(c.told_at < time_ms).limit(limit))]
    if old:
        conn.execute(delete(notified_matches).where(c.match_id.in_(old)))
    return len(old)
