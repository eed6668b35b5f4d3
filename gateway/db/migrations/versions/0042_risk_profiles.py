"""Risk profiles: what was done with them, what partners are to get, and proposals."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
version = "0.2.0"  # of the gateway that brings it
compatible = False  # earlier software doesn't know the channels of risk profiles

_KEY = ("offerer", "profile_id", "kind", "reporter", "number")


def _key_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("offerer", sa.String(length=32), nullable=False),
        sa.Column("profile_id", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reporter", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
    ]


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "risk_profile_acts",
        *_key_columns(),
        sa.Column("acted_at", sa.BigInteger(), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_risk_profile_acts_feed_id")),
        sa.PrimaryKeyConstraint(*_KEY, name=op.f("pk_risk_profile_acts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "risk_profile_dues",
        sa.Column("partner", sa.String(length=32), nullable=False),
        *_key_columns(),
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_risk_profile_dues_feed_id")),
        sa.PrimaryKeyConstraint("partner", *_KEY, name=op.f("pk_risk_profile_dues")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_risk_profile_dues_partner_purpose_feed_id_idx"),
        "risk_profile_dues",
        ["partner", "purpose", "feed_id", "idx"],
    )
    op.create_table(
        "risk_profile_proposals",
        sa.Column("proposal_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("feed_id", sa.Integer(), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["feed_id"], ["feeds.id"], name=op.f("fk_risk_profile_proposals_feed_id")),
        sa.PrimaryKeyConstraint("proposal_id", name=op.f("pk_risk_profile_proposals")),
        sqlite_with_rowid=False,
    )
