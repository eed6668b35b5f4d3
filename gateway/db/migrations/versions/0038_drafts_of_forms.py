"""Drafts of forms."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "form_drafts",
        sa.Column("draft_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=192), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("summary", sa.String(length=200), nullable=False),
        sa.Column("saved_at", sa.BigInteger(), nullable=False),
        sa.Column("fields", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("draft_id", name=op.f("pk_form_drafts")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":  # its integrity check compares rows with their indexes
        columns = ["draft_id", "owner", "form", "summary", "saved_at", "fields"]
        op.create_index("ck_form_drafts", "form_drafts", columns)
    op.create_index(op.f("ix_form_drafts_owner_saved_at"), "form_drafts", ["owner", "saved_at"])
    op.create_index(op.f("ix_form_drafts_saved_at"), "form_drafts", ["saved_at"])
