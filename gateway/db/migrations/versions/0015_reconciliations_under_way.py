"""Comparisons of own lists with partners' copies: a row while one is under way, and none afterwards."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # software of the revision before writes the columns that go

_KEPT = "partner, list, entry_id"


def upgrade() -> None:
    """Apply this revision."""
    op.execute(f"CREATE TEMPORARY TABLE reconciliations_before AS SELECT {_KEPT} FROM list_reconciliations")
    op.drop_table("list_reconciliations")
    op.create_table(
        "list_reconciliations",
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("partner", name=op.f("pk_list_reconciliations")),
        sqlite_with_rowid=False,
    )
    op.execute(f"INSERT INTO list_reconciliations ({_KEPT}) SELECT {_KEPT} FROM reconciliations_before")
    op.execute("DROP TABLE reconciliations_before")
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ck_list_reconciliations", "list_reconciliations", _KEPT.split(", "))
