"""Reads the numbers by which earlier releases told a restored database, until it has marks."""

from __future__ import annotations

from sqlalchemy import Connection, select

from gateway.feed.tables.schema import node_starts

_TOKENS = select(node_starts.c.token, node_starts.c.token_before)


def tokens(conn: Connection) -> tuple[int, ...]:
    """Numbers of up to two starts before."""
    row = conn.execute(_TOKENS).one_or_none()
    return () if row is None else tuple(known for known in row if known is not None)
