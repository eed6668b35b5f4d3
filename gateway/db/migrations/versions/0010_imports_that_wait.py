"""Imports whose proposals wait for a decision, by what they change: two at the same moment are one proposal."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
version = "0.1.0"
compatible = True  # software of the revision before doesn't use the table


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "list_imports",
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("proposal_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("list", "digest", name=op.f("pk_list_imports")),
        sqlite_with_rowid=False,
    )
