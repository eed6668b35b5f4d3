"""Up to where records were recorded when a partner was answered.

Pages of answers that were given before go on as they did: nothing counts as recorded after what was searched.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BEFORE = "partner, before, query_id, as_of, before_position, as_of_position"


def upgrade() -> None:
    """Apply this revision."""
    # Made anew, since SQLite would write a column that is added in other words than one that was there from the start.
    op.execute(f"CREATE TEMPORARY TABLE pages_before AS SELECT {_BEFORE} FROM history_pages")
    op.drop_table("history_pages")
    op.create_table(
        "history_pages",
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("before", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("query_id", sa.String(length=36), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("before_position", sa.BigInteger(), nullable=False),
        sa.Column("as_of_position", sa.BigInteger(), nullable=False),
        sa.Column("recorded_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partner", "before", name=op.f("pk_history_pages")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_history_pages_query_id"), "history_pages", ["query_id"], unique=False)
    op.execute(
        f"INSERT INTO history_pages ({_BEFORE}, recorded_position) SELECT {_BEFORE}, as_of_position FROM pages_before"
    )
    op.execute("DROP TABLE pages_before")
