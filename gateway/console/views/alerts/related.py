"""Other alerts about the same things."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.views.alerts.alert import STATUS_KINDS, title_of
from gateway.console.views.words import capitalised
from gateway.contract.enum_words import word_of
from gateway.translation.labels import label_of
from gateway.v1.alert_pb2 import AlertStatus, Priority
from gateway.v1.casework_service_pb2 import ListRelatedAlertsResponse


@dataclass(frozen=True, slots=True)
class RelatedRow:
    """An alert that shares things with another."""

    path: str
    title: str
    priority: str
    publisher: str
    recipient: str
    status: str
    status_kind: str
    published_at: Timestamp
    shared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelatedAlertRows:
    """Rows, whether there are more, and steps that aren't indexed yet."""

    rows: tuple[RelatedRow, ...]
    more: bool
    unindexed: int


def related_alerts(response: ListRelatedAlertsResponse) -> RelatedAlertRows:
    """The gateway's list for the page."""
    rows = []
    for related in response.alerts:
        alert = related.summary.alert
        status = related.summary.status
        rows.append(
            RelatedRow(
                path=f"/alerts/{alert.publisher}/{alert.id}",
                title=title_of(alert),
                priority=word_of(Priority, alert.content.priority),
                publisher=alert.publisher,
                recipient=alert.recipient,
                status=capitalised(label_of(AlertStatus, status)),
                status_kind=STATUS_KINDS.get(word_of(AlertStatus, status), "quiet"),
                published_at=alert.published_at,
                shared=tuple(dict.fromkeys(thing.value for thing in related.shared)),
            )
        )
    return RelatedAlertRows(tuple(rows), response.more, response.unindexed)
