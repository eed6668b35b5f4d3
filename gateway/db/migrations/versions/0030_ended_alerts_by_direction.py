"""An index of ended alerts: figures show the newest that were closed, among a million that weren't."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_index(
        "ix_alerts_ended",
        "alerts",
        ["direction", "status", "alert_id", "publisher", "recipient"],
        sqlite_where=sa.text("open_until = 0"),
        postgresql_where=sa.text("open_until = 0"),
    )
