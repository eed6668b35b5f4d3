"""Announced maintenance of nodes, and which partners know of the own one."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "maintenance_known",
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_maintenance_known")),
    )
    op.create_table(
        "maintenance_windows",
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=256), nullable=False),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_maintenance_windows")),
    )
