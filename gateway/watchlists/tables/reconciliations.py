"""Statements on how far own lists were compared with partners' copies after a restore."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, tuple_

from gateway.db.statements import Prepared
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.tables.lists import CopyRow
from gateway.watchlists.tables.schema import list_copies, list_reconciliations
from gateway.watchlists.tables.upsert import upsert


class ReconciliationRow(NamedTuple):
    """Progress with a partner from which copies came back, like the columns; the last copy compared."""

    partner: str
    list: str = ""
    entry_id: str = ""


_OF_PARTNER = Prepared(select(list_reconciliations).where(list_reconciliations.c.partner == bindparam("of_partner")))
_ALL = Prepared(select(list_reconciliations).order_by(list_reconciliations.c.partner))
_END = Prepared(delete(list_reconciliations).where(list_reconciliations.c.partner == bindparam("of_partner")))
_COPIES_AFTER = Prepared(
    select(list_copies)
    .where(
        list_copies.c.partner == bindparam("of_partner"),
        tuple_(list_copies.c.list, list_copies.c.entry_id) > tuple_(bindparam("called"), bindparam("id")),
    )
    .order_by(list_copies.c.list, list_copies.c.entry_id)
    .limit(bindparam("most"))
)
_COLUMNS = tuple(list_reconciliations.c.keys())


def of_partner(conn: Connection, partner: str) -> ReconciliationRow | None:
    """Progress with a partner; None when there is nothing to compare."""
    row = _OF_PARTNER(conn, of_partner=partner).one_or_none()
    return None if row is None else ReconciliationRow._make(row)


def put(conn: Connection, row: ReconciliationRow) -> None:
    """Stores progress with a partner; a new row begins a comparison."""
    upsert(conn, list_reconciliations, _COLUMNS, [row])


def end(conn: Connection, partner: str) -> None:
    """Notes that all copies were compared."""
    _END(conn, of_partner=partner)


def under_way(conn: Connection) -> tuple[ReconciliationRow, ...]:
    """Progress with all partners whose copies aren't all compared."""
    return tuple(ReconciliationRow._make(row) for row in _ALL(conn))


def copies_after(conn: Connection, partner: str, after: ListKey, limit: int) -> list[CopyRow]:
    """A partner's copies by list and id, after a key; `ListKey("", "")` for all."""
    rows = _COPIES_AFTER(conn, of_partner=partner, called=after.list, id=after.entry_id, most=limit)
    return [CopyRow._make(row) for row in rows]
