"""What inspections of own records came to; the rules evaluate all records again, which fills it."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "inspection_outcomes",
        sa.Column("hs6", sa.String(length=6), nullable=False),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("inspected_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hs6", "record_id", name=op.f("pk_inspection_outcomes")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_inspection_outcomes_record_id"), "inspection_outcomes", ["record_id"])
    op.execute(sa.update(sa.table("record_progress", sa.column("evaluated_position"))).values(evaluated_position=0))
