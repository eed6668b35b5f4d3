"""Keys of recorded shipments from names and numbers as they look.

The index is emptied, and the running node builds it again from the log of records; risk hits are kept, since they don't
depend on keys.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

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
    conn = op.get_bind()
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"TRUNCATE {', '.join(_INDEX)}")
    else:
        for name in _INDEX:
            conn.execute(sa.delete(sa.table(name)))  # without a condition, which SQLite does without reading the rows
    progress = sa.table("record_progress", sa.column("indexed_position"))
    conn.execute(sa.update(progress).values(indexed_position=0))
