"""How far the outbox has told of changes of lists and of proposals."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "outbox_list_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("list_change", sa.BigInteger(), nullable=True),
        sa.Column("list_decision", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_list_progress")),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ck_outbox_list_progress", "outbox_list_progress", ["id", "list_change", "list_decision"])
