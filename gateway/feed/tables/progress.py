"""How far the projector has come in the local log, and which kinds of entries the software knew then."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.db.progress import Progress
from gateway.feed.tables.journal import HeadMovedError
from gateway.feed.tables.schema import projector_progress


class ProjectorProgress(NamedTuple):
    """Position up to which entries are projected, and the digest of what was known; empty before it was noted."""

    position: int = 0
    knowledge: bytes = b""


_PROGRESS = Progress(projector_progress, ProjectorProgress)


def position(conn: Connection) -> int:
    """Position up to which entries are projected."""
    return _PROGRESS.read(conn).position


def lock(conn: Connection) -> int:
    """The position, kept from other writers until the transaction ends.

    Raises:
        HeadMovedError: another writer has just made the row; do the transaction again.
    """
    try:
        return _PROGRESS.lock(conn).position
    except IntegrityError as error:
        raise HeadMovedError("another writer has just made the projector's progress") from error


def move(conn: Connection, position: int) -> None:
    """Notes up to which position entries are projected."""
    _PROGRESS.write(conn, position=position)


def knowledge(conn: Connection) -> bytes:
    """Digest of the kinds of entries that the software knew when held entries were last looked at; empty: never."""
    return bytes(_PROGRESS.read(conn).knowledge)


def note_knowledge(conn: Connection, digest: bytes) -> None:
    """Notes which kinds of entries the software knows."""
    _PROGRESS.write(conn, knowledge=digest)
