"""Removes what capabilities have made of an alert that is erased: whatever keeps a word of it beside its feeds."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.alerts.codec import alert_of
from gateway.alerts.projection import ErasedAlert
from gateway.attachments.commands import storing
from gateway.casework.codec.contents import NAME, names_of
from gateway.casework.tables import acknowledgements, cases, documents, drafts, inbox
from gateway.casework.tables import names as alert_names
from gateway.casework.tables.documents import WordQuery
from gateway.contract.findings import step_evidence
from gateway.contract.identification.shipment_keys import name_key
from gateway.link_analysis.tables import terms
from gateway.notifications.tables import notifications, warnings
from gateway.watchlists.rules.matches import SourceKind
from gateway.watchlists.tables import matches, screening_reports


def forget_alert(conn: Connection, alert: ErasedAlert) -> None:
    """Removes it all with the last copy that this node has; what was counted stays."""
    contents = [whole.content for whole in map(alert_of, alert.events) if whole is not None]
    names = {name_key(name) for content in contents for name in names_of(content)}
    terms.forget_alerts(conn, alert.positions, names)
    if not alert.is_last:
        return
    publisher, alert_id = alert.publisher, alert.alert_id
    documents.forget(conn, publisher, alert_id)
    alert_names.forget(conn, [name for name in names if not _is_found(conn, name)])
    inbox.forget(conn, publisher, alert_id)
    cases.forget(conn, publisher, alert_id, at_ms=alert.at_ms)
    acknowledgements.remove(conn, (publisher, alert_id))
    drafts.forget(conn, alert_id)
    notifications.forget_alert(conn, alert_id)
    warnings.forget_alert(conn, publisher, alert_id)
    matches.forget_sources(conn, SourceKind.ALERT, [alert_id])
    screening_reports.forget_sources(conn, SourceKind.ALERT, [alert_id])
    digests = {evidence.sha256.hex() for event in alert.events for evidence in step_evidence(event)}
    storing.forget_alert(conn, publisher, alert_id, digests, at_ms=alert.at_ms)


def _is_found(conn: Connection, name: int) -> bool:
    """Whether the document of another alert has the name."""
    return bool(documents.search(conn, WordQuery((((f"{NAME}{name}", False),),)), 1))
