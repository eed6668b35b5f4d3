"""Restores with their losses, and how far own lists were compared with partners' copies after one."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "list_reconciliations",
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("feed_state_since", sa.BigInteger(), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("finished", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_list_reconciliations")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "restores",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("restored_at", sa.BigInteger(), nullable=False),
        sa.Column("backup_at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("list_changes", sa.BigInteger(), nullable=False),
        sa.Column("matches", sa.BigInteger(), nullable=False),
        sa.Column("losses", sa.LargeBinary(), nullable=False),
        sa.Column("started", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_restores")),
    )
