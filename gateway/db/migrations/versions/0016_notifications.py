"""Notifications, rules of persons, warnings of deadlines, and how far an outbox has been taken."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it

_COMPARED = {
    "deadline_warnings": ["alert_id", "publisher", "recipient", "deadline", "due", "stage", "warn_at", "number"],
    "notification_deliveries": ["number", "way", "created_at", "attempts", "next_at", "error"],
    "notification_progress": [
        *("id", "alert_position", "match_change", "proposals_since", "last_number", "last_warning"),
        "case_position",
    ],
    "notification_rules": ["owner", "rules"],
    "notifications": ["number", "recipient", "event_id", "kind", "created_at", "body", "read_at"],
    "outbox_progress": ["id", "alert_position", "match_change", "warning"],
}
"""What SQLite's integrity check compares rows with; PostgreSQL has checksums of pages."""


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "deadline_warnings",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("deadline", sa.String(length=12), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(length=6), nullable=False),
        sa.Column("warn_at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "alert_id", "publisher", "recipient", "deadline", "due", "stage", name=op.f("pk_deadline_warnings")
        ),
    )
    op.create_index(
        "ix_deadline_warnings_fired",
        "deadline_warnings",
        ["number"],
        sqlite_where=sa.text("number > 0"),
        postgresql_where=sa.text("number > 0"),
    )
    op.create_index(
        "ix_deadline_warnings_to_come",
        "deadline_warnings",
        ["warn_at"],
        sqlite_where=sa.text("number = 0"),
        postgresql_where=sa.text("number = 0"),
    )

    op.create_table(
        "notification_deliveries",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("way", sa.String(length=72), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", "way", name=op.f("pk_notification_deliveries")),
    )
    op.create_index(
        "ix_notification_deliveries_due",
        "notification_deliveries",
        ["way", "next_at"],
        sqlite_where=sa.text("next_at > 0"),
        postgresql_where=sa.text("next_at > 0"),
    )

    op.create_table(
        "notification_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alert_position", sa.BigInteger(), nullable=True),
        sa.Column("match_change", sa.BigInteger(), nullable=True),
        sa.Column("proposals_since", sa.BigInteger(), nullable=True),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("last_warning", sa.BigInteger(), nullable=False),
        sa.Column("case_position", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_progress")),
    )

    op.create_table(
        "notification_rules",
        sa.Column("owner", sa.String(length=160), nullable=False),
        sa.Column("rules", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_notification_rules")),
    )

    op.create_table(
        "notifications",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("recipient", sa.String(length=160), nullable=False),
        sa.Column("event_id", sa.String(length=192), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_notifications")),
    )
    op.create_index(op.f("ix_notifications_created_at"), "notifications", ["created_at"])
    op.create_index(op.f("ix_notifications_recipient_number"), "notifications", ["recipient", "number"])
    op.create_index(
        "ix_notifications_unread",
        "notifications",
        ["recipient", "number"],
        sqlite_where=sa.text("read_at = 0"),
        postgresql_where=sa.text("read_at = 0"),
    )
    op.create_index("uq_notifications_recipient_event_id", "notifications", ["recipient", "event_id"], unique=True)

    op.create_table(
        "outbox_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alert_position", sa.BigInteger(), nullable=True),
        sa.Column("match_change", sa.BigInteger(), nullable=True),
        sa.Column("warning", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_progress")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for table, columns in _COMPARED.items():
            op.create_index(f"ck_{table}", table, columns)
