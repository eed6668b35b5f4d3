"""Whose node the database is."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "node_identity",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("federation", sa.String(length=320), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("log_key", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_identity")),
    )
