"""What alerts and shipments name by cells of 16,384 positions.

The index of links is emptied, and the running node builds it again from alerts and records.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # software of the revision before looks for keys without cells


def upgrade() -> None:
    """Apply this revision."""
    op.drop_table("link_terms")
    op.create_table(
        "link_terms",
        sa.Column("source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cell", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("source", "cell", "key", "ref", name=op.f("pk_link_terms")),
        sqlite_with_rowid=False,
    )
    shipments = sa.text("source = 1")
    op.create_index(
        "ix_link_terms_shipments", "link_terms", ["ref"], sqlite_where=shipments, postgresql_where=shipments
    )
    progress = sa.table("link_progress", sa.column("alert_position"), sa.column("record_position"))
    op.get_bind().execute(sa.update(progress).values(alert_position=0, record_position=0))
