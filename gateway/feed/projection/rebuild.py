"""Rebuilds the projections from the feeds while the gateway runs.

Each command of the writer has its own transaction. After a crash between two, the next start goes on from the stored
progress. Nothing is answered twice: `disposed_size` isn't a projection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.service.writing.writer import PROJECTION_CHUNK, Writer
from gateway.feed.tables import journal, progress

ReportProgress = Callable[[int], None]
"""Called with the number of further entries projected."""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """Numbers of entries projected, of dispositions appended that couldn't be sent before, and of records indexed
    again.
    """

    entries: int
    answers: int
    records: int = 0


@dataclass(frozen=True, slots=True)
class _Reached:
    position: int
    head: int
    more: bool


class _ClearCommand:
    """Empties all projections; the result is the local log's head."""

    weight = 1

    def execute(self, tx: Transaction) -> int:
        tx.clear_projections()
        return journal.head_position(tx.conn)


class _AdvanceCommand:
    """Projects a chunk; the result is the progress."""

    weight = PROJECTION_CHUNK

    def execute(self, tx: Transaction) -> _Reached:
        more = tx.project(PROJECTION_CHUNK)
        if not more:
            tx.answer()
            more = tx.seal()
        return _Reached(progress.position(tx.conn), journal.head_position(tx.conn), more)


def rebuild(writer: Writer, *, report_progress: ReportProgress) -> RebuildReport:
    """Rebuilds the projections up to the local log's head at the start.

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
