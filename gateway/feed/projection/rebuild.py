"""Drops the projections and builds them again from the feeds.

Runs as commands of the writer, each in its own transaction, so a running gateway goes on and shows less until the end.
A crash between two of them: the next start of the gateway goes on from the progress in the database. Nothing is
answered twice: each feed's `disposed_size` isn't a projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.feed.service.transaction import Transaction
from gateway.feed.service.writer import PROJECTION_CHUNK, Writer
from gateway.feed.tables import journal, progress

ReportProgress = Callable[[int], None]
"""Called with how many more entries were projected."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """Entries that were projected, entries appended to own feeds (dispositions that couldn't be sent before), and
    recorded items that were indexed again."""

    entries: int
    answers: int
    records: int = 0


@dataclass(frozen=True, slots=True)
class _Reached:
    position: int
    head: int
    more: bool


class _ClearCommand:
    """Empties all projections; the result is where the local log ends."""

    weight = 1

    def execute(self, tx: Transaction) -> int:
        tx.clear_projections()
        return journal.head_position(tx.conn)


class _AdvanceCommand:
    """Projects a chunk; the result is how far that is."""

    weight = PROJECTION_CHUNK

    def execute(self, tx: Transaction) -> _Reached:
        more = tx.project(PROJECTION_CHUNK)
        return _Reached(progress.position(tx.conn), journal.head_position(tx.conn), more)


def rebuild(writer: Writer, *, report_progress: ReportProgress) -> RebuildReport:
    """Drops and rebuilds; returns when everything that was committed at the start is projected again.

    Args:
        writer: a running writer.
        report_progress: called as it goes.

    Raises:
        StoreUnavailableError: the database can't be written; call again.
    """
    end: int = writer.run(_ClearCommand())
    position = 0
    reached = _Reached(0, end, more=True)
    while position < reached.head or reached.more:  # updates of lists take effect after the last entry is read
        reached = writer.run(_AdvanceCommand())
        report_progress(min(reached.position, end) - min(position, end))
        position = reached.position
    return RebuildReport(entries=end, answers=reached.head - end)
