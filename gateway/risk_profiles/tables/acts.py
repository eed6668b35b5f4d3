"""Statements on what authorities did with risk profiles, on what partners are to get, and on proposals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, bindparam, func, select, tuple_

from gateway.db.statements import Prepared, insert_rows
from gateway.feed.tables.dues import Dues
from gateway.feed.tables.schema import entries
from gateway.persons.tables.register_proposals import RegisterProposals
from gateway.risk_profiles.codec.events import OFFERED, ProfileActKey, ProfileKey
from gateway.risk_profiles.tables.schema import risk_profile_acts, risk_profile_dues, risk_profile_proposals


class PlacedProfileAct(NamedTuple):
    """An act with its time in milliseconds since 1970 and where it stands, with its entry."""

    key: ProfileActKey
    acted_at: int
    feed_id: int
    idx: int
    header: bytes
    payload: bytes


_table = risk_profile_acts.c
_KEY = ProfileActKey._fields
dues = Dues(risk_profile_dues, ProfileActKey)
"""What partners are to get."""

proposals = RegisterProposals(risk_profile_proposals)
"""Changes that two persons make."""

_ACT_COLUMNS = (*_KEY, "acted_at", "feed_id", "idx")
_WITH_ENTRY = (entries.c.feed_id == _table.feed_id) & (entries.c.idx == _table.idx)
_PLACED = select(*(_table[name] for name in _ACT_COLUMNS), entries.c.header, entries.c.payload).join(
    entries, _WITH_ENTRY
)


def _same(columns: Sequence[Column[object]]) -> list[ColumnElement[bool]]:
    return [column == bindparam(f"of_{column.name}") for column in columns]


def _values(key: ProfileActKey) -> dict[str, str | int]:
    return {f"of_{name}": value for name, value in key._asdict().items()}


_of_profile = (_table.offerer == bindparam("offered_by"), _table.profile_id == bindparam("with_id"))

_ACT = Prepared(select(_table.feed_id, _table.idx).where(*_same([_table[name] for name in _KEY])))
_ACTS = Prepared(_PLACED.where(*_of_profile).order_by(*(_table[name] for name in _KEY)))
_OF_KIND = Prepared(
    _PLACED.where(_table.kind == bindparam("of_kind"), _table.reporter == bindparam("by")).order_by(
        *(_table[name] for name in _KEY)
    )
)
_COUNT = Prepared(
    select(func.count()).select_from(risk_profile_acts).where(*_of_profile, _table.reporter == bindparam("by"))
)
_PROFILES = Prepared(
    select(func.count(_table.profile_id.distinct())).where(
        _table.offerer == bindparam("offered_by"), _table.kind == OFFERED
    )
)


def find_act(conn: Connection, key: ProfileActKey) -> tuple[int, int] | None:
    """Where an act stands, as feed id and index; None for one that isn't known."""
    row = _ACT(conn, **_values(key)).one_or_none()
    return None if row is None else (int(row[0]), int(row[1]))


def add_act(conn: Connection, key: ProfileActKey, acted_at: int, feed_id: int, idx: int) -> None:
    """Adds an act that isn't known; `acted_at` in milliseconds since 1970."""
    insert_rows(conn, risk_profile_acts, _ACT_COLUMNS, [(*key, acted_at, feed_id, idx)])


def acts_on(conn: Connection, profile: ProfileKey) -> list[PlacedProfileAct]:
    """Everything done with a profile, by key."""
    return [_placed(row) for row in _ACTS(conn, offered_by=profile.offerer, with_id=profile.profile_id)]


def acts_of_kind(conn: Connection, kind: str, reporter: str) -> list[PlacedProfileAct]:
    """All acts of a kind of one node, by key."""
    return [_placed(row) for row in _OF_KIND(conn, of_kind=kind, by=reporter)]


def count_by(conn: Connection, profile: ProfileKey, reporter: str) -> int:
    """How much a node has done with a profile."""
    return int(_COUNT(conn, offered_by=profile.offerer, with_id=profile.profile_id, by=reporter).scalar_one())


def count_profiles(conn: Connection, offerer: str) -> int:
    """How many profiles a node has offered."""
    return int(_PROFILES(conn, offered_by=offerer).scalar_one())


def page(conn: Connection, offerer: str, *, after: tuple[str, str] | None, limit: int) -> list[ProfileKey]:
    """Profiles by offerer and id, after a key; of all nodes where `offerer` is empty."""
    key = (_table.offerer, _table.profile_id)
    query = select(*key).where(_table.kind == OFFERED).distinct().order_by(*key).limit(limit)
    if offerer:
        query = query.where(_table.offerer == offerer)
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(*after))
    return [ProfileKey(*row) for row in conn.execute(query)]


def _placed(row: Sequence[Any]) -> PlacedProfileAct:
    return PlacedProfileAct(ProfileActKey(*row[:5]), row[5], row[6], row[7], bytes(row[8]), bytes(row[9]))
