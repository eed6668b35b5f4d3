"""Notifications tell of partners' hits on own lists: how far they were read, and an index of hits by their entry."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # software of the revision before misses the index that it compares the row with

_INDEX = "ck_notification_progress"
_COLUMNS = "id alert_position match_change proposals_since last_number last_warning case_position hit_position"


def upgrade() -> None:
    """Apply this revision. Hits that are there aren't told: they are read from the present position on."""
    op.add_column("notification_progress", sa.Column("hit_position", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_list_hits_feed_id_idx"), "list_hits", ["feed_id", "idx"])
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index(_INDEX, "notification_progress")
        op.create_index(_INDEX, "notification_progress", _COLUMNS.split())
