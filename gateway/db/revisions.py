"""Stores which versions of the gateway brought the schema's revisions, so that older software knows what it meets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import BigInteger, Boolean, Column, Connection, String, Table, inspect, select

from gateway.db.database import insert_rows
from gateway.db.schema import integrity_index, metadata

schema_revisions = Table(
    "schema_revisions",
    metadata,
    Column("revision", String(32), primary_key=True),
    Column("version", String(32), nullable=False),  # of the gateway that brought it
    Column("compatible", Boolean, nullable=False),  # software of the revision before works on it
    Column("applied_at", BigInteger, nullable=False),
    integrity_index("schema_revisions", "revision", "version", "compatible", "applied_at"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of the schema.

    Attributes:
        version: of the gateway that brought it.
        compatible: software that knows only the revision before works on it.
    """

    revision: str
    version: str
    compatible: bool


def applied(conn: Connection) -> list[Revision]:
    """All revisions that a database has, oldest first; empty before the first one that stored them."""
    if not inspect(conn).has_table(schema_revisions.name):
        return []
    c = schema_revisions.c
    rows = conn.execute(select(c.revision, c.version, c.compatible).order_by(c.revision))
    return [Revision(row.revision, row.version, row.compatible) for row in rows]


def note(conn: Connection, revisions: Iterable[Revision], *, now_ms: int) -> None:
    """Stores revisions that aren't stored; `now_ms` is in milliseconds since 1970."""
    insert_rows(
        conn,
        schema_revisions,
        ("revision", "version", "compatible", "applied_at"),
        [(one.revision, one.version, one.compatible, now_ms) for one in revisions],
        or_ignore=True,
    )
