"""Licences: what was done with them, what is left, what partners are to get, and proposals."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
version = "0.2.0"  # of the gateway that brings it
compatible = False  # earlier software doesn't know the channels of licences


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "licences",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("withdrawn", sa.Integer(), nullable=False),
        sa.Column("valid_until", sa.String(length=10), nullable=False),
        sa.Column("breaches", sa.Integer(), nullable=False),
        sa.Column("balance", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "number", name=op.f("pk_licences")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "licence_acts",
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reporter", sa.String(length=32), nullable=False),
        sa.Column("declaration", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_licence_acts_feed_id")),
        sa.PrimaryKeyConstraint(
            "issuer", "number", "kind", "reporter", "declaration", "line", "revision", name=op.f("pk_licence_acts")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "licence_dues",
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("issuer", sa.String(length=32), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reporter", sa.String(length=32), nullable=False),
        sa.Column("declaration", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_licence_dues_feed_id")),
        sa.PrimaryKeyConstraint(
            "partner",
            "issuer",
            "number",
            "kind",
            "reporter",
            "declaration",
            "line",
            "revision",
            name=op.f("pk_licence_dues"),
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("licence_dues", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_licence_dues_partner_purpose_feed_id_idx"),
            ["partner", "purpose", "feed_id", "idx"],
            unique=False,
        )

    op.create_table(
        "licence_proposals",
        sa.Column("proposal_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_licence_proposals_feed_id")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_licence_proposals")),
        sqlite_with_rowid=False,
    )
