"""Rebuilds the projections from the feeds while the gateway runs, and applies held entries that an upgrade made known.

Each command of the writer has its own transaction. After a crash between two, the next start goes on from the stored
progress. Nothing is answered twice: `disposed_size` isn't a projection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.feed.projection.registry import Registry, answer_applied, can_answer
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.service.writing.writer import PROJECTION_CHUNK, Writer
from gateway.feed.tables import dispositions, journal

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
        return _Reached(journal.projected_position(tx.conn), journal.head_position(tx.conn), more)


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


log = logging.getLogger(__name__)


class HeldEntries:
    """Applies held entries once after an upgrade."""

    def __init__(self, database: Database, writer: Writer, registry: Registry) -> None:
        self._database = database
        self._writer = writer
        self._registry = registry
        self._rebuilt = False

    def apply(self) -> bool:
        """Call it once the writer runs, and again while it returns False.

        1. Stop unless the known kinds of entries have changed since the last time.
        2. Rebuild the projections when entries are held, so that each entry is applied in its place.
        3. Answer each held entry that was applied with APPLIED, and note the known kinds. While an own feed can't be
           extended, everything waits for the next call. After a crash between 2 and 3 the next start begins at 1.

        Raises:
            StoreUnavailableError: the database can't be used; call again.
        """
        known = self._registry.knowledge
        with self._database.read() as conn:
            if journal.knowledge(conn) == known:  # 1
                return True
            held = dispositions.held_here(conn)
        if held and not self._rebuilt:  # 2
            log.warning(
                "this software knows more than before, and %d entries are held: projecting all again", len(held)
            )
            rebuild(self._writer, report_progress=lambda _: None)
            self._rebuilt = True
        return self._writer.run(_AnswerHeldCommand(self._registry, known))  # 3


class _AnswerHeldCommand:
    """Step 3; the result is whether all entries are answered."""

    weight = 1

    def __init__(self, registry: Registry, known: bytes) -> None:
        self._registry = registry
        self._known = known

    def execute(self, tx: Transaction) -> bool:
        applied: list[tuple[FeedOrigin, int]] = []
        for row in dispositions.held_here(tx.conn):
            origin = FeedOrigin.parse(row.origin)
            if self._registry.of_channel(origin.channel).has_applied(tx.conn, row.feed_id, row.idx):
                applied.append((origin, row.idx))
        if not all(can_answer(tx, origin) for origin, _ in applied):
            return False
        for origin, index in applied:
            answer_applied(tx, origin, index)
        journal.note_knowledge(tx.conn, self._known)
        return True
