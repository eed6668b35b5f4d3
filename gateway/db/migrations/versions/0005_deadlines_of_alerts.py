"""Deadlines of alerts, and the entry of each copy's newest step.

Both stand in the entries that the copies were projected from. The table is made again: SQLite adds no column before the
constraints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.v1 import alert_pb2

revision = "0005"
down_revision = "0004"

_KEY = ("alert_id", "publisher", "recipient")
_DUE = ("reply_due", "question_in_due", "question_out_due")
_AT_ONCE = 500

_before = sa.table(
    "alerts_before",
    *(sa.column(name) for name in (*_KEY, "direction", "revision", "status", "acknowledged_revision", "questions")),
    *(sa.column(name) for name in ("priority", "purpose", "case_reference", "published_at", "valid_until")),
    *(sa.column(name) for name in ("feed_id", "first_idx", "current_idx")),
)
_events = sa.table(
    "alert_events", *(sa.column(name) for name in ("position", *_KEY, "feed_id", "idx")), sa.column("status")
)
_entries = sa.table("entries", sa.column("feed_id"), sa.column("idx"), sa.column("payload"))


def upgrade() -> None:
    """Apply this revision."""
    conn = op.get_bind()
    conn.exec_driver_sql("CREATE TABLE alerts_before AS SELECT * FROM alerts")
    op.drop_table("alerts")
    _create_alerts()
    for rows in _pages(conn):
        conn.execute(sa.insert(sa.table("alerts", *(sa.column(name) for name in rows[0]))), rows)
    op.drop_table("alerts_before")


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("acknowledged_revision", sa.Integer(), nullable=False),
        sa.Column("replied_revision", sa.Integer(), nullable=False),
        sa.Column("questions", sa.Text(), nullable=False),
        sa.Column("priority", sa.String(length=1), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("case_reference", sa.String(length=128), nullable=False),
        _big("published_at"),
        _big("valid_until"),
        _big("reply_by"),
        sa.Column("informs", sa.Boolean(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        _big("first_idx"),
        _big("current_idx"),
        _big("last_idx"),
        _big("open_until"),
        *map(_big, _DUE),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_alerts_feed_id")),
        sa.PrimaryKeyConstraint(*_KEY, name=op.f("pk_alerts")),
        sqlite_with_rowid=False,
    )
    _partial_index("ix_alerts_direction_open_until", "open_until", "direction", "open_until")
    for name in _DUE:
        _partial_index(f"ix_alerts_{name}", name, name, "open_until")


def _partial_index(index: str, time: str, *columns: str) -> None:
    has_time = sa.text(f"{time} > 0")
    op.create_index(index, "alerts", list(columns), unique=False, sqlite_where=has_time, postgresql_where=has_time)


def _big(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _pages(conn: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    last: tuple[str, ...] = ("", "", "")
    while True:
        key = [_before.c[name] for name in _KEY]
        page = sa.select(_before).where(sa.tuple_(*key) > sa.tuple_(*last)).order_by(*key).limit(_AT_ONCE)
        before = conn.execute(page).mappings().all()
        if not before:
            return
        steps = _steps(conn, before[0]["alert_id"], before[-1]["alert_id"])
        yield [_row(copy, steps.get(_key(copy), [])) for copy in before]
        last = _key(before[-1])


def _steps(conn: sa.Connection, first: str, last: str) -> dict[tuple[str, ...], list[tuple[int, int, Any]]]:
    """Steps of alerts by copy in order: feed, index and event."""
    query = (
        sa.select(_events, _entries.c.payload)
        .join(_entries, sa.and_(_entries.c.feed_id == _events.c.feed_id, _entries.c.idx == _events.c.idx))
        .where(_events.c.alert_id >= first, _events.c.alert_id <= last)
        .order_by(_events.c.position)
    )
    steps: dict[tuple[str, ...], list[tuple[int, int, Any]]] = {}
    for row in conn.execute(query).mappings():
        event = alert_pb2.AlertEvent.FromString(bytes(row["payload"]))
        steps.setdefault(_key(row), []).append((row["feed_id"], row["idx"], event))
    return steps


def _key(row: Mapping[Any, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in _KEY)


def _row(copy: Mapping[Any, Any], steps: Sequence[tuple[int, int, Any]]) -> dict[str, Any]:
    acknowledged = replied = 0
    last_idx, content = copy["current_idx"], alert_pb2.AlertContent()
    for feed_id, index, event in steps:
        match event.WhichOneof("event"):
            case "acknowledged":
                acknowledged = max(acknowledged, event.acknowledged.revision)
            case "flagged":
                replied = max(replied, event.flagged.revision)
            case "finding":
                replied = max(replied, event.finding.revision or max(1, acknowledged))
            case "withdrawn" | "expired" | "closed":
                last_idx = index
            case "published" | "amended" if (feed_id, index) == (copy["feed_id"], copy["current_idx"]):
                content = event.published.content if event.HasField("published") else event.amended.content
    reply_by = content.reply_by.seconds * 1000 + content.reply_by.nanos // 1_000_000
    informs = content.requested_action == alert_pb2.REQUESTED_ACTION_INFORM
    is_replied = max(replied, acknowledged if informs else 0) >= copy["revision"]
    ended = copy["status"] in ("withdrawn", "expired", "closed")
    own = "publisher" if copy["direction"] == "out" else "recipient"
    questions = [] if ended else json.loads(copy["questions"] or "[]")
    asked = [(asked_by == own, deadline) for asked_by, _, deadline, answered in questions if not answered]
    return {
        **copy,
        "replied_revision": replied,
        "reply_by": reply_by,
        "informs": informs,
        "last_idx": last_idx,
        "open_until": 0 if ended else copy["valid_until"],
        "reply_due": 0 if ended or is_replied else reply_by,
        "question_in_due": min((deadline for by_own, deadline in asked if not by_own), default=0),
        "question_out_due": min((deadline for by_own, deadline in asked if by_own), default=0),
    }
