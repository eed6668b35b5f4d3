"""Figures are counted again: what a publisher took at a closing counted once for each recipient."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    for name in ("figure_counts", "figure_progress"):
        op.execute(sa.delete(sa.table(name)))
