"""Drops the projections and builds them again from the feeds.

Runs as work of the writer, in steps of their own transactions: a gateway that works meanwhile goes on, showing less
than all until the end; when this is cut off, the next start of the gateway goes on where it ended. Nothing is answered
twice: each feed notes up to where dispositions were sent, and that isn't a projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.alerts import tables as alerts
from gateway.feed.projection.projector import AlertProjector
from gateway.feed.service.writer import PROJECTION_CHUNK, Transaction, Writer
from gateway.feed.tables import journal

Progress = Callable[[int], None]
"""Called with how many more entries were projected."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """Entries that were projected, entries appended to own feeds (dispositions that couldn't be sent before), and
    recorded items that were made findable again."""

    entries: int
    answers: int
    records: int = 0


@dataclass(frozen=True, slots=True)
class _Reached:
    position: int
    head: int
    more: bool


class _ClearCommand:
    """Drops everything; the result is where the journal ends."""

    weight = 1

    def execute(self, tx: Transaction) -> int:
        alerts.cursor(tx.conn)  # keeps other projectors out until the commit
        alerts.clear(tx.conn)
        return journal.head_position(tx.conn)


class _AdvanceCommand:
    """Projects a chunk; the result is how far that is."""

    weight = PROJECTION_CHUNK

    def __init__(self, projector: AlertProjector) -> None:
        self._projector = projector

    def execute(self, tx: Transaction) -> _Reached:
        more = self._projector.advance(tx, PROJECTION_CHUNK)
        tx.seal()
        return _Reached(alerts.cursor(tx.conn), journal.head_position(tx.conn), more)


def rebuild(writer: Writer, projector: AlertProjector, *, progress: Progress) -> RebuildReport:
    """Drops and rebuilds; returns when everything that was committed at the start is projected again.

    Args:
        writer: a running writer.
        projector: the one that the writer uses.
        progress: called as it goes.

    Raises:
        StoreUnavailableError: the database can't be written; call again.
    """
    end: int = writer.run(_ClearCommand())
    position = 0
    reached = _Reached(0, end, more=True)
    while position < reached.head or reached.more:  # updates of lists take effect after the last entry is read
        reached = writer.run(_AdvanceCommand(projector))
        progress(min(reached.position, end) - min(position, end))
        position = reached.position
    return RebuildReport(entries=end, answers=reached.head - end)
