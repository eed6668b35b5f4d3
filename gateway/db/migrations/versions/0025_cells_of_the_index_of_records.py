"""Keys of recorded shipments by cells of 16,384 positions instead of segments of 131,072.

The index is emptied, and the running node builds it again from the log of records; risk hits are kept.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # software of the revision before looks for keys by segment

_INDEX = (
    "shipments",
    "shipment_revisions",
    "shipment_segments",
    "shipment_times",
    "party_names",
    "party_name_keys",
)


def upgrade() -> None:
    """Apply this revision."""
    op.drop_table("shipment_keys")
    op.create_table(
        "shipment_keys",
        sa.Column("cell", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("cell", "key", "position", name=op.f("pk_shipment_keys")),
        sqlite_with_rowid=False,
    )
    conn = op.get_bind()
    if conn.dialect.name == "postgresql":
        conn.exec_driver_sql(f"TRUNCATE {', '.join(_INDEX)}")
    else:
        for name in _INDEX:
            conn.execute(sa.delete(sa.table(name)))  # without a condition, which SQLite does without reading the rows
    progress = sa.table("record_progress", sa.column("indexed_position"))
    conn.execute(sa.update(progress).values(indexed_position=0))
