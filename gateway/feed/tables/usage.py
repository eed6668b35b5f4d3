"""Statements on what each partner has had stored here, by day and kind."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select, update

from gateway.db.statements import Prepared, insert_rows
from gateway.feed.tables.schema import partner_usage

_COLUMNS = tuple(partner_usage.c.keys())

_OF = (
    partner_usage.c.day == bindparam("of_day"),
    partner_usage.c.partner == bindparam("of_partner"),
    partner_usage.c.kind == bindparam("of_kind"),
)
_MORE = {
    "items": partner_usage.c["items"] + bindparam("more_items"),
    "bytes": partner_usage.c.bytes + bindparam("more_bytes"),
}
_READ = Prepared(select(partner_usage.c["items"], partner_usage.c.bytes).where(*_OF))
_ADD = Prepared(update(partner_usage).where(*_OF).values(_MORE))
_ADD_WITHIN = Prepared(
    update(partner_usage)
    .where(*_OF, _MORE["items"] <= bindparam("most_items"), _MORE["bytes"] <= bindparam("most_bytes"))
    .values(_MORE)
)
_OF_DAY = Prepared(
    select(partner_usage)
    .where(partner_usage.c.day == bindparam("of_day"))
    .order_by(partner_usage.c.partner, partner_usage.c.kind)
)
_FORGET = Prepared(delete(partner_usage).where(partner_usage.c.day < bindparam("before_day")))


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What a partner has had stored in a day, counted in days since 1970 (UTC)."""

    day: int
    partner: str
    kind: str
    items: int
    bytes: int


def read(conn: Connection, day: int, partner: str, kind: str) -> tuple[int, int]:
    """Items and bytes."""
    row = _READ(conn, of_day=day, of_partner=partner, of_kind=kind).one_or_none()
    return (0, 0) if row is None else (row[0], row[1])


def add(conn: Connection, day: int, partner: str, kind: str, *, items: int, size: int) -> bool:
    """Counts items and their bytes; True for the first of the day."""
    of: dict[str, int | str] = {"of_day": day, "of_partner": partner, "of_kind": kind}
    if _ADD(conn, more_items=items, more_bytes=size, **of).rowcount:
        return False
    # Another replica may begin the day at the same time.
    insert_rows(conn, partner_usage, _COLUMNS, [(day, partner, kind, 0, 0)], or_ignore=True)
    _ADD(conn, more_items=items, more_bytes=size, **of)
    return True


def add_within(
    conn: Connection, day: int, partner: str, kind: str, *, items: int, size: int, most_items: int, most_bytes: int
) -> bool:
    """Counts items and their bytes if there are no more than so many then; False on the day's first too."""
    counted = _ADD_WITHIN(
        conn,
        more_items=items,
        more_bytes=size,
        most_items=most_items,
        most_bytes=most_bytes,
        of_day=day,
        of_partner=partner,
        of_kind=kind,
    )
    return bool(counted.rowcount)


def of_day(conn: Connection, day: int) -> list[UsageRow]:
    """All of one day, by partner and kind."""
    return [UsageRow(*row) for row in _OF_DAY(conn, of_day=day)]


def forget_before(conn: Connection, day: int) -> None:
    """Removes earlier days."""
    _FORGET(conn, before_day=day)
