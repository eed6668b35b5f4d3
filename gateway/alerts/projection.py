"""Projects alerts feeds: each recipient's copy, and its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.codec import AlertKey, AlertStep
from gateway.alerts.rules.findings import CHANGES, require_changeable
from gateway.alerts.rules.life import ENDING, AlertLife, advance
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.events import AlertEventRow, MentionRow
from gateway.alerts.tables.schema import alert_events, alert_evidence
from gateway.alerts.tables.schema import alerts as alerts_table
from gateway.contract.findings import FindingPlace, FindingStep, step_evidence
from gateway.contract.ids import ALERT_CHANNELS, FeedOrigin
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import GatewayError
from gateway.feed.codec import EntryFormat
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.commits import ALERT_CHANGES, FINDINGS
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.trust.service.agreements import Agreements
from gateway.v1 import alert_pb2, feed_pb2


def _make_disposition(disposition: feed_pb2.Disposition, now_ms: int) -> Message:
    return alert_pb2.AlertEvent(occurred_at=to_timestamp(now_ms), actor="gateway", disposition=disposition)


ALERT_ENTRIES = tuple(
    EntryFormat(channel=channel, message=alert_pb2.AlertEvent, make_disposition=_make_disposition)
    for channel in ALERT_CHANNELS
)


@dataclass(slots=True)
class _Page:
    """Gathers a page's writes, so that they are few and sorted."""

    steps: dict[int, AlertStep] = field(default_factory=dict)
    known: dict[AlertKey, AlertRow] = field(default_factory=dict)
    new: dict[AlertKey, AlertRow] = field(default_factory=dict)
    changed: dict[AlertKey, AlertRow] = field(default_factory=dict)
    events: list[AlertEventRow] = field(default_factory=list)
    findings: dict[AlertKey, list[FindingStep]] = field(default_factory=dict)
    mentions: list[MentionRow] = field(default_factory=list)

    def row(self, key: AlertKey) -> AlertRow | None:
        return self.changed.get(key) or self.new.get(key) or self.known.get(key)

    def put(self, row: AlertRow, *, is_new: bool) -> None:
        if is_new or row.key in self.new:
            self.new[row.key] = row
        else:
            self.changed[row.key] = row


class AlertProjection(Projection):
    """Copies and steps of alerts."""

    formats = ALERT_ENTRIES
    tables = (alert_evidence, alert_events, alerts_table)

    def __init__(self, agreements: Agreements) -> None:
        self._agreements = agreements
        self._page = _Page()

    def begin(self, tx: Transaction, entries: Sequence[LoggedEntry]) -> None:
        """Looks up all alerts of the page at once."""
        page = self._page = _Page()
        for entry in entries:
            event = cast("alert_pb2.AlertEvent", entry.event)
            if wire.disposition_of(event) is None:
                try:
                    page.steps[entry.position] = wire.step_of(event, entry.feed.origin)
                except GatewayError:
                    continue  # `apply` raises it again, as this entry's refusal
        page.known = alerts.find(tx.conn, {step.key for step in page.steps.values()})

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Applies a step of an alert.

        Raises:
            MalformedError, IllegalTransitionError, RevisionConflictError: the step may not follow.
            AgreementForbidsError, InvalidRequestError: the agreement forbids it.
        """
        page, event = self._page, cast("alert_pb2.AlertEvent", entry.event)
        read = page.steps.get(entry.position) or wire.step_of(event, entry.feed.origin)
        row = page.row(read.key)
        life = advance(row.life if row else None, read.step, recorded=True)
        if entry.feed.direction == "in" and event.WhichOneof("event") not in wire.ENDS:
            origin = entry.feed.origin
            # the sender holds these texts to the agreement; a step must not be lost by them
            self._agreements.require(
                wire.without_text(event),
                sender=origin.publisher,
                recipient=origin.recipient,
                purpose=wire.purpose_of(event) or (row.purpose if row else ""),
                at_ms=entry.committed_at,
                message_type=wire.EVENT_TYPE,
            )
        alert = wire.alert_of(event)
        shown = self._shown_finding(tx.conn, entry, read.key, event)
        if row is None and alert is not None:
            page.put(_new_row(read.key, entry, alert, life), is_new=True)
        elif row is not None:
            changed = _changed_row(row, entry, alert, life, ends=read.step.action in ENDING)
            if shown is not None:
                changed = replace(changed, finding_feed_id=shown[0], finding_idx=shown[1])
            page.put(changed, is_new=False)
        page.events.append(
            AlertEventRow(entry.position, read.key, entry.feed.id, entry.index, life.status, entry.committed_at)
        )
        page.mentions += _mentions(read.key, entry, event)

    def _shown_finding(
        self, conn: Connection, entry: LoggedEntry, key: AlertKey, event: alert_pb2.AlertEvent
    ) -> tuple[int, int] | None:
        """Feed id and index of the finding that lists show after a step: the last one that stands, (0, 0) for none.

        None where the step leaves it.

        Raises:
            IllegalTransitionError: the step changes a finding that doesn't stand, or another node's.
        """
        kind = event.WhichOneof("event")
        if kind != "finding" and kind not in CHANGES:
            return None
        step = FindingStep(FindingPlace(entry.feed.origin.line, entry.index), event, entry.committed_at)
        of_page = self._page.findings.setdefault(key, [])
        if kind == "finding":
            of_page.append(step)
            return entry.feed.id, entry.index
        ledger = events.finding_ledger(conn, key)
        for earlier in of_page:
            ledger.add(earlier)
        require_changeable(event, ledger, entry.feed.origin.publisher)
        ledger.add(step)
        of_page.append(step)
        if not ledger.standing:
            return 0, 0
        shown = ledger.standing[-1].place
        return feeds.get(conn, FeedOrigin.parse(shown.origin)).id, shown.index

    def finish(self, tx: Transaction) -> None:
        page = self._page
        alerts.add(tx.conn, sorted(page.new.values(), key=lambda row: (row.key.alert_id, row.key.publisher)))
        for row in page.changed.values():
            alerts.replace(tx.conn, row)
        events.add(tx.conn, page.events)
        if page.events:
            tx.topics.add(ALERT_CHANGES)
        if page.findings:
            tx.topics.add(FINDINGS)
        events.add_mentions(tx.conn, page.mentions)

    def has_applied(self, conn: Connection, feed_id: int, index: int) -> bool:
        return events.exists(conn, feed_id, index)


def _mentions(key: AlertKey, entry: LoggedEntry, event: alert_pb2.AlertEvent) -> list[MentionRow]:
    speaker = entry.feed.origin.publisher
    return [
        MentionRow(entry.position, number, evidence.sha256.hex(), key, speaker, entry.feed.id, entry.index)
        for number, evidence in enumerate(step_evidence(event))
    ]


def _new_row(key: AlertKey, entry: LoggedEntry, alert: alert_pb2.Alert, life: AlertLife) -> AlertRow:
    content = alert.content
    return AlertRow(
        key=key,
        direction=entry.feed.direction,
        life=life,
        priority=wire.PRIORITIES[content.priority],
        purpose=content.purpose,
        case_reference=content.case_reference,
        published_at=to_ms(alert.published_at),
        feed_id=entry.feed.id,
        first_idx=entry.index,
        current_feed_id=entry.feed.id,
        current_idx=entry.index,
        last_feed_id=entry.feed.id,
        last_idx=entry.index,
    )


def _changed_row(
    row: AlertRow, entry: LoggedEntry, alert: alert_pb2.Alert | None, life: AlertLife, *, ends: bool
) -> AlertRow:
    if alert is None:
        row = replace(row, life=life)
        return replace(row, last_feed_id=entry.feed.id, last_idx=entry.index) if ends else row
    content = alert.content
    return replace(
        row,
        life=life,
        priority=wire.PRIORITIES[content.priority],
        purpose=content.purpose,
        case_reference=content.case_reference,
        current_feed_id=entry.feed.id,
        current_idx=entry.index,
        last_feed_id=entry.feed.id,
        last_idx=entry.index,
    )
