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
from gateway.feed.tables import journal
from gateway.v1 import alert_pb2

READ_AT_ONCE = 250
"""Most steps read by one statement."""

MOST_BYTES = 8 << 20
"""Bytes of payloads after which a batch ends: large alerts mustn't fill the memory."""


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
        self.projected = journal.projected_position(conn)
        self.is_cut = False
        self._limit = limit
        self._steps: dict[int, tuple[list[FollowedStep], bool]] = {}
        self._copies: dict[frozenset[str], dict[AlertKey, tuple[AlertRow, bytes]]] = {}
        self._events: dict[bytes, alert_pb2.AlertEvent | None] = {}

    def after(self, position: int) -> list[FollowedStep]:
        """The next steps in order: all, or as many as one batch may have."""
        if position >= self.projected:
            return []
        if position not in self._steps:
            self._steps[position] = self._read(position)
        steps, is_all = self._steps[position]
        self.is_cut = self.is_cut or not is_all
        return steps

    def _read(self, position: int) -> tuple[list[FollowedStep], bool]:
        """Steps, and whether these are all; few at a time, since a payload may be large."""
        steps: list[FollowedStep] = []
        size = 0
        while len(steps) < self._limit and size < MOST_BYTES:
            most = min(READ_AT_ONCE, self._limit - len(steps))
            found = events.after(self.conn, steps[-1].row.position if steps else position, most)
            steps += [FollowedStep(row, payload) for row, _, payload in found]
            if len(found) < most:
                return steps, True
            size += sum(len(payload) for _, _, payload in found)
        return steps, False

    def reached(self, position: int) -> int:
        """Position that a follower has reached with these steps."""
        if position >= self.projected:
            return position
        steps = self.after(position)
        _, is_all = self._steps[position]
        return self.projected if is_all else steps[-1].row.position

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
