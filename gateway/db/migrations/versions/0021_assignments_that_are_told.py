"""How far assignments of alerts were told."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it

_COLUMNS = (
    *("id", "alert_position", "match_change", "proposals_since", "last_number", "last_warning"),
    "case_position",
)


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("notification_progress", sa.Column("case_position", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ck_notification_progress", "notification_progress")
        op.create_index("ck_notification_progress", "notification_progress", list(_COLUMNS))
