"""What was signed of own feeds that lost entries, and where they went on: one replica says it, all heed it."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "given_up_heads",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("given_up_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("reached", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_given_up_heads_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", name=op.f("pk_given_up_heads")),
    )
    with op.batch_alter_table("given_up_heads", schema=None) as batch_op:
        batch_op.create_index("ck_given_up_heads", ["feed_id", "given_up_at", "size", "root", "reached"], unique=False)

    op.create_table(
        "signed_heads",
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_signed_heads_feed_id")),
        sa.PrimaryKeyConstraint("feed_id", name=op.f("pk_signed_heads")),
    )
    with op.batch_alter_table("signed_heads", schema=None) as batch_op:
        batch_op.create_index("ck_signed_heads", ["feed_id", "size", "root"], unique=False)
