"""How far recorded items are indexed, and how far rules were evaluated over them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from gateway.db.progress import Progress
from gateway.history.tables.schema import record_progress


class RecordProgress(NamedTuple):
    """Positions in the log of records; 0 before the first item."""

    indexed_position: int = 0
    evaluated_position: int = 0


_PROGRESS = Progress(record_progress, RecordProgress)


def indexed(conn: Connection) -> int:
    """Position up to which recorded items are indexed."""
    return _PROGRESS.read(conn).indexed_position


def move_indexed(conn: Connection, position: int) -> None:
    """Notes up to which position items are indexed."""
    _PROGRESS.write(conn, indexed_position=position)


def evaluated(conn: Connection) -> int:
    """Position up to which rules were evaluated."""
    return _PROGRESS.read(conn).evaluated_position


def move_evaluated(conn: Connection, position: int) -> None:
    """Notes up to which position rules were evaluated."""
    _PROGRESS.write(conn, evaluated_position=position)


def clear(conn: Connection) -> None:
    """For when everything is indexed again."""
    _PROGRESS.write(conn, indexed_position=0, evaluated_position=0)
