"""An index of what is to be acted on whatever its deadline: an inbox shows it first, among a million that isn't."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)

_OF_CONDITIONS = ("open_until", "partner", "direction", "status", "wanted", "typologies")


def upgrade() -> None:
    """Apply this revision."""
    which = sa.text("wanted > 0 AND priority = 'A'")
    op.create_index(
        "ix_inbox_items_first",
        "inbox_items",
        ["act_by", "priority", "alert_id", "publisher", "recipient", *_OF_CONDITIONS],
        sqlite_where=which,
        postgresql_where=which,
    )
