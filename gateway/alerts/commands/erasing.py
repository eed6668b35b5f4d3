"""Erases this node's copies of alerts that have ended, and answers publishers that ask it to.

A command only appends the signed statement that names the entries; the projection of that statement erases them
(`alerts.projection`), so that a copy that is fetched back from a partner is erased again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from gateway.alerts.commands.placing import place_step, require_extensible_feeds
from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.tables import copies, erasures, events
from gateway.alerts.tables.copies import AlertRow
from gateway.contract.messages import to_timestamp
from gateway.errors import AlertHeldError, GatewayError, IllegalTransitionError, NotFoundError, TooLargeError
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.trust.rules.directory import Directory
from gateway.v1 import alert_pb2, alert_service_pb2

REQUEST = "request"
"""Rule of an erasure that a person asked for."""

PARTNER_REQUEST = "partner_request"
"""Rule of an erasure that the publisher asked for."""

MOST_ENTRIES = 5_000
"""Entries of one copy that one statement names: 64 kB at most."""

ANSWERED_AT_ONCE = 20
"""Requests of publishers that one transaction answers."""

ERASE_METHOD = "erase_alerts"
"""Operation in the audit log."""

HoldsOnAlert = Callable[[Connection, str, str], str]
"""Names the legal holds on an alert, of a publisher and an id; empty for none."""


@dataclass(frozen=True, slots=True)
class AlertEraser:
    """What erasures are decided by.

    Attributes:
        holds: legal holds in force.
    """

    publisher: Publisher
    directory: Callable[[], Directory]
    holds: HoldsOnAlert

    def require_erasable(self, conn: Connection, row: AlertRow) -> None:
        """Requires that a copy has ended and that the partner has every own step of it.

        Raises:
            IllegalTransitionError: it hasn't.
        """
        named = f"alert {row.key.publisher}/{row.key.alert_id}"
        if not row.life.status.is_terminal:
            raise IllegalTransitionError(
                f"{named} to {row.key.recipient} is {row.life.status.value}; it is erased once it has ended"
            )
        for feed_id, index in events.newest_entries(conn, row.key):
            feed = feeds.get_by_id(conn, feed_id)
            if feed.direction == "out" and index >= feed.receipted_size:
                raise IllegalTransitionError(f"{row.partner} has no receipt yet for the last step of {named}")

    def require_released(self, tx: Transaction, publisher: str, alert_id: str) -> None:
        """Raises AlertHeldError while a legal hold keeps an alert."""
        if named := self.holds(tx.conn, publisher, alert_id):
            raise AlertHeldError(f"a legal hold keeps alert {publisher}/{alert_id}: {named}")

    def may_ask(self, sender: str, recipient: str, purpose: str, now_ms: int) -> bool:
        """Whether an agreement in force lets the sender have the recipient's copy erased."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        return any(
            agreement.erasure
            for agreement in self.directory().agreements
            if (agreement.sender, agreement.recipient) == (sender, recipient)
            and purpose in agreement.purposes
            and agreement.in_force(now)
        )

    def append(self, tx: Transaction, row: AlertRow, event: alert_pb2.AlertEvent) -> tuple[str, int]:
        """Appends a statement on a copy; returns its feed and index."""
        own = self.publisher.origin(row.partner)
        require_extensible_feeds(tx, own)
        event.occurred_at.CopyFrom(to_timestamp(tx.now_ms))
        place = place_step(tx, own, row, row.priority)
        entry = self.publisher.entry(event, tx.now_ms, follows=place.follows, after=place.after)
        return place.origin.line, tx.append(place.origin, entry).index

    def erase(
        self, tx: Transaction, row: AlertRow, *, actor: str, rule: str, legal_basis: str, asks: bool
    ) -> tuple[str, int, int]:
        """Has a copy erased; returns the statement's feed and index, and the number of entries.

        Raises:
            TooLargeError: it has too many steps.
        """
        event = alert_pb2.AlertEvent(actor=actor)
        erased = event.erased
        erased.alert.publisher, erased.alert.alert_id = row.key.publisher, row.key.alert_id
        erased.rule, erased.legal_basis, erased.asks = rule, legal_basis, asks
        by_feed: dict[str, list[int]] = {}
        for step, origin, _ in events.of_alert(tx.conn, row.key.publisher, row.key.alert_id):
            if step.key == row.key:
                by_feed.setdefault(origin, []).append(step.idx)
        count = sum(map(len, by_feed.values()))
        if count > MOST_ENTRIES:
            raise TooLargeError(f"the alert has more than {MOST_ENTRIES} steps, which can't be erased together")
        for origin, indexes in sorted(by_feed.items()):
            erased.entries.add(origin=origin, indexes=sorted(indexes))
        return *self.append(tx, row, event), count


@dataclass(frozen=True, slots=True)
class EraseAlertCommand(IdempotentCommand[alert_service_pb2.EraseAlertResponse]):
    """Erases all copies of an alert that this node has.

    A crash before the commit leaves all of them; after it they are gone, or the projector erases them first of all.

    Raises:
        NotFoundError: no such alert here.
        IllegalTransitionError: it hasn't ended, or a partner lacks a step.
        AlertHeldError: a legal hold keeps it.
    """

    request: alert_service_pb2.EraseAlertRequest
    principal: str
    actor: str
    eraser: AlertEraser
    weight: int = 1

    @property
    def response_type(self) -> type[alert_service_pb2.EraseAlertResponse]:
        return alert_service_pb2.EraseAlertResponse

    def answer(self, tx: Transaction) -> alert_service_pb2.EraseAlertResponse:
        publisher, alert_id = self.request.alert.publisher, self.request.alert.alert_id
        tx.catch_up()
        rows = copies.copies(tx.conn, publisher, alert_id)
        if not rows:
            raise NotFoundError(f"there is no alert {publisher}/{alert_id} here")
        self.eraser.require_released(tx, publisher, alert_id)
        for row in rows:
            self.eraser.require_erasable(tx.conn, row)
        response = alert_service_pb2.EraseAlertResponse()
        for row in rows:
            partner = row.partner
            asks = row.direction == "out" and self.eraser.may_ask(publisher, partner, row.purpose, tx.now_ms)
            actor = self.eraser.publisher.shown_actor(self.actor, partner, row.purpose, tx.now_ms).actor
            origin, index, count = self.eraser.erase(
                tx, row, actor=actor, rule=REQUEST, legal_basis=self.request.legal_basis, asks=asks
            )
            response.entries.add(origin=origin, index=index)
            response.erased += count
            response.asked.extend([partner] if asks else [])
        return response


@dataclass(frozen=True, slots=True)
class AnswerErasuresCommand:
    """Erases partners' alerts whose publishers ask for it, or says once why not; returns the number of statements.

    What a hold kept is erased once the hold is released.
    """

    eraser: AlertEraser
    weight: int = 1

    def execute(self, tx: Transaction) -> int:
        """Reads what is projected first: catching up when nothing is asked would undo the projector's share of time."""
        if not erasures.asked_of(tx.conn, tx.own_node, 1):
            return 0
        tx.catch_up()
        asked = erasures.asked_of(tx.conn, tx.own_node, ANSWERED_AT_ONCE)
        rows = copies.find(tx.conn, {request.key for request in asked})
        return sum(self._answer(tx, rows[request.key], request.legal_basis) for request in asked)

    def _answer(self, tx: Transaction, row: AlertRow, legal_basis: str) -> bool:
        key = row.key
        refusal = self._refusal(tx, row)
        said = [earlier for earlier in erasures.of_copy(tx.conn, key) if earlier.node == tx.own_node]
        try:
            if refusal and said and said[-1].refusal == refusal:
                return False
            if refusal:
                event = alert_pb2.AlertEvent(actor="gateway")
                reference = event.erasure_refused.alert
                reference.publisher, reference.alert_id = key.publisher, key.alert_id
                event.erasure_refused.reason = refusal
                self.eraser.append(tx, row, event)
                return True
            self.eraser.require_erasable(tx.conn, row)
            self.eraser.erase(tx, row, actor="gateway", rule=PARTNER_REQUEST, legal_basis=legal_basis, asks=False)
        except GatewayError:
            return False  # e.g. a feed that waits for a partner: asked again at the next look
        record_erasures(tx, f"{key.publisher} asked for it; legal basis: {legal_basis}", [key.alert_id])
        return True

    def _refusal(self, tx: Transaction, row: AlertRow) -> alert_pb2.ErasureRefusal.ValueType:
        key = row.key
        if not self.eraser.may_ask(key.publisher, tx.own_node, row.purpose, tx.now_ms):
            return alert_pb2.ERASURE_REFUSAL_AGREEMENT
        if self.eraser.holds(tx.conn, key.publisher, key.alert_id):
            return alert_pb2.ERASURE_REFUSAL_LEGAL_HOLD
        return alert_pb2.ERASURE_REFUSAL_UNSPECIFIED


def record_erasures(tx: Transaction, detail: str, alert_ids: Sequence[str]) -> None:
    """Records erasures by the gateway itself in the audit log."""
    entry = AuditEntry(
        time_ms=tx.now_ms,
        principal=f"gateway/{tx.own_node}",
        method=ERASE_METHOD,
        result=AuditResult.ALLOW,
        detail=detail,
        subject_ids=tuple(alert_ids),
    )
    audit.append(tx.conn, [entry])
