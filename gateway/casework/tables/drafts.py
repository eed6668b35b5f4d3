"""Statements on drafts of forms."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from gateway.casework.tables.schema import form_drafts as table
from gateway.contract.messages import to_timestamp
from gateway.v1 import casework_service_pb2 as service

_HEAD = (table.c.draft_id, table.c.form, table.c.summary, table.c.saved_at)


def of(conn: Connection, owner: str) -> list[service.FormDraft]:
    """A person's drafts without fields, the newest first."""
    query = select(*_HEAD).where(table.c.owner == owner).order_by(table.c.saved_at.desc(), table.c.draft_id)
    return [_head(row) for row in conn.execute(query)]


def get(conn: Connection, draft_id: str, owner: str) -> service.FormDraft | None:
    """A person's draft; None for none, and for somebody else's."""
    query = select(*_HEAD, table.c.fields).where(table.c.draft_id == draft_id, table.c.owner == owner)
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    draft = _head(row)
    draft.MergeFrom(service.FormDraft.FromString(bytes(row.fields)))
    return draft


def owner_of(conn: Connection, draft_id: str) -> str | None:
    """Whose draft has an id; None where there is none."""
    return conn.execute(select(table.c.owner).where(table.c.draft_id == draft_id)).scalar_one_or_none()


def put(conn: Connection, draft: service.FormDraft, owner: str, *, now_ms: int) -> None:
    """Writes a draft in place of one with its id."""
    remove(conn, draft.draft_id, owner)
    fields = service.FormDraft(fields=draft.fields).SerializeToString(deterministic=True)
    values = {"draft_id": draft.draft_id, "form": draft.form, "summary": draft.summary, "saved_at": now_ms}
    conn.execute(insert(table).values(**values, owner=owner, fields=fields))


def remove(conn: Connection, draft_id: str, owner: str) -> None:
    """Removes a person's draft, if it is there."""
    conn.execute(delete(table).where(table.c.draft_id == draft_id, table.c.owner == owner))


def remove_older(conn: Connection, before_ms: int) -> int:
    """Removes everybody's drafts that were kept last before a time; how many."""
    return conn.execute(delete(table).where(table.c.saved_at < before_ms)).rowcount


def _head(row: Any) -> service.FormDraft:
    return service.FormDraft(
        draft_id=row.draft_id, form=row.form, summary=row.summary, saved_at=to_timestamp(row.saved_at)
    )


def forget(conn: Connection, alert_id: str) -> None:
    """Removes drafts of forms on an alert that was erased."""
    conn.execute(delete(table).where(table.c.form.contains(alert_id, autoescape=True)))
