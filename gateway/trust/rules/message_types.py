"""The message types that agreements can allow, by the names that stand in a directory."""

from __future__ import annotations

from enum import StrEnum


class MessageType(StrEnum):
    """A message type that this version knows. A directory may name others, which allow nothing here."""

    ALERT = "AlertEvent"
    """Alerts, with all later steps on them, in both directions of one alert."""
    LIST_EVENT = "WatchlistEvent"
    """Entries of watchlists; reports of hits on them go the other way (`Agreement.hit_reports`)."""
    HISTORY_QUERY = "HistoryQuery"
    """Queries about shipments: the sender may ask the recipient."""
    HISTORY_RECORD = "HistoryRecord"
    """Answers with records, from the sender to the recipient."""
    HISTORY_HIT = "HistoryHit"
    """Answers with hit or no hit alone."""
    FILE = "AttachedFile"
    """Evidence files, from the sender to the recipient, when the recipient asks for one."""
