"""Audit events are found by who, what and in which case, each by an index."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
version = "0.1.0"  # of the gateway that brings it
compatible = False  # software of the revision before leaves the case out of the column

_AT_ONCE = 5_000


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("audit_events", sa.Column("case_reference", sa.String(length=512), nullable=False, server_default=""))
    _fill(op.get_bind())
    op.create_index(op.f("ix_audit_events_principal_seq"), "audit_events", ["principal", "seq"])
    op.create_index(op.f("ix_audit_events_method_seq"), "audit_events", ["method", "seq"])
    op.create_index(
        "ix_audit_events_case_reference_seq",
        "audit_events",
        ["case_reference", "seq"],
        sqlite_where=sa.text("case_reference <> ''"),
        postgresql_where=sa.text("case_reference <> ''"),
    )


def _fill(conn: sa.Connection) -> None:
    """Copies the case of each event from its body."""
    events = sa.table("audit_events", sa.column("seq"), sa.column("body"), sa.column("case_reference"))
    change = sa.update(events).where(events.c.seq == sa.bindparam("which")).values(case_reference=sa.bindparam("case"))
    after = 0
    while rows := conn.execute(
        sa.select(events.c.seq, events.c.body).where(events.c.seq > after).order_by(events.c.seq).limit(_AT_ONCE)
    ).all():
        after = rows[-1][0]
        cases = [(seq, _case(bytes(body))) for seq, body in rows]
        found = [{"which": seq, "case": case} for seq, case in cases if case]
        if found:
            conn.execute(change, found)


def _case(body: bytes) -> str:
    """The case in an event; none in one that is damaged, which `gateway verify` names."""
    try:
        event = json.loads(body)
    except ValueError:
        return ""
    return str(event.get("case_reference", "")) if isinstance(event, dict) else ""
