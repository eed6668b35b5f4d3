"""Counts of figures, an index of what alerts and shipments name, and indexes of open and of decided matches."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
version = "0.1.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it

_COMPARED = {
    "figure_progress": ["id", "position", "utc_offset_minutes"],
    "link_progress": ["id", "alert_position", "record_position"],
}
"""What SQLite's integrity check compares rows with; PostgreSQL has checksums of pages."""


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "figure_counts",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "measure", "direction", "partner", "key", name=op.f("pk_figure_counts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "figure_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("utc_offset_minutes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figure_progress")),
    )

    op.create_table(
        "link_name_keys",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "name", name=op.f("pk_link_name_keys")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "link_names",
        sa.Column("name", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_link_names")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "link_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alert_position", sa.BigInteger(), nullable=False),
        sa.Column("record_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_progress")),
    )

    op.create_table(
        "link_terms",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ref", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "source", "ref", name=op.f("pk_link_terms")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_link_terms_source_ref"), "link_terms", ["source", "ref"])

    op.create_index(
        "ix_matches_decided_at",
        "matches",
        ["decided_at", "publisher", "list", "status"],
        sqlite_where=sa.text("decided_at > 0"),
        postgresql_where=sa.text("decided_at > 0"),
    )
    op.create_index(
        "ix_matches_open",
        "matches",
        ["publisher", "list"],
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for table, columns in _COMPARED.items():
            op.create_index(f"ck_{table}", table, columns)
