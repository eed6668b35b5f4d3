"""Records may name the partners to whom they may be released."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
version = "0.2.0"  # of the gateway that brings it
compatible = False  # earlier software would give a record to partners that its list leaves out


def upgrade() -> None:
    """Apply this revision. No record of before has a list."""
    op.create_table(
        "release_lists",
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("nodes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "position", name=op.f("pk_release_lists")),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":  # its integrity check compares rows with their indexes
        op.create_index("ck_release_lists", "release_lists", ["record_id", "position", "nodes"])
