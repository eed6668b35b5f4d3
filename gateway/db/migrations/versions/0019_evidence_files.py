"""Evidence files, and the steps of alerts that name them; those that were named before stand in the entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from gateway.v1 import alert_pb2

revision = "0019"
down_revision = "0018"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # software of the revision before doesn't note what steps name

_AT_ONCE = 500
_KEY = ("alert_id", "publisher", "recipient")
_events = sa.table("alert_events", *(sa.column(name) for name in ("position", *_KEY, "feed_id", "idx")))
_entries = sa.table("entries", sa.column("feed_id"), sa.column("idx"), sa.column("payload"))
_feeds = sa.table("feeds", sa.column("id"), sa.column("origin"))
_evidence = sa.table(
    "alert_evidence",
    *(sa.column(name) for name in ("position", "number", "sha256", *_KEY, "speaker", "feed_id", "idx")),
)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "file_fetches",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=1024), nullable=False),
        sa.Column("alert_publisher", sa.String(length=32), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=128), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=512), nullable=False),
        sa.Column("classes", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("case_reference", sa.String(length=128), nullable=False),
        sa.Column("asked_by", sa.String(length=255), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "partner", name=op.f("pk_file_fetches")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("file_fetches", schema=None) as batch_op:
        batch_op.create_index(
            "ix_file_fetches_waiting",
            ["asked_at"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    op.create_table(
        "file_transfers",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("alert_publisher", sa.String(length=32), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("case_reference", sa.String(length=128), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "partner", name=op.f("pk_file_transfers")),
        sqlite_with_rowid=False,
    )

    op.create_table(
        "files",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(length=128), nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=512), nullable=False),
        sa.Column("classes", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=1024), nullable=False),
        sa.Column("own", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.String(length=255), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_by", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_files")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("files", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_files_added_at_sha256"), ["added_at", "sha256"], unique=False)
        batch_op.create_index(
            "ix_files_unscanned",
            ["added_at"],
            unique=False,
            sqlite_where=sa.text("state = 'unscanned'"),
            postgresql_where=sa.text("state = 'unscanned'"),
        )

    op.create_table(
        "alert_evidence",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("speaker", sa.String(length=32), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_alert_evidence_feed_id")),
        sa.PrimaryKeyConstraint("position", "number", name=op.f("pk_alert_evidence")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("alert_evidence", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_evidence_alert_id"), ["alert_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_evidence_sha256"), ["sha256"], unique=False)
    conn = op.get_bind()
    if conn.dialect.name == "sqlite":
        op.create_index(
            "ck_file_fetches",
            "file_fetches",
            [
                "sha256",
                "partner",
                "state",
                "reason",
                "alert_publisher",
                "alert_id",
                "event",
                "size",
                "media_type",
                "file_name",
                "description",
                "classes",
                "purpose",
                "case_reference",
                "asked_by",
                "asked_at",
                "ended_at",
                "attempts",
            ],
        )
        op.create_index(
            "ck_file_transfers",
            "file_transfers",
            [
                "sha256",
                "partner",
                "alert_publisher",
                "alert_id",
                "purpose",
                "case_reference",
                "started_at",
                "finished_at",
            ],
        )
        op.create_index(
            "ck_files",
            "files",
            [
                "sha256",
                "size",
                "media_type",
                "file_name",
                "description",
                "classes",
                "state",
                "reason",
                "own",
                "added_at",
                "added_by",
                "erased_at",
                "erased_by",
            ],
        )
    for rows in _named_before(conn):
        conn.execute(sa.insert(_evidence), rows)


def _named_before(conn: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    """Rows of the steps that are there, some at a time."""
    query = (
        sa.select(_events, _feeds.c.origin, _entries.c.payload)
        .join(_entries, sa.and_(_entries.c.feed_id == _events.c.feed_id, _entries.c.idx == _events.c.idx))
        .join(_feeds, _feeds.c.id == _events.c.feed_id)
        .order_by(_events.c.position)
        .limit(_AT_ONCE)
    )
    last = 0
    while steps := conn.execute(query.where(_events.c.position > last)).mappings().all():
        last = steps[-1]["position"]
        rows = [
            {name: step[name] for name in ("position", *_KEY, "feed_id", "idx")}
            | {"number": number, "sha256": evidence.sha256.hex(), "speaker": step["origin"].split("/")[1]}
            for step in steps
            for number, evidence in enumerate(_evidence_in(bytes(step["payload"])))
        ]
        if rows:
            yield rows


def _evidence_in(payload: bytes) -> Sequence[alert_pb2.EvidenceDigest]:
    event = alert_pb2.AlertEvent.FromString(payload)
    match event.WhichOneof("event"):
        case "published":
            return event.published.content.evidence
        case "amended":
            return event.amended.content.evidence
        case "finding":
            return event.finding.evidence
    return ()
