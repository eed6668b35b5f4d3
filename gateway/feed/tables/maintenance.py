"""Statements on announced maintenance: one window for each node, and which partners know of ours."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, String, Table, bindparam, delete, insert, select

from gateway.db.schema import integrity_index, metadata
from gateway.db.statements import Prepared, storable_text

maintenance_windows = Table(
    "maintenance_windows",
    metadata,
    Column("node", String(32), primary_key=True),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("reason", String(256), nullable=False),
    Column("announced_at", BigInteger, nullable=False),
    integrity_index("maintenance_windows", "node", "starts_at", "ends_at", "reason", "announced_at"),
)

maintenance_known = Table(
    "maintenance_known",
    metadata,
    Column("partner", String(32), primary_key=True),
    Column("announced_at", BigInteger, nullable=False),
    integrity_index("maintenance_known", "partner", "announced_at"),
)

_ALL = Prepared(select(maintenance_windows).order_by(maintenance_windows.c.node))
_DROP = Prepared(delete(maintenance_windows).where(maintenance_windows.c.node == bindparam("of_node")))
_ADD = Prepared(insert(maintenance_windows))
_KNOWN = Prepared(select(maintenance_known))
_FORGET = Prepared(delete(maintenance_known).where(maintenance_known.c.partner == bindparam("of_partner")))
_KNOW = Prepared(insert(maintenance_known))


class WindowRow(NamedTuple):
    """A node's maintenance; times in milliseconds since 1970."""

    node: str
    starts_at: int
    ends_at: int
    reason: str
    announced_at: int


def all_windows(conn: Connection) -> list[WindowRow]:
    """The last announced window of each node, also those that have ended."""
    return [WindowRow(*row) for row in _ALL(conn)]


def put(conn: Connection, row: WindowRow) -> None:
    """Writes a node's window in place of its last one."""
    _DROP(conn, of_node=row.node)
    _ADD(conn, **row._replace(reason=storable_text(row.reason))._asdict())


def known(conn: Connection) -> dict[str, int]:
    """By partner, when our window was announced that it knows of."""
    return dict(tuple(row) for row in _KNOWN(conn))


def set_known(conn: Connection, partner: str, announced_at: int) -> None:
    """Notes that a partner knows of our window that was announced at that time."""
    _FORGET(conn, of_partner=partner)
    _KNOW(conn, partner=partner, announced_at=announced_at)
