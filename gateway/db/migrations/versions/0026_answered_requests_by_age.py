"""Answered requests have a time, so that old ones can be removed."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # what software of the revision before adds would be removed at once


def upgrade() -> None:
    """Apply this revision. What was answered before counts as answered now: it is kept as long as new answers."""
    op.add_column("requests", sa.Column("answered_at", sa.BigInteger(), server_default="0", nullable=False))
    requests = sa.table("requests", sa.column("answered_at"))
    op.get_bind().execute(sa.update(requests).values(answered_at=time.time_ns() // 1_000_000))
    op.create_index(op.f("ix_requests_answered_at"), "requests", ["answered_at"])
