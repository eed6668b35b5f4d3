"""Stores whose node a database is; until it has marks, numbers of earlier releases told a restored one."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from gateway.feed.tables.schema import feeds, node_identity, node_starts


class NodeIdentity(NamedTuple):
    """Federation and node; `log_key` is the public key, 32 bytes, that signed last."""

    federation: str
    node: str
    log_key: bytes


def read(conn: Connection) -> NodeIdentity | None:
    """None before the first start."""
    row = conn.execute(select(*(node_identity.c[name] for name in NodeIdentity._fields))).one_or_none()
    return None if row is None else NodeIdentity(row.federation, row.node, bytes(row.log_key))


def write(conn: Connection, identity: NodeIdentity) -> None:
    """Sets it."""
    conn.execute(delete(node_identity))
    conn.execute(insert(node_identity).values(id=1, **identity._asdict()))


def own_feed(conn: Connection) -> str | None:
    """Name of some own feed; None without one."""
    return conn.execute(select(feeds.c.origin).where(feeds.c.direction == "out").limit(1)).scalar_one_or_none()


_TOKENS = select(node_starts.c.token, node_starts.c.token_before)


def tokens(conn: Connection) -> tuple[int, ...]:
    """Numbers of up to two starts before."""
    row = conn.execute(_TOKENS).one_or_none()
    return () if row is None else tuple(known for known in row if known is not None)
