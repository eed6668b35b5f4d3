"""Acknowledgements that leave later, and the entry of the newest finding on each copy of an alert.

The findings stand in the steps of alerts that were replied to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from google.protobuf.message import DecodeError

from gateway.v1 import alert_pb2

revision = "0035"
down_revision = "0034"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)

_KEY = ("alert_id", "publisher", "recipient")
_AT_ONCE = 500

_alerts = sa.table(
    "alerts", *map(sa.column, _KEY), *map(sa.column, ("replied_revision", "finding_feed_id", "finding_idx"))
)
_events = sa.table("alert_events", *map(sa.column, ("position", *_KEY, "feed_id", "idx")))
_entries = sa.table("entries", *map(sa.column, ("feed_id", "idx", "payload")))


def upgrade() -> None:
    """Apply this revision."""
    _create_acknowledgements()
    op.add_column("alerts", sa.Column("finding_feed_id", sa.Integer(), server_default="0", nullable=False))
    op.add_column("alerts", sa.Column("finding_idx", sa.BigInteger(), server_default="0", nullable=False))
    conn = op.get_bind()
    for rows in _pages(conn):
        findings: dict[tuple[str, ...], tuple[int, int]] = {}
        for step in conn.execute(_steps(rows[0][0], rows[-1][0])).mappings():
            if _is_finding(bytes(step["payload"])):
                findings[tuple(step[name] for name in _KEY)] = step["feed_id"], step["idx"]
        for row in rows:
            if tuple(row) in findings:
                feed_id, index = findings[tuple(row)]
                of_copy = [_alerts.c[name] == value for name, value in zip(_KEY, row, strict=True)]
                conn.execute(sa.update(_alerts).where(*of_copy).values(finding_feed_id=feed_id, finding_idx=index))


def _create_acknowledgements() -> None:
    columns: list[sa.Column[Any]] = [
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("person", sa.String(length=192), nullable=False),
        sa.Column("principal", sa.String(length=192), nullable=False),
        sa.Column("actor", sa.String(length=192), nullable=False),
        sa.Column("system", sa.String(length=192), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("leaves_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
    ]
    table = "scheduled_acknowledgements"
    key = sa.PrimaryKeyConstraint("alert_id", "publisher", name=op.f(f"pk_{table}"))
    op.create_table(table, *columns, key, sqlite_with_rowid=False)
    if op.get_bind().dialect.name == "sqlite":  # its integrity check compares rows with their indexes
        op.create_index(f"ck_{table}", table, [column.name for column in columns])
    for column, which in (("leaves_at", "reason = ''"), ("person", "reason <> ''")):
        where = sa.text(which)
        op.create_index(f"ix_{table}_{column}", table, [column], sqlite_where=where, postgresql_where=where)


def _pages(conn: sa.Connection) -> Iterator[list[Any]]:
    """Keys of copies that were replied to."""
    last: tuple[str, ...] = ("", "", "")
    key = [_alerts.c[name] for name in _KEY]
    while True:
        page = sa.select(*key).where(_alerts.c.replied_revision > 0, sa.tuple_(*key) > sa.tuple_(*last))
        rows = list(conn.execute(page.order_by(*key).limit(_AT_ONCE)))
        if not rows:
            return
        yield rows
        last = tuple(rows[-1])


def _steps(first: str, last: str) -> sa.Select[Any]:
    """Steps of alerts in order, from one id to another."""
    return (
        sa.select(_events, _entries.c.payload)
        .join(_entries, sa.and_(_entries.c.feed_id == _events.c.feed_id, _entries.c.idx == _events.c.idx))
        .where(_events.c.alert_id >= first, _events.c.alert_id <= last)
        .order_by(_events.c.position)
    )


def _is_finding(payload: bytes) -> bool:
    try:
        return alert_pb2.AlertEvent.FromString(payload).HasField("finding")
    except DecodeError:
        return False
