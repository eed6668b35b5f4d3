"""Keys of recorded shipments by cells of 65,536 positions, and no filters of segments.

The index is emptied, and the running node builds it again from the log of records; risk hits are kept.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
version = "0.2.0"  # of the gateway that brings it
compatible = False  # software of the revision before looks for keys in smaller cells

_INDEX = (
    "shipments",
    "shipment_revisions",
    "shipment_keys",
    "shipment_times",
    "party_names",
    "party_name_keys",
)


def upgrade() -> None:
    """Apply this revision."""
    op.drop_table("shipment_segments")
    op.create_table(
        "shipment_cells",
        sa.Column("cell", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_declared", sa.BigInteger(), nullable=False),
        sa.Column("last_declared", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cell", name=op.f("pk_shipment_cells")),
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
