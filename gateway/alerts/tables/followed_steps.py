"""Steps of alerts, read and parsed once in one snapshot for all that follow them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.alerts.codec import AlertKey, parse_event
from gateway.alerts.tables import copies, events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.events import AlertEventRow
from gateway.errors import MalformedError
from gateway.feed.tables import progress
from gateway.v1 import alert_pb2


class FollowedStep(NamedTuple):
    """A step with its entry's payload, empty when that was erased."""

    row: AlertEventRow
    payload: bytes


class FollowedSteps:
    """What is projected at one moment. Used by one thread.

    Attributes:
        projected: position of the local log up to which steps are projected.
        is_cut: whether a follower has left something for a further batch.
    """

    def __init__(self, conn: Connection, limit: int) -> None:
        """`limit`: most steps of one batch."""
        self.conn = conn
        self.projected = progress.position(conn)
        self.is_cut = False
        self._limit = limit
        self._steps: dict[int, list[FollowedStep]] = {}
        self._copies: dict[frozenset[str], dict[AlertKey, tuple[AlertRow, bytes]]] = {}
        self._events: dict[bytes, alert_pb2.AlertEvent | None] = {}

    def after(self, position: int) -> list[FollowedStep]:
        """The next steps in order; fewer than the limit where these are all."""
        if position >= self.projected:
            return []
        if position not in self._steps:
            found = events.after(self.conn, position, self._limit)
            self._steps[position] = [FollowedStep(row, payload) for row, _, payload in found]
        steps = self._steps[position]
        self.is_cut = self.is_cut or len(steps) == self._limit
        return steps

    def reached(self, position: int) -> int:
        """Position that a follower has reached with these steps."""
        steps = self.after(position)
        return steps[-1].row.position if len(steps) == self._limit else max(self.projected, position)

    def copies(self, alert_ids: Collection[str]) -> dict[AlertKey, tuple[AlertRow, bytes]]:
        """All copies of alerts as they are now, each with its current payload."""
        wanted = frozenset(alert_ids)
        if wanted not in self._copies:
            found = copies.with_payloads(self.conn, sorted(wanted))
            self._copies[wanted] = {row.key: (row, payload) for row, payload in found}
        return self._copies[wanted]

    def event(self, payload: bytes) -> alert_pb2.AlertEvent | None:
        """A payload's event; None when it was erased or can't be read."""
        if payload not in self._events:
            self._events[payload] = _parsed(payload)
        return self._events[payload]


def _parsed(payload: bytes) -> alert_pb2.AlertEvent | None:
    try:
        return parse_event(payload) if payload else None
    except MalformedError:
        return None
