"""Notifications tell of partners' answers to own hits: an index of hits by the entry of their last answer."""

from alembic import op

revision = "0028"
down_revision = "0027"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it adds an index alone


def upgrade() -> None:
    """Apply this revision."""
    op.create_index(op.f("ix_list_hits_outcome_feed_id_outcome_idx"), "list_hits", ["outcome_feed_id", "outcome_idx"])
