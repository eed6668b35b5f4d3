"""Statements on files that are asked for at partners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, select, update

from gateway.attachments.tables.files import MAX_REASON_CHARS
from gateway.attachments.tables.schema import file_fetches
from gateway.db.statements import insert_rows, storable_text

_COLUMNS = tuple(file_fetches.c.keys())


class FetchState(StrEnum):
    """How a fetch stands."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FetchRow:
    """A file that was asked for at a partner; members as the columns."""

    sha256: str
    partner: str
    state: FetchState
    reason: str
    alert_publisher: str
    alert_id: str
    event: str
    size: int
    media_type: str
    file_name: str
    description: str
    classes: str
    purpose: str
    case_reference: str
    asked_by: str
    asked_at: int
    ended_at: int = 0
    attempts: int = 0


def put(conn: Connection, row: FetchRow) -> None:
    """Writes a fetch, in place of an earlier one from the same partner."""
    conn.execute(delete(file_fetches).where(*_is(row.sha256, row.partner)))
    values = {name: getattr(row, name) for name in _COLUMNS}
    values |= {name: storable_text(str(values[name])) for name in ("file_name", "description", "case_reference")}
    values["reason"] = storable_text(row.reason[:MAX_REASON_CHARS])
    values["state"] = row.state.value
    insert_rows(conn, file_fetches, _COLUMNS, [tuple(values[name] for name in _COLUMNS)])


def find(conn: Connection, sha256: str, partner: str) -> FetchRow | None:
    """A fetch from a partner."""
    row = conn.execute(select(file_fetches).where(*_is(sha256, partner))).one_or_none()
    return None if row is None else _fetch(row)


def of_files(conn: Connection, digests: Sequence[str]) -> list[FetchRow]:
    """Fetches of some files, newest first."""
    if not digests:
        return []
    query = select(file_fetches).where(file_fetches.c.sha256.in_(digests)).order_by(file_fetches.c.asked_at.desc())
    return [_fetch(row) for row in conn.execute(query)]


def waiting(conn: Connection, limit: int) -> list[FetchRow]:
    """Fetches that aren't done, oldest first."""
    query = select(file_fetches).where(file_fetches.c.state == "waiting").order_by(file_fetches.c.asked_at).limit(limit)
    return [_fetch(row) for row in conn.execute(query)]


def note(
    conn: Connection, sha256: str, partner: str, *, state: FetchState, reason: str, attempts: int, ended_at: int
) -> None:
    """Writes how a fetch stands."""
    conn.execute(
        update(file_fetches)
        .where(*_is(sha256, partner))
        .values(
            state=state.value,
            reason=storable_text(reason[:MAX_REASON_CHARS]),
            attempts=attempts,
            ended_at=ended_at,
        )
    )


def _is(sha256: str, partner: str) -> tuple[Any, ...]:
    return file_fetches.c.sha256 == sha256, file_fetches.c.partner == partner


def _fetch(row: Any) -> FetchRow:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["state"] = FetchState(values["state"])
    return FetchRow(**values)


def forget_alert(conn: Connection, publisher: str, alert_id: str) -> None:
    """Removes what was asked for under an alert that was erased."""
    c = file_fetches.c
    conn.execute(delete(file_fetches).where(c.alert_id == alert_id, c.alert_publisher == publisher))
