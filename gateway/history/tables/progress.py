"""How far recorded items are indexed, and rules evaluated."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from gateway.db.schema import Progress
from gateway.history.tables.schema import record_progress


class RecordProgress(NamedTuple):
    """Positions in the log of records; 0: none."""

    indexed_position: int = 0
    evaluated_position: int = 0


_PROGRESS = Progress(record_progress, RecordProgress)


def both(conn: Connection) -> RecordProgress:
    """Last indexed and last evaluated position."""
    return _PROGRESS.read(conn)


def indexed(conn: Connection) -> int:
    """Last indexed position."""
    return _PROGRESS.read(conn).indexed_position


def move_indexed(conn: Connection, position: int) -> None:
    """Sets the last indexed position."""
    _PROGRESS.write(conn, indexed_position=position)


def evaluated(conn: Connection) -> int:
    """Last evaluated position."""
    return _PROGRESS.read(conn).evaluated_position


def move_evaluated(conn: Connection, position: int) -> None:
    """Sets the last evaluated position."""
    _PROGRESS.write(conn, evaluated_position=position)


def clear(conn: Connection) -> None:
    """Resets both."""
    _PROGRESS.write(conn, indexed_position=0, evaluated_position=0)
