"""Inbox and search index of alerts, and what colleagues do with alerts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)

_COMPARED = {
    "case_actions": ["position", "alert_id", "publisher", "kind", "person", "done_at", "assignee", "note_id"],
    "case_assignments": ["alert_id", "publisher", "assignee", "assigned_by", "assigned_at"],
    "case_notes": ["note_id", "alert_id", "publisher", "author", "written_at", "text", "erased_at", "erased_by"],
    "casework_progress": ["id", "listed_position", "indexed_position"],
    "saved_views": ["view_id", "owner", "shared_with", "name", "message"],
    "watch_marks": ["person", "alert_id", "publisher"],
}
"""What SQLite's integrity check compares rows with; PostgreSQL has checksums of pages."""


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "alert_documents",
        sa.Column("doc", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("words", postgresql.TSVECTOR().with_variant(sa.Text(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("doc", name=op.f("pk_alert_documents")),
    )

    op.create_table(
        "alert_name_keys",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "name", name=op.f("pk_alert_name_keys")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "alert_names",
        sa.Column("name", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alert_names")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "case_actions",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("person", sa.String(length=192), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=False),
        sa.Column("assignee", sa.String(length=192), nullable=False),
        sa.Column("note_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_case_actions")),
    )
    op.create_index(op.f("ix_case_actions_alert_id"), "case_actions", ["alert_id"])

    op.create_table(
        "case_assignments",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("assignee", sa.String(length=192), nullable=False),
        sa.Column("assigned_by", sa.String(length=192), nullable=False),
        sa.Column("assigned_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "publisher", name=op.f("pk_case_assignments")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_case_assignments_assignee"), "case_assignments", ["assignee"])

    op.create_table(
        "case_notes",
        sa.Column("note_id", sa.String(length=36), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("author", sa.String(length=192), nullable=False),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_by", sa.String(length=192), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name=op.f("pk_case_notes")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_case_notes_alert_id"), "case_notes", ["alert_id"])
    op.create_index(
        "ix_case_notes_written_at",
        "case_notes",
        ["written_at"],
        sqlite_where=sa.text("erased_at = 0"),
        postgresql_where=sa.text("erased_at = 0"),
    )

    op.create_table(
        "casework_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("listed_position", sa.BigInteger(), nullable=False),
        sa.Column("indexed_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_casework_progress")),
    )

    op.create_table(
        "inbox_items",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("recipient", sa.String(length=32), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=1), nullable=False),
        sa.Column("typologies", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("act_by", sa.BigInteger(), nullable=False),
        sa.Column("open_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "publisher", "recipient", name=op.f("pk_inbox_items")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_inbox_items_act_by",
        "inbox_items",
        [
            "act_by",
            "priority",
            "alert_id",
            "publisher",
            "recipient",
            "open_until",
            "partner",
            "direction",
            "status",
            "wanted",
            "typologies",
        ],
        sqlite_where=sa.text("wanted > 0 AND due_at = 0"),
        postgresql_where=sa.text("wanted > 0 AND due_at = 0"),
    )
    op.create_index(
        "ix_inbox_items_due",
        "inbox_items",
        [
            "due_at",
            "priority",
            "alert_id",
            "publisher",
            "recipient",
            "open_until",
            "partner",
            "direction",
            "status",
            "wanted",
            "typologies",
        ],
        sqlite_where=sa.text("wanted > 0 AND due_at > 0"),
        postgresql_where=sa.text("wanted > 0 AND due_at > 0"),
    )
    op.create_index(
        "ix_inbox_items_open",
        "inbox_items",
        ["alert_id", "publisher", "recipient"],
        sqlite_where=sa.text("open_until > 0"),
        postgresql_where=sa.text("open_until > 0"),
    )

    op.create_table(
        "saved_views",
        sa.Column("view_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=192), nullable=False),
        sa.Column("shared_with", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("view_id", name=op.f("pk_saved_views")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_saved_views_owner"), "saved_views", ["owner"])
    op.create_index(op.f("ix_saved_views_shared_with"), "saved_views", ["shared_with"])

    op.create_table(
        "watch_marks",
        sa.Column("person", sa.String(length=192), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("person", "alert_id", "publisher", name=op.f("pk_watch_marks")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_watch_marks_alert_id"), "watch_marks", ["alert_id"])
    if op.get_bind().dialect.name == "sqlite":
        for table, columns in _COMPARED.items():
            op.create_index(f"ck_{table}", table, columns)
    else:
        op.create_index("ix_alert_documents_words", "alert_documents", ["words"], postgresql_using="gin")
