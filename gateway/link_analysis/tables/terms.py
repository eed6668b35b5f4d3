"""Statements on the index of what alerts and shipments name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, select

from gateway.db.database import insert_rows
from gateway.db.progress import Progress
from gateway.db.statements import Prepared, PreparedList
from gateway.link_analysis.tables.schema import link_name_keys, link_names, link_progress, link_terms

ALERT, SHIPMENT = 0, 1
"""Sources. Refs are positions: of the step that published or amended an alert, of the item of a recorded shipment."""

_REFS = Prepared(
    select(link_terms.c.ref)
    .where(link_terms.c.key == bindparam("of_key"), link_terms.c.source == bindparam("of_source"))
    .order_by(link_terms.c.ref.desc())
    .limit(bindparam("most"))
)
_values: BindParameter[Any] = bindparam("values", expanding=True)
_FORGET = PreparedList(
    delete(link_terms).where(link_terms.c.source == bindparam("of_source"), link_terms.c.ref.in_(_values))
)
_TEXTS = PreparedList(select(link_names).where(link_names.c.name.in_(_values)))


class LinkProgress(NamedTuple):
    """Up to which steps of alerts, in the local log, and which recorded items are indexed."""

    alert_position: int = 0
    record_position: int = 0


_PROGRESS = Progress(link_progress, LinkProgress)


def progress(conn: Connection) -> LinkProgress:
    """How far the index is."""
    return _PROGRESS.read(conn)


def move(conn: Connection, to: LinkProgress) -> None:
    """Sets how far."""
    _PROGRESS.write(conn, **to._asdict())


def add(conn: Connection, terms: Sequence[tuple[int, int, int]]) -> None:
    """Inserts (key, source, ref)."""
    if terms:
        insert_rows(conn, link_terms, ("key", "source", "ref"), sorted(terms), or_ignore=True)


def refs(conn: Connection, keys: Collection[int], source: int, most: int) -> list[int]:
    """Refs under any of these keys, newest first, at most so many."""
    found = {row[0] for key in keys for row in _REFS(conn, of_key=key, of_source=source, most=most)}
    return sorted(found, reverse=True)[:most]


def forget(conn: Connection, source: int, positions: Sequence[int]) -> None:
    """Removes what was indexed of some sources."""
    _FORGET.execute(conn, positions, of_source=source)


# Names of parties in alerts; the functions are those of history.tables.names.


def add_names(conn: Connection, names: Sequence[tuple[int, str]], keys: Sequence[tuple[int, int]]) -> None:
    """Inserts names as (key, text), and keys of screening as (key, name)."""
    if names:
        insert_rows(conn, link_names, ("name", "text"), sorted(names), or_ignore=True)
    if keys:
        insert_rows(conn, link_name_keys, ("key", "name"), sorted(keys), or_ignore=True)


def texts(conn: Connection, names: Sequence[int]) -> dict[int, str]:
    """Texts of known names."""
    return {row[0]: row[1] for row in _TEXTS(conn, names)}


def filed_under(conn: Connection, keys: Sequence[int], limit: int) -> list[int]:
    """Distinct names with any of these keys of screening."""
    statement = select(link_name_keys.c.name).where(link_name_keys.c.key.in_(sorted(keys))).distinct().limit(limit)
    return list(conn.execute(statement).scalars())
