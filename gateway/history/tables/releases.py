"""Statements on release lists of records.

A list is in force from the moment that its revision is recorded, before it is indexed, and until a later revision is
indexed: so a record that was narrowed is never released by the list before. Lists aren't cleared when the index is
rebuilt, for the same reason.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, select

from gateway.db.statements import PreparedList, insert_rows
from gateway.history.tables.schema import release_lists


class ReleaseRow(NamedTuple):
    """The list of a revision; see `list_text`."""

    record_id: str
    position: int
    nodes: str


_values: BindParameter[Any] = bindparam("values", expanding=True)
_UNRELEASED = PreparedList(
    select(release_lists.c.record_id).where(
        release_lists.c.record_id.in_(_values), release_lists.c.nodes.not_like(bindparam("asker"))
    )
)
_KNOWN = PreparedList(
    select(release_lists.c.record_id, release_lists.c.position).where(release_lists.c.record_id.in_(_values))
)
_ERASE = PreparedList(delete(release_lists).where(release_lists.c.record_id.in_(_values)))


def list_text(nodes: Collection[str]) -> str:
    """A list as it is stored: each name between spaces."""
    return f" {' '.join(sorted(nodes))} "


def naming(node: str) -> str:
    """Pattern of the stored lists that name a node; names have no characters that LIKE reads otherwise."""
    return f"% {node} %"


def add(conn: Connection, rows: Sequence[ReleaseRow]) -> None:
    """Inserts the lists of revisions that have one; those that are there stay."""
    if not rows:
        return
    there = {tuple(row) for row in _KNOWN(conn, list({row.record_id for row in rows}))}
    insert_rows(conn, release_lists, ReleaseRow._fields, [row for row in rows if row[:2] not in there])


def end(conn: Connection, positions: Mapping[str, int]) -> None:
    """Removes lists of revisions before those that are now indexed, by record."""
    known = list(_KNOWN(conn, list(positions)))
    for record_id, position in {
        (record_id, positions[record_id]) for record_id, at in known if at < positions[record_id]
    }:
        conn.execute(
            delete(release_lists).where(release_lists.c.record_id == record_id, release_lists.c.position < position)
        )


def erase(conn: Connection, record_ids: Sequence[str]) -> None:
    """Removes the lists of whole records."""
    _ERASE.execute(conn, record_ids)


def unreleased(conn: Connection, record_ids: Collection[str], asker: str) -> set[str]:
    """Those records that mustn't be released to a partner."""
    return {row[0] for row in _UNRELEASED(conn, record_ids, asker=naming(asker))}
