"""Erasures of alerts: what nodes have said of them, and the entries whose payload is gone."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "alert_erasures",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("erased", sa.Integer(), nullable=False),
        sa.Column("asks", sa.Boolean(), nullable=False),
        sa.Column("refusal", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_alert_erasures_feed_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_alert_erasures")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_alert_erasures_alert_id"), "alert_erasures", ["alert_id"])
    op.create_table(
        "erased_entries",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_erased_entries_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "idx", name=op.f("pk_erased_entries")),
        sqlite_with_rowid=False,
    )
