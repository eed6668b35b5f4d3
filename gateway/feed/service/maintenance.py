"""Keeps maintenance that this node and its partners have announced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.contract.messages import to_ms
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, NotFoundError, Violation
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import maintenance
from gateway.feed.tables.maintenance import WindowRow
from gateway.v1 import maintenance_pb2

DAY_MS = 24 * 3600 * 1000

LONGEST_MS = 7 * DAY_MS
"""Longest window: a partner that announces more would silence the alarms about it."""

FURTHEST_MS = 90 * DAY_MS
"""How far ahead one may begin."""


def window_row(window: maintenance_pb2.MaintenanceWindow, *, node: str, now_ms: int) -> WindowRow:
    """The window as it is stored; raises InvalidRequestError with all that is wrong."""
    starts_at, ends_at = to_ms(window.starts_at), to_ms(window.ends_at)
    violations = []
    if ends_at <= starts_at:
        violations.append(Violation("window.ends_at", "window.order", "must be after starts_at"))
    if ends_at - starts_at > LONGEST_MS:
        violations.append(Violation("window.ends_at", "window.length", "must be at most 7 days after starts_at"))
    if starts_at > now_ms + FURTHEST_MS:
        violations.append(Violation("window.starts_at", "window.start", "must be within 90 days"))
    if violations:
        raise InvalidRequestError(violations)
    return WindowRow(node, starts_at, ends_at, window.reason, now_ms)


class KeepWindowCommand:
    """Stores a node's window in place of its last one; the result is the row.

    Raises (on execution):
        InvalidRequestError: the window isn't one.
    """

    weight = 1

    def __init__(self, node: str, window: maintenance_pb2.MaintenanceWindow) -> None:
        self._node = node
        self._window = window

    def execute(self, tx: Transaction) -> WindowRow:
        row = window_row(self._window, node=self._node, now_ms=tx.now_ms)
        if self._node == tx.own_node and row.ends_at <= tx.now_ms:
            raise InvalidRequestError([Violation("window.ends_at", "window.past", "must be in the future")])
        maintenance.put(tx.conn, row)
        return row


class EndOwnCommand:
    """Ends our maintenance now, or takes it back; raises NotFoundError without one."""

    weight = 1

    def execute(self, tx: Transaction) -> WindowRow:
        own = [row for row in maintenance.all_windows(tx.conn) if row.node == tx.own_node and row.ends_at > tx.now_ms]
        if not own:
            raise NotFoundError("no maintenance of this node is announced that hasn't ended")
        row = own[0]._replace(starts_at=min(own[0].starts_at, tx.now_ms - 1), ends_at=tx.now_ms, announced_at=tx.now_ms)
        maintenance.put(tx.conn, row)
        return row


@dataclass(frozen=True, slots=True)
class RecordNoticeDelivered:
    """Notes that a partner knows of our window that was announced at a time."""

    partner: str
    announced_at: int
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        maintenance.set_known(tx.conn, self.partner, self.announced_at)


@dataclass(frozen=True, slots=True)
class Announced:
    """All windows by node, and by partner which of ours it knows of."""

    windows: Mapping[str, WindowRow]
    known: Mapping[str, int]

    @classmethod
    def of(cls, conn: Connection) -> Announced:
        """What a database says."""
        return cls({row.node: row for row in maintenance.all_windows(conn)}, maintenance.known(conn))

    @classmethod
    def read(cls, database: Database) -> Announced:
        """The same in a transaction of its own; raises StoreUnavailableError."""
        with database.read() as conn:
            return cls.of(conn)

    def knows(self, partner: str, own: WindowRow) -> bool:
        return self.known.get(partner, 0) >= own.announced_at

    def is_excused(self, node: str, now_ms: int) -> bool:
        """Whether a node may be silent at a time."""
        row = self.windows.get(node)
        return row is not None and row.starts_at <= now_ms < row.ends_at

    def excused_until(self, node: str, now_ms: int) -> int:
        """When a node's last maintenance ended, in milliseconds since 1970; 0 without one, or before its end."""
        row = self.windows.get(node)
        return row.ends_at if row is not None and row.ends_at <= now_ms else 0
