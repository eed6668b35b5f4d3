"""${message}."""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
version = ${repr(config.attributes["version"])}  # of the gateway that brings it
compatible = False  # True if it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    ${upgrades}
