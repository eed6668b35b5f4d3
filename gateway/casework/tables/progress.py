"""How far the inbox and the search index follow the local log."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from gateway.casework.tables.schema import casework_progress
from gateway.db.schema import Progress
from gateway.feed.tables import journal


class CaseworkProgress(NamedTuple):
    """Positions in the local log; 0: none."""

    listed_position: int = 0
    indexed_position: int = 0


_PROGRESS = Progress(casework_progress, CaseworkProgress)


def read(conn: Connection) -> CaseworkProgress:
    """Both positions."""
    return _PROGRESS.read(conn)


def lock(conn: Connection) -> CaseworkProgress:
    """Both positions; nobody else writes casework until the transaction ends."""
    return _PROGRESS.lock(conn)


def is_unindexed(conn: Connection) -> bool:
    """Whether the search index lacks something that is projected."""
    return read(conn).indexed_position < journal.projected_position(conn)


def move_listed(conn: Connection, position: int) -> None:
    """Sets the last position whose changes are in the inbox."""
    _PROGRESS.write(conn, listed_position=position)


def move_indexed(conn: Connection, position: int) -> None:
    """Sets the last position whose texts are in the index."""
    _PROGRESS.write(conn, indexed_position=position)


def clear(conn: Connection) -> None:
    """Resets both."""
    _PROGRESS.write(conn, listed_position=0, indexed_position=0)
