"""Counts projected steps of alerts, behind the projection and away from the writer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts.codec import AlertKey
from gateway.alerts.rules.findings import CHANGES
from gateway.alerts.rules.life import AlertStatus
from gateway.alerts.tables import events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.events import AlertEventRow
from gateway.alerts.tables.followed_steps import FollowedStep, FollowedSteps
from gateway.contract.findings import place_of
from gateway.contract.messages import to_ms
from gateway.figures.commands import AddFiguresCommand
from gateway.figures.rules.counting import FigureMeasure, Increment, StepFacts, change_increments, increments
from gateway.figures.rules.periods import day_number
from gateway.figures.tables import counts
from gateway.figures.tables.counts import CountKey, CountTally, FigureProgress
from gateway.v1 import alert_pb2


@dataclass(frozen=True, slots=True)
class _Known:
    """What is read once for a batch: copies, and positions of first acknowledgements and closings."""

    rows: dict[AlertKey, tuple[AlertRow, bytes]]
    firsts: set[int]


class FigureCounter:
    """Follows alerts for the figures."""

    name = "the figures"

    def __init__(self, *, node: str, utc_offset_minutes: int) -> None:
        self._node = node
        self._offset = utc_offset_minutes

    def prepare(self, steps: FollowedSteps) -> AddFiguresCommand | None:
        """The next counts to add; None when all that is projected is counted."""
        before = counts.progress(steps.conn)
        afresh = self._is_cut_otherwise(before)
        counted = steps.after(0 if afresh else before.position)
        if not counted:
            return None
        known = _read_known(steps, counted)
        tallies: dict[CountKey, CountTally] = {}
        for step in counted:
            self._add(tallies, step.row, steps.event(step.payload), known, steps.conn)
        after = FigureProgress(counted[-1].row.position, self._offset)
        return AddFiguresCommand(before, after, tallies, afresh)

    def _is_cut_otherwise(self, before: FigureProgress) -> bool:
        return before.position > 0 and before.utc_offset_minutes != self._offset

    def _add(
        self,
        tallies: dict[CountKey, CountTally],
        row: AlertEventRow,
        event: alert_pb2.AlertEvent | None,
        known: _Known,
        conn: Connection,
    ) -> None:
        key = row.key
        sent = key.publisher == self._node
        direction, partner = ("out", key.recipient) if sent else ("in", key.publisher)
        changes = event is not None and event.WhichOneof("event") in CHANGES
        at_ms, found = _changed(conn, row, event) if event and changes else self._counted(row, event, known)
        for increment in found:
            of = key.publisher if increment.by_publisher else partner
            place = CountKey(day_number(at_ms, self._offset), increment.measure.value, direction, of, increment.key)
            tallies[place] = tallies.get(place, CountTally()).plus(increment.number, increment.grams)

    def _counted(
        self, row: AlertEventRow, event: alert_pb2.AlertEvent | None, known: _Known
    ) -> tuple[int, Iterable[Increment]]:
        """When a step happened, and what it adds.

        Its own time counts, so that an outage doesn't move it, but never one after it came here.
        """
        if event is None:
            return row.committed_at, (Increment(FigureMeasure.ERASED),)
        at_ms = min(to_ms(event.occurred_at), row.committed_at)
        copy = known.rows.get(row.key)
        facts = StepFacts(
            at_ms,
            published_at_ms=copy[0].published_at if copy is not None else None,
            is_first=row.position in known.firsts,
        )
        return at_ms, increments(event, facts)


def _changed(conn: Connection, row: AlertEventRow, event: alert_pb2.AlertEvent) -> tuple[int, Iterable[Increment]]:
    """When the finding that a step changes was reported, and the difference; nothing where it was erased."""
    finding = events.finding_ledger(conn, row.key, before=row.position).current(place_of(event))
    if finding is None:
        return row.committed_at, ()
    return finding.reported_at_ms, change_increments(event, finding.finding)


def _read_known(steps: FollowedSteps, counted: Collection[FollowedStep]) -> _Known:
    acknowledged = {step.row.key for step in counted if step.row.status is AlertStatus.ACKNOWLEDGED}
    closed = {step.row.key.alert_id for step in counted if step.row.status is AlertStatus.CLOSED}
    firsts = set(events.first_acknowledged(steps.conn, acknowledged).values()) if acknowledged else set()
    firsts |= events.first_closed(steps.conn, closed) if closed else set()
    return _Known(steps.copies({step.row.key.alert_id for step in counted}), firsts)
