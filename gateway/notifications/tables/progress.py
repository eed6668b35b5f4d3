"""Stores how far changes were read, and how far the outbox's other side has taken them."""

from __future__ import annotations

from typing import NamedTuple

from gateway.db.schema import Progress
from gateway.notifications.tables.schema import notification_progress, outbox_list_progress, outbox_progress


class NotificationProgress(NamedTuple):
    """As in the columns; None before notifications were first on."""

    alert_position: int | None = None
    match_change: int | None = None
    proposals_since: int | None = None
    last_number: int = 0
    last_warning: int = 0
    case_position: int | None = None
    hit_position: int | None = None


class OutboxProgress(NamedTuple):
    """As in the columns; None before the outbox was first on."""

    alert_position: int | None = None
    match_change: int | None = None
    warning: int | None = None


class OutboxListProgress(NamedTuple):
    """As in the columns; None before lists were first told of."""

    list_change: int | None = None
    list_decision: int | None = None


PROGRESS = Progress(notification_progress, NotificationProgress)
OUTBOX = Progress(outbox_progress, OutboxProgress)
OUTBOX_LISTS = Progress(outbox_list_progress, OutboxListProgress)
