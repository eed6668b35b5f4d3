"""Notifications gather the matches of an entry: those of which was told, so that each counts once."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision. Of matches up to the cursor was told; one that is decided for good isn't told again."""
    op.create_table(
        "notified_matches",
        sa.Column("match_id", sa.String(length=36), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("match_id", name=op.f("pk_notified_matches")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO notified_matches (match_id, told_at) SELECT match_id, found_at FROM matches "
        "WHERE status IN ('open', 'superseded') AND change <= (SELECT match_change FROM notification_progress)"
    )
    if op.get_bind().dialect.name == "sqlite":  # its integrity check compares rows with their indexes
        op.create_index("ck_notified_matches", "notified_matches", ["match_id", "told_at"])
    op.create_index(op.f("ix_notified_matches_told_at"), "notified_matches", ["told_at"])
