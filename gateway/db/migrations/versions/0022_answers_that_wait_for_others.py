"""Feeds note which applied entries aren't answered yet, so that answers can wait for others."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # software of the revision before wouldn't answer what waits

_INDEX = "ck_feeds"
_COLUMNS = (
    "id direction partner channel awaited_size accepted_at disposed_size applied_size state state_reason "
    "state_since evidence_path suspended_since suspension"
)


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("feeds", sa.Column("applied_size", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE feeds SET applied_size = disposed_size")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index(_INDEX, "feeds")
        op.create_index(_INDEX, "feeds", _COLUMNS.split())
