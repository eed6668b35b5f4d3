"""Reports of whose verdict a list's change has changed; the changes of before aren't reported."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
version = "0.2.0"  # of the gateway that brings it
compatible = True  # it only adds: software of the revision before works on it (docs/runbook/upgrade.md)


def upgrade() -> None:
    """Apply this revision."""
    numbers = ("began_at", "ended_at", "became", "ceased", "regraded", "lines")
    _create(
        "screening_reports",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("publisher", sa.String(length=32), nullable=False),
        sa.Column("list", sa.String(length=64), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        key=("number",),
    )
    op.create_index(op.f("ix_screening_reports_ended_at"), "screening_reports", ["ended_at"])
    _create(
        "screening_report_lines",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("source_publisher", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.String(length=128), nullable=False),
        sa.Column("entry_id", sa.String(length=64), nullable=False),
        sa.Column("field", sa.String(length=256), nullable=False),
        sa.Column("match_id", sa.String(length=36), nullable=False),
        sa.Column("class_before", sa.Integer(), nullable=False),
        sa.Column("class_after", sa.Integer(), nullable=False),
        key=("number", "source", "source_publisher", "source_id", "entry_id"),
    )
    op.create_index(
        op.f("ix_screening_report_lines_source_source_id"), "screening_report_lines", ["source", "source_id"]
    )


def _create(table: str, *columns: sa.Column[Any], key: tuple[str, ...]) -> None:
    constraint = sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}"))
    op.create_table(table, *columns, constraint, sqlite_with_rowid=False)
    if op.get_bind().dialect.name == "sqlite":  # its integrity check compares rows with their indexes
        op.create_index(f"ck_{table}", table, [column.name for column in columns])
