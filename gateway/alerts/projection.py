"""Projects alerts feeds: each recipient's copy, its steps, and its erasure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.codec import AlertKey, AlertStep
from gateway.alerts.rules.findings import CHANGES, require_changeable
from gateway.alerts.rules.life import ENDING, AlertLife, advance
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import erasures, events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.erasures import AlertErasureRow
from gateway.alerts.tables.events import AlertEventRow, MentionRow
from gateway.alerts.tables.schema import alert_erasures, alert_events, alert_evidence, erased_entries
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


@dataclass(frozen=True, slots=True)
class ErasedAlert:
    """An alert of which this node has erased a copy; of its last copy, if `is_last`.

    Attributes:
        positions: of the copy's steps in the local log.
        events: the copy's steps, as far as their payloads were there.
    """

    publisher: str
    alert_id: str
    positions: Sequence[int]
    events: Sequence[alert_pb2.AlertEvent]
    is_last: bool
    at_ms: int


ForgetAlert = Callable[[Connection, ErasedAlert], None]
"""Removes what other capabilities have made of an alert, in the transaction that erases it."""


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

    def forget(self, key: AlertKey) -> list[int]:
        """Drops a copy that was erased; returns the positions of its steps."""
        for rows in (self.known, self.new, self.changed, self.findings):
            rows.pop(key, None)
        gone = [event.position for event in self.events if event.key == key]
        self.events = [event for event in self.events if event.key != key]
        self.mentions = [mention for mention in self.mentions if mention.key != key]
        return gone

    def put(self, row: AlertRow, *, is_new: bool) -> None:
        if is_new or row.key in self.new:
            self.new[row.key] = row
        else:
            self.changed[row.key] = row


class AlertProjection(Projection):
    """Copies and steps of alerts."""

    formats = ALERT_ENTRIES
    tables = (alert_evidence, alert_events, alerts_table, alert_erasures, erased_entries)

    def __init__(self, agreements: Agreements, *, forget: ForgetAlert) -> None:
        self._agreements = agreements
        self._forget = forget
        self._page = _Page()

    def begin(self, tx: Transaction, entries: Sequence[LoggedEntry]) -> None:
        """Looks up all alerts of the page at once."""
        page = self._page = _Page()
        for entry in entries:
            event = cast("alert_pb2.AlertEvent", entry.event)
            if wire.disposition_of(event) is None and event.WhichOneof("event") not in wire.ERASURES:
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
        if event.WhichOneof("event") in wire.ERASURES:
            self._apply_erasure(tx, entry, event)
            return
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

    def _apply_erasure(self, tx: Transaction, entry: LoggedEntry, event: alert_pb2.AlertEvent) -> None:
        """Notes what a node says of erasing a copy; what this node says, it does.

        So a database that is restored or fetched back from a partner loses again what it had lost, at the same entry.
        """
        key = wire.erased_key(event, entry.feed.origin)
        body = event.erased
        row = AlertErasureRow(
            *(entry.position, key.alert_id, key.publisher, key.recipient, entry.feed.origin.publisher),
            *(entry.feed.id, entry.index, to_ms(event.occurred_at)),
        )
        if event.WhichOneof("event") == "erasure_refused":
            erasures.add(tx.conn, row._replace(refusal=int(event.erasure_refused.reason)))
            return
        for named in body.entries:
            feed = feeds.find(tx.conn, FeedOrigin.parse(named.origin))
            if feed is not None:
                there = [index for index in named.indexes if index < feed.size]
                erasures.note_entries(tx.conn, feed.id, there, position=entry.position)
        count = sum(len(named.indexes) for named in body.entries)
        erasures.add(
            tx.conn,
            row._replace(rule=body.rule, legal_basis=body.legal_basis, erased=count, asks=body.asks),
        )
        if entry.feed.direction == "out":
            self._erase(tx, key, body)
        tx.topics.add(ALERT_CHANGES)

    def _erase(self, tx: Transaction, key: AlertKey, body: alert_pb2.AlertErased) -> None:
        """Erases this node's copy: entries of this alert alone, and all that was made of them."""
        found: list[alert_pb2.AlertEvent] = []
        for named in body.entries:
            origin = FeedOrigin.parse(named.origin)
            feed = feeds.find(tx.conn, origin)
            read = [] if feed is None else erasures.payloads(tx.conn, feed.id, named.indexes)
            events_read = [(index, wire.parse_event(payload)) for index, payload in read]
            own = [(index, event) for index, event in events_read if _is_of(event, origin, key)]
            if feed is not None:
                erasures.erase(tx.conn, feed.id, [index for index, _ in own])
            found += [event for _, event in own]
        positions = [*self._page.forget(key), *erasures.positions(tx.conn, key)]
        erasures.forget_copy(tx.conn, key)
        others = {other.key for other in alerts.copies(tx.conn, key.publisher, key.alert_id)}
        others |= {
            other for other in self._page.new if (other.publisher, other.alert_id) == (key.publisher, key.alert_id)
        }
        self._forget(
            tx.conn,
            ErasedAlert(key.publisher, key.alert_id, positions, found, is_last=not others, at_ms=tx.now_ms),
        )

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


def _is_of(event: alert_pb2.AlertEvent, origin: FeedOrigin, key: AlertKey) -> bool:
    try:
        return wire.disposition_of(event) is None and wire.key_of(event, origin) == key
    except GatewayError:
        return False


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
