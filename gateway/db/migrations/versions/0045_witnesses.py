"""What a node cosigns as a witness, and witnesses' cosignatures on its feeds."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "witnessed_logs",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witnessed_logs")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "witness_conflicts",
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("held", sa.LargeBinary(), nullable=False),
        sa.Column("shown", sa.LargeBinary(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin", name=op.f("pk_witness_conflicts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "witness_cosignatures",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=255), nullable=False),
        sa.Column("cosigned_at", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_witness_cosignatures_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "size", "witness", name=op.f("pk_witness_cosignatures")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":  # its integrity check compares rows with their indexes
        op.create_index("ck_witnessed_logs", "witnessed_logs", ["origin", "size", "note"])
        op.create_index("ck_witness_conflicts", "witness_conflicts", ["origin", "held", "shown", "seen_at"])
        op.create_index(
            "ck_witness_cosignatures", "witness_cosignatures", ["feed_id", "size", "witness", "cosigned_at", "lines"]
        )
