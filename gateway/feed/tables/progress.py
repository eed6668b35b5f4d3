"""Stores the projector's position in the local log and the known kinds of entries."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.db.progress import Progress
from gateway.feed.tables.journal import HeadMovedError
from gateway.feed.tables.schema import projector_progress


class ProjectorProgress(NamedTuple):
    """Last projected position, and digest of the known kinds; empty at first."""

    position: int = 0
    knowledge: bytes = b""


_PROGRESS = Progress(projector_progress, ProjectorProgress)


def position(conn: Connection) -> int:
    """Last projected position."""
    return _PROGRESS.read(conn).position


def lock(conn: Connection) -> int:
    """The position, locked until the transaction ends.

    Raises:
        HeadMovedError: another writer has just made the row; retry.
    """
    try:
        return _PROGRESS.lock(conn).position
    except IntegrityError as error:
        raise HeadMovedError("another writer has just made the projector's progress") from error


def move(conn: Connection, position: int) -> None:
    """Sets the position."""
    _PROGRESS.write(conn, position=position)


def knowledge(conn: Connection) -> bytes:
    """Digest of the kinds known when held entries were last checked; empty for never."""
    return bytes(_PROGRESS.read(conn).knowledge)


def note_knowledge(conn: Connection, digest: bytes) -> None:
    """Sets the digest of the known kinds."""
    _PROGRESS.write(conn, knowledge=digest)
