"""Marks each start with a random number, to detect a restored database."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from gateway.feed.tables.schema import node_starts

_TOKENS = select(node_starts.c.token, node_starts.c.token_before)


def mark_start(conn: Connection, token: int) -> tuple[int, ...]:
    """Writes this start's token; returns those of up to two starts before."""
    row = conn.execute(_TOKENS).one_or_none()
    tokens = () if row is None else tuple(known for known in row if known is not None)
    conn.execute(delete(node_starts))
    conn.execute(insert(node_starts).values(id=1, token=token, token_before=tokens[0] if tokens else None))
    return tokens
