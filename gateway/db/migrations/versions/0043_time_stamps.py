"""Time stamps of a third party on receipted checkpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "time_stamps",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stamped_at", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_time_stamps_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", "size", name=op.f("pk_time_stamps")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":  # its integrity check compares rows with their indexes
        op.create_index("ck_time_stamps", "time_stamps", ["feed_id", "size", "stamped_at", "stamp"])
