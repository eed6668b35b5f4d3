"""Says which changes of export control are to be told."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

from gateway.history.service.control_changes import ControlChanges
from gateway.history.service.control_suggestions import LIST_UTC_OFFSET_MINUTES
from gateway.notifications.codec.messages import controls_message
from gateway.notifications.rules.audience import Happening
from gateway.v1.history_service_pb2 import ListControlChangesRequest

TOLD_DAYS: Final = 3
"""Days back: a node that was off over a weekend tells late, and one that is new doesn't tell of what is long known."""


def changed_controls(controls: ControlChanges) -> list[Happening]:
    """Changes of these days that touch open records; those that are known are told to nobody again."""
    today = controls.today()
    since = today - timedelta(days=TOLD_DAYS - 1)
    request = ListControlChangesRequest(since=since.isoformat(), until=today.isoformat())
    place = timezone(timedelta(minutes=LIST_UTC_OFFSET_MINUTES))
    return [
        Happening(
            controls_message(change, int(datetime.fromisoformat(change.day).replace(tzinfo=place).timestamp() * 1000))
        )
        for change in controls.list(request).changes
        if change.records
    ]
