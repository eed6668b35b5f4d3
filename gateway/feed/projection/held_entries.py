"""After an upgrade: entries that were held because their kind wasn't known are applied, and answered once more."""

from __future__ import annotations

import logging
from hashlib import sha256

from gateway.alerts import tables as alerts
from gateway.db.database import Database
from gateway.feed.projection.projector import AlertProjector, answer_applied, can_answer, knowledge
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.service.writer import Transaction, Writer

log = logging.getLogger(__name__)


class HeldEntries:
    """Applies what was held and isn't any more, once after an upgrade."""

    def __init__(self, database: Database, writer: Writer, projector: AlertProjector) -> None:
        self._database = database
        self._writer = writer
        self._projector = projector
        self._rebuilt = False

    def apply(self) -> bool:
        """To be called once the writer runs, and again while it returns False.

        1. Nothing is due while the software knows what it knew when this was done last.
        2. Where entries are held, the projections are built again: what is known now is applied in its place.
        3. Each held entry that was applied is answered with APPLIED, and what the software knows is noted. While an own
           feed that must say so can't be extended, all of this waits for the next call.

        Raises:
            StoreUnavailableError: the database can't be used; call again.
        """
        known = _digest()
        with self._database.read() as conn:
            if alerts.known_then(conn) == known:  # 1
                return True
            held = alerts.held_here(conn)
        if held and not self._rebuilt:  # 2
            log.warning(
                "this software knows more than before, and %d entries are held: projecting all again", len(held)
            )
            rebuild(self._writer, self._projector, progress=lambda _: None)
            self._rebuilt = True
        done: bool = self._writer.run(_AnswerCommand(known))  # 3
        return done


class _AnswerCommand:
    """Step 3; the result is whether all is said."""

    weight = 1

    def __init__(self, known: int) -> None:
        self._known = known

    def execute(self, tx: Transaction) -> bool:
        applied = [row for row in alerts.held_here(tx.conn) if row.applied]
        if not all(can_answer(tx, row.origin) for row in applied):
            return False
        for row in applied:
            answer_applied(tx, row.origin, row.idx)
        alerts.note_known(tx.conn, self._known)
        return True


def _digest() -> int:
    return int.from_bytes(sha256(knowledge().encode()).digest()[:7])
