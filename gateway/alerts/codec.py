"""Reads alert events: parses protobuf and maps it to the model's steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import DecodeError

from gateway.alerts.rules.deadlines import Deadlines, DeadlineState
from gateway.alerts.rules.life import Action, AlertLife, AlertStatus, Side, Step
from gateway.contract.identification.identifiers import alert_doubts
from gateway.contract.ids import ALERT_CHANNELS, FeedOrigin
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import MalformedError
from gateway.feed.service.delivery import Delivery, DeliveryState
from gateway.trust.rules.directory import MessageType
from gateway.v1 import alert_pb2, alert_service_pb2, feed_pb2

EVENT_TYPE: Final = MessageType.ALERT.value
"""EntryHeader.type of everything in an alerts feed."""

NOT_TOLD = "No agreement allows the reason to be told."
"""Replaces a mandatory text that the agreement doesn't disclose. In English, like every text that a gateway writes."""

MANDATORY_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "withdrawn": "reason",
        "flagged": "explanation",
        "finding_corrected": "reason",
        "finding_withdrawn": "reason",
    }
)
"""Text field of each event that a partner gets even where the agreement doesn't disclose the text."""

_TEXTS_OF_STEPS: Mapping[str, str] = MappingProxyType({**MANDATORY_TEXTS, "closed": "remarks"})

ENDS = frozenset({"withdrawn", "expired", "finding_withdrawn"})
"""Events that need no agreement: who has an alert or a finding must learn that it doesn't hold any more."""

PRIORITIES = {alert_pb2.PRIORITY_A: "A", alert_pb2.PRIORITY_B: "B", alert_pb2.PRIORITY_C: "C"}
"""Contract value to the officers' letter."""

_STATUS_VALUES = {
    AlertStatus.PUBLISHED: alert_pb2.ALERT_STATUS_PUBLISHED,
    AlertStatus.ACKNOWLEDGED: alert_pb2.ALERT_STATUS_ACKNOWLEDGED,
    AlertStatus.FLAGGED: alert_pb2.ALERT_STATUS_FLAGGED,
    AlertStatus.WITHDRAWN: alert_pb2.ALERT_STATUS_WITHDRAWN,
    AlertStatus.EXPIRED: alert_pb2.ALERT_STATUS_EXPIRED,
    AlertStatus.CLOSED: alert_pb2.ALERT_STATUS_CLOSED,
}

_DEADLINE_VALUES = {
    DeadlineState.NONE: alert_service_pb2.DEADLINE_STATE_UNSPECIFIED,
    DeadlineState.DUE: alert_service_pb2.DEADLINE_STATE_DUE,
    DeadlineState.OVERDUE: alert_service_pb2.DEADLINE_STATE_OVERDUE,
    DeadlineState.MET: alert_service_pb2.DEADLINE_STATE_MET,
}

_DELIVERY_VALUES = {
    DeliveryState.WAITING: alert_service_pb2.DELIVERY_STATE_WAITING,
    DeliveryState.SENT: alert_service_pb2.DELIVERY_STATE_SENT,
    DeliveryState.STORED: alert_service_pb2.DELIVERY_STATE_STORED,
    DeliveryState.APPLIED: alert_service_pb2.DELIVERY_STATE_APPLIED,
    DeliveryState.REJECTED: alert_service_pb2.DELIVERY_STATE_REJECTED,
    DeliveryState.HELD: alert_service_pb2.DELIVERY_STATE_HELD,
}

_ACTIONS = {
    "published": Action.PUBLISH,
    "amended": Action.AMEND,
    "withdrawn": Action.WITHDRAW,
    "expired": Action.EXPIRE,
    "acknowledged": Action.ACKNOWLEDGE,
    "flagged": Action.FLAG,
    "question": Action.ASK,
    "answer": Action.ANSWER,
    "finding": Action.REPORT_FINDING,
    "finding_corrected": Action.CORRECT_FINDING,
    "finding_withdrawn": Action.WITHDRAW_FINDING,
    "closed": Action.CLOSE,
}
"""Event name in the contract's oneof to the model's action."""

ERASURES = ("erased", "erasure_refused")
"""Events of a copy's erasure, which isn't a step of its life."""

KINDS = (*_ACTIONS, *ERASURES, "disposition")
"""Known events, by name in the contract's oneof."""

_WHOLE_ALERT = (Action.PUBLISH, Action.AMEND)
_ABOUT_QUESTIONS = (Action.ASK, Action.ANSWER)
_WITHOUT_REVISION = (Action.ASK, Action.ANSWER, Action.WITHDRAW_FINDING)
_FIRST_REVISION = 1


@dataclass(frozen=True, slots=True, order=True)
class AlertKey:
    """One recipient's copy of one alert."""

    publisher: str
    alert_id: str
    recipient: str


def parse_event(payload: bytes) -> alert_pb2.AlertEvent:
    """Parses the payload of an alerts feed.

    Raises:
        MalformedError: not a serialised AlertEvent.
    """
    try:
        return alert_pb2.AlertEvent.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised AlertEvent") from error


def newest_text_or_end(life: AlertLife) -> str:
    """Name of the publisher's newest step that says what the alert is, in the contract's oneof."""
    if life.status.is_terminal:
        return life.status.value
    return "published" if life.revision == _FIRST_REVISION else "amended"


def disposition_of(event: alert_pb2.AlertEvent) -> feed_pb2.Disposition | None:
    """The event's disposition; None for a step of an alert."""
    return event.disposition if event.WhichOneof("event") == "disposition" else None


@dataclass(frozen=True, slots=True)
class AlertStep:
    """An event as a step on one copy of an alert."""

    key: AlertKey
    step: Step


def step_of(event: alert_pb2.AlertEvent, origin: FeedOrigin) -> AlertStep:
    """Reads an event of a feed; the alert's publisher decides which side acts.

    Raises:
        MalformedError: another publisher's or recipient's name, or a step on a third party's alert.
    """
    name = event.WhichOneof("event") or ""
    if name in ERASURES:
        raise MalformedError("an erasure isn't a step of an alert")
    action = _ACTIONS[name]
    body = getattr(event, name)
    valid_until, reply_by, informs = None, None, False
    if action in _WHOLE_ALERT:
        publisher, alert_id, revision = body.publisher, body.id, body.revision
        if (publisher, body.recipient) != (origin.publisher, origin.recipient):
            raise MalformedError(f"an alert from {publisher!r} to {body.recipient!r} doesn't belong in {origin}")
        valid_until, reply_by = to_ms(body.content.valid_until), reply_by_of(body.content)
        informs = body.content.requested_action == alert_pb2.REQUESTED_ACTION_INFORM
    else:
        publisher, alert_id = body.alert.publisher, body.alert.alert_id
        revision = _FIRST_REVISION if action in _WITHOUT_REVISION else _revision_in(body)
        if name == "finding_corrected" and body.finding.alert != body.alert:
            raise MalformedError("the corrected finding names another alert than its correction")
        if publisher not in (origin.publisher, origin.recipient):
            raise MalformedError(f"an alert of {publisher!r} doesn't belong in {origin}")
    by_publisher = publisher == origin.publisher
    step = Step(
        action=action,
        side=Side.PUBLISHER if by_publisher else Side.RECIPIENT,
        revision=revision,
        at_unix_ms=to_ms(event.occurred_at),
        valid_until_unix_ms=valid_until,
        question_id=body.question_id if action in _ABOUT_QUESTIONS else "",
        deadline_unix_ms=to_ms(body.deadline) if action is Action.ASK else 0,
        reply_by_unix_ms=reply_by,
        informs=informs,
    )
    return AlertStep(AlertKey(publisher, alert_id, origin.recipient if by_publisher else origin.publisher), step)


def _revision_in(body: Any) -> int:
    if isinstance(body, alert_pb2.AlertFindingCorrected):
        body = body.finding
    return int(body.revision)


def reply_by_of(content: alert_pb2.AlertContent) -> int | None:
    """When the publisher needs a reply, in milliseconds since 1970; None where it needs none."""
    return to_ms(content.reply_by) if content.HasField("reply_by") else None


def erased_key(event: alert_pb2.AlertEvent, origin: FeedOrigin) -> AlertKey:
    """The copy that an event of ERASURES concerns.

    Raises:
        MalformedError: a third party's alert, a feed of others, or a refusal by the publisher.
    """
    kind = str(event.WhichOneof("event"))
    body = getattr(event, kind)
    publisher, alert_id = body.alert.publisher, body.alert.alert_id
    both = {origin.publisher, origin.recipient}
    if publisher not in both:
        raise MalformedError(f"an alert of {publisher!r} doesn't belong in {origin}")
    if kind == "erasure_refused":
        if publisher == origin.publisher:
            raise MalformedError("a publisher can't refuse to erase its own alert")
    else:
        for named in body.entries:
            other = FeedOrigin.parse(named.origin)
            same = other.federation == origin.federation and other.channel in ALERT_CHANNELS
            if not same or {other.publisher, other.recipient} != both:
                raise MalformedError(f"an erasure in {origin} can't name entries of {other}")
    recipient = origin.recipient if publisher == origin.publisher else origin.publisher
    return AlertKey(publisher, alert_id, recipient)


def key_of(event: alert_pb2.AlertEvent, origin: FeedOrigin) -> AlertKey:
    """The copy that an event concerns; raises as `step_of` does."""
    return erased_key(event, origin) if event.WhichOneof("event") in ERASURES else step_of(event, origin).key


def without_text(event: alert_pb2.AlertEvent) -> alert_pb2.AlertEvent:
    """The event without the text that says in words why it happened; itself if it has none."""
    kind: Any = event.WhichOneof("event")
    if kind not in _TEXTS_OF_STEPS:
        return event
    bare = alert_pb2.AlertEvent()
    bare.CopyFrom(event)
    getattr(bare, kind).ClearField(_TEXTS_OF_STEPS[kind])
    return bare


def purpose_of(event: alert_pb2.AlertEvent) -> str | None:
    """The purpose in an alert's text; None for steps without one."""
    match event.WhichOneof("event"):
        case "published":
            return event.published.content.purpose
        case "amended":
            return event.amended.content.purpose
        case _:
            return None


def alert_of(event: alert_pb2.AlertEvent) -> alert_pb2.Alert | None:
    """The event's whole alert, or None."""
    match event.WhichOneof("event"):
        case "published":
            return event.published
        case "amended":
            return event.amended
        case _:
            return None


def deadlines_value(deadlines: Deadlines, *, own: Side) -> alert_service_pb2.AlertDeadlines:
    """The contract's form of deadlines, as the node on one side sees them."""
    return alert_service_pb2.AlertDeadlines(
        reply=_DEADLINE_VALUES[deadlines.reply],
        question_in=_DEADLINE_VALUES[deadlines.answers[own]],
        question_out=_DEADLINE_VALUES[deadlines.answers[own.other]],
        expired_by_clock=deadlines.expired_by_clock,
        partner_left=deadlines.partner_left,
    )


def deadline_value(state: DeadlineState) -> alert_service_pb2.DeadlineState.ValueType:
    """The contract's value of a deadline's state."""
    return _DEADLINE_VALUES[state]


def delivery_value(delivery: Delivery, event: str) -> alert_service_pb2.StepDelivery:
    """The contract's form of how far a step has come; `event`: its name in AlertEvent."""
    step = alert_service_pb2.StepDelivery(
        entry=alert_service_pb2.EntryReference(origin=delivery.origin.line, index=delivery.index),
        event=event,
        state=_DELIVERY_VALUES[delivery.state],
        reason=delivery.reason,
    )
    if delivery.receipted_at:
        step.receipted_at.CopyFrom(to_timestamp(delivery.receipted_at))
    if delivery.decided_at:
        step.decided_at.CopyFrom(to_timestamp(delivery.decided_at))
    return step


def status_value(status: AlertStatus) -> alert_pb2.AlertStatus.ValueType:
    """The contract's value of a status."""
    return _STATUS_VALUES[status]


MAX_NOTICES = 200
"""Most notices on one alert, as in the contract."""


def quality_notices(content: alert_pb2.AlertContent) -> list[alert_pb2.DataQualityNotice]:
    """Notices on identifiers that published algorithms find wrong; never a reason to refuse an alert."""
    return [
        alert_pb2.DataQualityNotice(field=field, scheme=notice.scheme, code=notice.code, message=notice.message)
        for field, notice in islice(alert_doubts(content), MAX_NOTICES)
    ]


def sources_in(content: alert_pb2.AlertContent) -> tuple[tuple[str, str], ...]:
    """The alerts that a text names as its sources, as (publisher, id)."""
    return tuple((reference.publisher, reference.alert_id) for reference in content.derived_from)
