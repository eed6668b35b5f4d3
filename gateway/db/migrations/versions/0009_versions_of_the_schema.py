"""Versions of the gateway that brought the schema's revisions; `gateway.db.migrate` fills the table."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "schema_revisions",
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("compatible", sa.Boolean(), nullable=False),
        sa.Column("applied_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_schema_revisions")),
        sqlite_with_rowid=False,
    )
