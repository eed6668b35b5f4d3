"""Feeds by priority: which ones their recipients have accepted, and in which ones an alert's newest entries are."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("feeds", sa.Column("accepted_at", sa.BigInteger(), server_default="0", nullable=False))
    for name in ("current_feed_id", "last_feed_id"):
        op.add_column("alerts", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE alerts SET current_feed_id = feed_id, last_feed_id = feed_id")
