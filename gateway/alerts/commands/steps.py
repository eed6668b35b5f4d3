"""Takes steps on existing alerts, and lets alerts expire."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.codec import sources_in
from gateway.alerts.commands.evidence_sources import NamedEvidence
from gateway.alerts.commands.onward_transfer import (
    AlertKnowledge,
    AnswerReleases,
    current_content,
    nodes_granted,
    require_answers_may_go,
    require_onward_transfer,
    require_valid_consent_step,
)
from gateway.alerts.commands.placing import place_step, require_extensible_feeds
from gateway.alerts.commands.publishing import MAX_VALIDITY_MS, VALID_UNTIL_RANGE, Publisher
from gateway.alerts.commands.step_requests import ResponseT, StepRequest
from gateway.alerts.rules.findings import CHANGES, require_changeable, wrong_claims
from gateway.alerts.rules.life import advance
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import events
from gateway.alerts.tables.copies import AlertRow
from gateway.contract.findings import finding_of, step_evidence
from gateway.contract.ids import URGENT_ALERTS, FeedOrigin
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import (
    InvalidRequestError,
    NotFoundError,
    RevisionConflictError,
    Violation,
)
from gateway.feed.codec import EncodedEntry
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import Feed
from gateway.persons.service.pseudonyms import ShownPseudonym, keep_pseudonyms
from gateway.v1 import alert_pb2


@dataclass(frozen=True, slots=True)
class DraftedStep:
    """A step as one partner gets it.

    Attributes:
        partner: node that gets it.
        event: complete; `require_step` puts other words in place of a mandatory text that may not go.
        purpose: of the exchange, which decides the agreement.
        shown: under which name the partner sees who acts.
    """

    partner: str
    event: alert_pb2.AlertEvent
    purpose: str
    shown: ShownPseudonym


def draft_step(
    step: StepRequest[Message], row: AlertRow, *, publisher: Publisher, actor: str, now_ms: int
) -> DraftedStep:
    """The event of a step for one copy of the alert, before any check."""
    partner = row.key.recipient if row.direction == "out" else row.key.publisher
    event = alert_pb2.AlertEvent()
    event.CopyFrom(step.event)
    event.occurred_at.CopyFrom(to_timestamp(now_ms))
    alert = wire.alert_of(event)
    if alert is not None:
        alert.recipient = partner
        alert.published_at.CopyFrom(to_timestamp(row.published_at))
    said = None if event.WhichOneof("event") in ("withdrawn", "closed", "expired") else wire.purpose_of(event)
    purpose = said or row.purpose
    shown = publisher.shown_actor(actor, partner, purpose, now_ms)
    event.actor = shown.actor
    return DraftedStep(partner, event, purpose, shown)


def require_step(
    known: AlertKnowledge,
    step: StepRequest[Message],
    row: AlertRow,
    draft: DraftedStep,
    *,
    publisher: Publisher,
    now_ms: int,
) -> None:
    """Checks a step by everything that decides about it, against what is projected; applies the agreement to the draft.

    Raises:
        InvalidRequestError, PermissionDeniedError, AgreementForbidsError, IllegalTransitionError,
        RevisionConflictError: it may not be taken.
    """
    event = draft.event
    alert = wire.alert_of(event)
    if alert is not None:
        _require_validity(now_ms, alert.content)
    if event.WhichOneof("event") == "question" and to_ms(event.question.deadline) <= now_ms:
        raise InvalidRequestError([Violation("deadline", "deadline.future", "must lie in the future")])
    goods = current_content(known, row.key.publisher, row.key.alert_id).goods if finding_of(event) is not None else ()
    if wrong := wrong_claims(event, published_at_ms=row.published_at, now_ms=now_ms, goods=goods):
        raise InvalidRequestError(wrong)
    if row.direction == "out" and event.WhichOneof("event") in _CARRYING_CONTENT:
        releases = publisher.releases(wire.purpose_of(event) or row.purpose, now_ms)
        _require_onward_transfer(known, row, event, releases)
    origin = publisher.origin(draft.partner)
    advance(row.life, wire.step_of(event, origin).step)
    if event.WhichOneof("event") in CHANGES:
        require_changeable(event, events.finding_ledger(known.conn, row.key), origin.publisher)
    require_valid_consent_step(known, row, event, publisher.nodes)
    if evidence := _named_evidence(publisher, event, draft.purpose):
        evidence.require_may_go(known, [draft.partner], now_ms=now_ms)
    _require_revision_read(row, event, step.revision)
    publisher.apply_agreement(event, draft.partner, draft.purpose, now_ms)


def _named_evidence(publisher: Publisher, event: alert_pb2.AlertEvent, purpose: str) -> NamedEvidence | None:
    alert = wire.alert_of(event)
    if alert is not None:
        return publisher.named_evidence(alert.content.evidence, purpose, handling=alert.content.handling)
    field = "evidence" if finding_of(event) is None else "finding.evidence"
    return publisher.named_evidence(step_evidence(event), purpose, field=field)


def copies_of(conn: Connection, step: StepRequest[Message]) -> list[AlertRow]:
    """Copies of the alert that a step concerns; raises NotFoundError for none."""
    rows = alerts.copies(conn, step.publisher, step.alert_id)
    if step.recipient:
        rows = [row for row in rows if row.key.recipient == step.recipient]
    if not rows:
        raise NotFoundError(f"there is no alert {step.publisher}/{step.alert_id} here")
    return rows


def require_possible(tx: Transaction, step: StepRequest[Message], *, publisher: Publisher, actor: str) -> None:
    """Checks a step that is to be taken later, as `StepCommand` does when it is taken; all entries are projected.

    Raises:
        GatewayError: it may not be taken now.
    """
    for row in copies_of(tx.conn, step):
        draft = draft_step(step, row, publisher=publisher, actor=actor, now_ms=tx.now_ms)
        require_step(tx, step, row, draft, publisher=publisher, now_ms=tx.now_ms)


class StepCommand(IdempotentCommand[ResponseT]):
    """Steps 2 to 4 for an existing alert, checked against the state at commit, so that only one of two callers wins."""

    weight = 1

    def __init__(
        self,
        step: StepRequest[ResponseT],
        *,
        publisher: Publisher,
        principal: str,
        actor: str,
    ) -> None:
        self.request = step.message
        self.principal = principal
        self._step = step
        self._publisher = publisher
        self._actor = actor
        self._shown: list[ShownPseudonym] = []

    @property
    def request_id(self) -> str:
        return self._step.request_id

    @property
    def response_type(self) -> type[ResponseT]:
        return type(self._step.response)

    def answer(self, tx: Transaction) -> ResponseT:
        step = self._step
        tx.catch_up()
        self._shown.clear()
        entries = [self._checked(tx, row) for row in copies_of(tx.conn, step)]
        keep_pseudonyms(tx.conn, self._shown, now_ms=tx.now_ms)
        response = type(step.response)()
        response.CopyFrom(step.response)
        for origin, entry in entries:
            position = tx.append(origin, entry)
            response.entries.add(origin=origin.line, index=position.index)  # type: ignore[attr-defined]
        return response

    def _checked(self, tx: Transaction, row: AlertRow) -> tuple[FeedOrigin, EncodedEntry]:
        draft = draft_step(self._step, row, publisher=self._publisher, actor=self._actor, now_ms=tx.now_ms)
        self._shown += [draft.shown] if draft.shown.person else []
        require_step(tx, self._step, row, draft, publisher=self._publisher, now_ms=tx.now_ms)
        own, event = self._publisher.origin(draft.partner), draft.event
        require_extensible_feeds(tx, own)
        alert = wire.alert_of(event)
        priority = row.priority if alert is None else wire.PRIORITIES[alert.content.priority]
        place = place_step(tx, own, row, priority)  # all entries are projected: `row` says what is known
        return place.origin, self._publisher.entry(event, tx.now_ms, follows=place.follows, after=place.after)


def _require_revision_read(row: AlertRow, event: alert_pb2.AlertEvent, revision: int) -> None:
    """Requires that the current text was read where consent lets it go on; a sole text needs no name."""
    current = row.life.revision
    unsaid = revision == 0 and (current == 1 or event.answer.consent != alert_pb2.TRANSFER_CONSENT_GRANTED)
    if not unsaid and revision != current:
        named = f"names revision {revision}" if revision else "must name the one that was read"
        raise RevisionConflictError(
            f"the alert's current revision is {current}; an answer {named}", metadata={"revision": str(current)}
        )


_CARRYING_CONTENT = frozenset({"amended", "question", "answer"})
"""Steps on an own alert that may pass on more of what it derives from; a withdrawal must stay possible."""


def _require_validity(now_ms: int, content: alert_pb2.AlertContent) -> None:
    """Applies a new alert's rule to new content; a reply-by date may have passed."""
    if not now_ms < to_ms(content.valid_until) <= now_ms + MAX_VALIDITY_MS:
        raise InvalidRequestError([VALID_UNTIL_RANGE])


def _require_onward_transfer(
    tx: AlertKnowledge, row: AlertRow, event: alert_pb2.AlertEvent, releases: AnswerReleases
) -> None:
    """Applies the rule of all that an own alert derives from, in any revision; consent can't go beyond it either."""
    alert = wire.alert_of(event)
    sources = [(row.key.publisher, row.key.alert_id), *(() if alert is None else sources_in(alert.content))]
    recipients = (row.key.recipient, *nodes_granted(tx, row, event))
    handling = None if alert is None else alert.content.handling
    for publisher, alert_id in sources:
        require_onward_transfer(tx, publisher, alert_id, recipients, handling=handling, releases=releases)
    if alert is not None:
        require_answers_may_go([alert.content], recipients, releases, own=tx.own_node, handling=handling)


MAX_TIME_MS = 2**62
"""Later than any time, in milliseconds."""


class ExpireCommand:
    """Expires own alerts past their valid-until time; alerts in a blocked feed wait.

    Attributes:
        waiting: after `execute`: whether some are past it by this node's clock alone.
    """

    weight = 1

    def __init__(self, *, publisher: Publisher, latest_ms: int = MAX_TIME_MS, limit: int = 200) -> None:
        """`latest_ms`: the latest that it may be by partners' clocks: an expiry can't be taken back."""
        self._publisher = publisher
        self._latest_ms = latest_ms
        self._limit = limit
        self.waiting = False

    def execute(self, tx: Transaction) -> int:
        """Appends the expiries; returns their number.

        Reads what is projected first: catching up each second when nothing is due would undo the projector's share of
        time.
        """
        blocked = [feed.partner for feed in feeds.list_all(tx.conn) if _blocks_steps(feed)]
        now_ms = min(tx.now_ms, self._latest_ms)
        self.waiting = False
        if not alerts.due_to_expire(tx.conn, now_ms, 1, except_to=blocked):
            self.waiting = now_ms < tx.now_ms and bool(alerts.due_to_expire(tx.conn, tx.now_ms, 1, except_to=blocked))
            return 0
        tx.catch_up()
        keys = alerts.due_to_expire(tx.conn, now_ms, self._limit, except_to=blocked)
        rows = alerts.find(tx.conn, keys)
        for key, row in rows.items():
            event = alert_pb2.AlertEvent(occurred_at=to_timestamp(tx.now_ms), actor="gateway")
            event.expired.revision = row.life.revision
            event.expired.alert.publisher, event.expired.alert.alert_id = key.publisher, key.alert_id
            own = self._publisher.origin(key.recipient)
            advance(row.life, wire.step_of(event, own).step)
            place = place_step(tx, own, row, row.priority)
            tx.append(place.origin, self._publisher.entry(event, tx.now_ms, follows=place.follows, after=place.after))
        return len(rows)


def _blocks_steps(feed: Feed) -> bool:
    """Whether an own feed of alerts that its recipient takes misses entries."""
    taken = feed.origin.channel not in URGENT_ALERTS or feed.accepted_at > 0
    return feed.direction == "out" and taken and not feed.extensible
