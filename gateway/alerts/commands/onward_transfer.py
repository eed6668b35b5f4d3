"""Checks whether content of partners' alerts may be passed on."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.alerts import codec as wire
from gateway.alerts import tables as alerts
from gateway.errors import (
    NotFoundError,
    PermissionDeniedError,
)
from gateway.feed.service.transaction import Transaction
from gateway.v1 import alert_pb2


def require_onward_transfer(tx: Transaction, publisher: str, alert_id: str, recipients: Sequence[str]) -> None:
    """Raises unless the alert that a new one derives from may be passed on to these nodes.

    Content of partners keeps its owner's rule through any number of own alerts.

    Raises:
        NotFoundError: this node doesn't have that alert.
        PermissionDeniedError: its publisher doesn't allow it.
    """
    sources, seen = [(publisher, alert_id)], {(publisher, alert_id)}
    while sources:
        name, one = sources.pop()
        content = _current_content(tx, name, one)
        if name != tx.own_node:
            _require_passing_on(name, one, content.handling, recipients)
            continue
        for source in content.derived_from:
            if (source.publisher, source.alert_id) not in seen:
                seen.add((source.publisher, source.alert_id))
                sources.append((source.publisher, source.alert_id))


def _current_content(tx: Transaction, publisher: str, alert_id: str) -> alert_pb2.AlertContent:
    payload = alerts.current_payload(tx.conn, publisher, alert_id)
    if payload is None:
        raise NotFoundError(f"content.derived_from: there is no alert {publisher}/{alert_id} here")
    alert = wire.alert_of(wire.parse_event(payload))
    return alert.content if alert is not None else alert_pb2.AlertContent()


def _require_passing_on(publisher: str, alert_id: str, handling: alert_pb2.Handling, recipients: Sequence[str]) -> None:
    for recipient in recipients:
        if recipient == publisher or handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_FEDERATION:
            continue
        listed = handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_LISTED
        if not (listed and recipient in handling.onward_recipients):
            raise PermissionDeniedError(
                f"content.derived_from: {publisher} doesn't allow alert {alert_id} to be passed on to {recipient}; "
                "ask it with a question on that alert",
                metadata={"field": "content.derived_from", "recipient": recipient},
            )
