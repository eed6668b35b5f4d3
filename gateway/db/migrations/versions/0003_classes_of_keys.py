"""Keys of recorded shipments by disclosure class, and where answers to partners go on.

Keys were of their values alone. The index is emptied, and the running node builds it again from the log of records;
risk hits are kept, since they don't depend on keys.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_INDEX = (
    "shipments",
    "shipment_revisions",
    "shipment_keys",
    "shipment_segments",
    "shipment_times",
    "party_names",
    "party_name_keys",
)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "history_pages",
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("before", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("query_id", sa.String(length=36), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("before_position", sa.BigInteger(), nullable=False),
        sa.Column("as_of_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partner", "before", name=op.f("pk_history_pages")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_history_pages_query_id"), "history_pages", ["query_id"], unique=False)
    conn = op.get_bind()
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"TRUNCATE {', '.join(_INDEX)}")
    else:
        for name in _INDEX:
            conn.execute(sa.delete(sa.table(name)))  # without a condition, which SQLite does without reading the rows
    progress = sa.table("record_progress", sa.column("indexed_position"))
    conn.execute(sa.update(progress).values(indexed_position=0))
