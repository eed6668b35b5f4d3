"""Counts projected steps of alerts, behind the projection and away from the writer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts.codec import AlertKey, parse_event
from gateway.alerts.tables import copies, events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.events import AlertEventRow
from gateway.contract.timestamps import to_ms
from gateway.db.database import Database
from gateway.errors import MalformedError
from gateway.feed.tables import progress as feed_progress
from gateway.figures.commands import AddFiguresCommand
from gateway.figures.rules.counting import Increment, Measure, StepFacts, increments
from gateway.figures.rules.periods import day_number
from gateway.figures.tables import counts
from gateway.figures.tables.counts import CountKey, FigureProgress, Tally

STEPS_AT_ONCE = 500
"""Most steps counted together: some 50 ms, and one commit."""

_Step = tuple[AlertEventRow, str, bytes]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is read once for a batch: copies, and the position of each copy's first acknowledgement."""

    rows: dict[AlertKey, AlertRow]
    first_acknowledged: dict[AlertKey, int]


class FigureCounter:
    """Counts the next steps. Thread-safe."""

    def __init__(self, database: Database, *, node: str, utc_offset_minutes: int) -> None:
        self._database = database
        self._node = node
        self._offset = utc_offset_minutes

    def next(self) -> AddFiguresCommand | None:
        """The next batch to add; None when all that is projected is counted."""
        with self._database.read() as conn:
            before = counts.progress(conn)
            afresh = before.position > 0 and before.utc_offset_minutes != self._offset
            position = 0 if afresh else before.position
            if not afresh and position >= feed_progress.position(conn):
                return None
            steps = events.after(conn, position, STEPS_AT_ONCE)
            if not steps:
                return None
            known = _read_known(conn, steps)
        tallies: dict[CountKey, Tally] = {}
        for row, _, payload in steps:
            self._add(tallies, row, payload, known)
        after = FigureProgress(steps[-1][0].position, self._offset)
        return AddFiguresCommand(before, after, tallies, afresh)

    def _add(self, tallies: dict[CountKey, Tally], row: AlertEventRow, payload: bytes, known: _Known) -> None:
        key = row.key
        sent = key.publisher == self._node
        direction, partner = ("out", key.recipient) if sent else ("in", key.publisher)
        at_ms, found = self._counted(row, payload, known)
        for increment in found:
            place = CountKey(
                day_number(at_ms, self._offset), increment.measure.value, direction, partner, increment.key
            )
            tallies[place] = tallies.get(place, Tally()).plus(increment.number, increment.grams)

    def _counted(self, row: AlertEventRow, payload: bytes, known: _Known) -> tuple[int, Iterable[Increment]]:
        """When a step happened, and what it adds.

        Its own time counts, so that an outage doesn't move it, but never one after it came here.
        """
        if not payload:
            return row.committed_at, (Increment(Measure.ERASED),)
        try:
            event = parse_event(payload)
        except MalformedError:
            return row.committed_at, (Increment(Measure.ERASED),)
        at_ms = min(to_ms(event.occurred_at), row.committed_at)
        copy = known.rows.get(row.key)
        facts = StepFacts(
            at_ms,
            published_at_ms=copy.published_at if copy is not None else None,
            is_first=known.first_acknowledged.get(row.key) == row.position,
        )
        return at_ms, increments(event, facts)


def _read_known(conn: Connection, steps: Collection[_Step]) -> _Known:
    keys = {row.key for row, _, _ in steps}
    return _Known(copies.find(conn, keys), events.first_acknowledged(conn, keys))
