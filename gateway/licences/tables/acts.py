"""Statements on what authorities did with licences, and on the licences that follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, bindparam, delete, func, insert, select, tuple_

from gateway.db.statements import Prepared, insert_rows
from gateway.feed.tables.dues import Dues
from gateway.feed.tables.schema import entries
from gateway.licences.codec.events import ActKey, LicenceKey
from gateway.licences.tables.schema import licence_acts, licence_dues, licence_proposals, licences
from gateway.persons.tables.register_proposals import RegisterProposals


class PlacedAct(NamedTuple):
    """An act and where it stands, with its entry."""

    key: ActKey
    feed_id: int
    idx: int
    header: bytes
    payload: bytes


class LicenceRow(NamedTuple):
    """A licence as projected; `balance` is a serialised LicenceBalance."""

    issuer: str
    number: str
    withdrawn: int
    valid_until: str
    breaches: int
    balance: bytes

    @property
    def key(self) -> LicenceKey:
        return LicenceKey(self.issuer, self.number)


dues = Dues(licence_dues, ActKey)
"""What partners are to get."""

proposals = RegisterProposals(licence_proposals)
"""Changes that two persons make."""

_ACT_COLUMNS = (*ActKey._fields, "feed_id", "idx")


def _same(table_columns: Sequence[Column[object]]) -> list[ColumnElement[bool]]:
    return [column == bindparam(f"of_{column.name}") for column in table_columns]


def _values(key: ActKey) -> dict[str, str | int]:
    return {f"of_{name}": value for name, value in key._asdict().items()}


_act_columns = [licence_acts.c[name] for name in ActKey._fields]
_of_licence = (licence_acts.c.issuer == bindparam("issuer_is"), licence_acts.c.number == bindparam("number_is"))

_ACT = Prepared(select(licence_acts).where(*_same(_act_columns)))
_ACTS = Prepared(
    select(*_act_columns, licence_acts.c.feed_id, licence_acts.c.idx, entries.c.header, entries.c.payload)
    .join(entries, (entries.c.feed_id == licence_acts.c.feed_id) & (entries.c.idx == licence_acts.c.idx))
    .where(*_of_licence)
    .order_by(*_act_columns)
)
_COUNT = Prepared(
    select(func.count()).select_from(licence_acts).where(*_of_licence, licence_acts.c.reporter == bindparam("by"))
)
_LICENCE = Prepared(
    select(licences).where(licences.c.issuer == bindparam("issuer_is"), licences.c.number == bindparam("number_is"))
)
_DROP_LICENCE = Prepared(
    delete(licences).where(licences.c.issuer == bindparam("issuer_is"), licences.c.number == bindparam("number_is"))
)
_ADD_LICENCE = Prepared(insert(licences))


def find_act(conn: Connection, key: ActKey) -> tuple[int, int] | None:
    """Where an act stands, as feed id and index; None for one that isn't known."""
    row = _ACT(conn, **_values(key)).one_or_none()
    return None if row is None else (int(row[-2]), int(row[-1]))


def add_act(conn: Connection, key: ActKey, feed_id: int, idx: int) -> None:
    """Adds an act that isn't known."""
    insert_rows(conn, licence_acts, _ACT_COLUMNS, [(*key, feed_id, idx)])


def acts_on(conn: Connection, licence: LicenceKey) -> list[PlacedAct]:
    """Everything done with a licence, by key."""
    rows = _ACTS(conn, issuer_is=licence.issuer, number_is=licence.number)
    return [PlacedAct(ActKey(*row[:7]), row[7], row[8], bytes(row[9]), bytes(row[10])) for row in rows]


def find(conn: Connection, licence: LicenceKey) -> LicenceRow | None:
    """A licence, or None."""
    row = _LICENCE(conn, issuer_is=licence.issuer, number_is=licence.number).one_or_none()
    return None if row is None else LicenceRow(*row)


def put(conn: Connection, row: LicenceRow) -> None:
    """Writes a licence in place of what was there."""
    _DROP_LICENCE(conn, issuer_is=row.issuer, number_is=row.number)
    _ADD_LICENCE(conn, **row._asdict())


def page(
    conn: Connection, conditions: Iterable[ColumnElement[bool]], *, after: tuple[str, str] | None, limit: int
) -> list[LicenceRow]:
    """Licences by issuer and number, after a key."""
    key = (licences.c.issuer, licences.c.number)
    query = select(licences).where(*conditions).order_by(*key).limit(limit)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [LicenceRow(*row) for row in conn.execute(query)]


def with_number(conn: Connection, numbers: Iterable[str]) -> list[LicenceRow]:
    """Licences of any issuer with one of these numbers, by issuer and number."""
    query = select(licences).where(licences.c.number.in_(list(numbers))).order_by(licences.c.issuer, licences.c.number)
    return [LicenceRow(*row) for row in conn.execute(query)]


def count_by(conn: Connection, licence: LicenceKey, reporter: str) -> int:
    """How much a node has done with a licence."""
    return int(_COUNT(conn, issuer_is=licence.issuer, number_is=licence.number, by=reporter).scalar_one())
