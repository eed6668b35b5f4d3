"""Where earlier revisions of entries stand, and answers to hits; `gateway rebuild` fills in what was before."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # software of the revision before leaves out which revisions it replaces


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "list_revisions",
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("replaced_seq", sa.BigInteger(), nullable=False),
        sa.Column("replaced_ordinal", sa.Integer(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_list_revisions_feed_id")),
        sa.PrimaryKeyConstraint(
            "publisher", "list", "entry_id", "replaced_seq", "replaced_ordinal", name=op.f("pk_list_revisions")
        ),
        sqlite_with_rowid=False,
    )
    op.add_column("list_hits", sa.Column("outcome_feed_id", sa.BigInteger(), nullable=True))
    op.add_column("list_hits", sa.Column("outcome_idx", sa.BigInteger(), nullable=True))
