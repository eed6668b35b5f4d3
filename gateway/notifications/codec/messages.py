"""Writes what has happened as the contract's Notification: references and codes, no text of a partner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.alerts import codec as wire
from gateway.alerts.codec import AlertKey
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.events import AlertEventRow
from gateway.casework.tables.cases import ActionRow
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.feed.service.alarms import Alarm
from gateway.notifications.rules.warnings import DeadlineWarning, Stage, WarnedCopy, WarnedDeadline, expiry_id
from gateway.v1 import alert_pb2
from gateway.v1.history_service_pb2 import ControlChange
from gateway.v1.notification_service_pb2 import DeadlineKind, NotificationKind
from gateway.v1.notification_service_pb2 import Notification as NotificationMessage
from gateway.watchlists.tables.hits import HitRow
from gateway.watchlists.tables.matches import MatchRow
from gateway.watchlists.tables.proposals import ProposalRow
from gateway.watchlists.tables.screening_reports import ReportRow

BREAK_GLASS = "BREAK_GLASS"
"""Code of the alarm while somebody acts beyond a role."""

MOST_TYPOLOGIES = 8
"""Typologies in a notification; an alert has few."""

ALARM_EVERY_MS = 3_600_000
"""An alarm that comes and goes is told once in this time, in milliseconds."""

_KINDS: Mapping[str, NotificationKind.ValueType] = {
    "published": NotificationKind.NOTIFICATION_KIND_NEW_ALERT,
    "amended": NotificationKind.NOTIFICATION_KIND_AMENDED,
    "withdrawn": NotificationKind.NOTIFICATION_KIND_WITHDRAWN,
    "expired": NotificationKind.NOTIFICATION_KIND_EXPIRED,
    "closed": NotificationKind.NOTIFICATION_KIND_CLOSED,
    "acknowledged": NotificationKind.NOTIFICATION_KIND_ACKNOWLEDGED,
    "flagged": NotificationKind.NOTIFICATION_KIND_FLAG,
    "question": NotificationKind.NOTIFICATION_KIND_QUESTION,
    "answer": NotificationKind.NOTIFICATION_KIND_ANSWER,
    "finding": NotificationKind.NOTIFICATION_KIND_FINDING,
    "finding_corrected": NotificationKind.NOTIFICATION_KIND_FINDING_CHANGED,
    "finding_withdrawn": NotificationKind.NOTIFICATION_KIND_FINDING_CHANGED,
}
_PRIORITIES = {letter: value for value, letter in wire.PRIORITIES.items()}
_DEADLINES = {
    WarnedDeadline.REPLY: DeadlineKind.DEADLINE_KIND_REPLY,
    WarnedDeadline.QUESTION_IN: DeadlineKind.DEADLINE_KIND_QUESTION_IN,
    WarnedDeadline.QUESTION_OUT: DeadlineKind.DEADLINE_KIND_QUESTION_OUT,
}
_STAGES = {
    Stage.NEAR: NotificationKind.NOTIFICATION_KIND_DEADLINE_NEAR,
    Stage.PASSED: NotificationKind.NOTIFICATION_KIND_DEADLINE_PASSED,
}


def step_message(
    logged: AlertEventRow,
    event: alert_pb2.AlertEvent,
    row: AlertRow,
    content: alert_pb2.AlertContent | None,
    *,
    origin: FeedOrigin,
) -> NotificationMessage | None:
    """A step of a copy; None for a step that this node has made itself, except an expiry.

    Args:
        content: of the current revision; None when it was erased.
        origin: feed of the step, whose publisher made it.
    """
    name = event.WhichOneof("event") or ""
    own_node = row.key.publisher if row.direction == "out" else row.key.recipient
    kind = _KINDS.get(name)
    if kind is None or (origin.publisher == own_node and name != "expired"):
        return None
    message = _about(row, content)
    message.kind = kind
    message.event_id = f"step/{origin.line.partition('/')[2]}/{logged.idx}"
    message.occurred_at.CopyFrom(to_timestamp(logged.committed_at))
    match name:
        case "question":
            message.question_id = event.question.question_id
            message.due_at.CopyFrom(event.question.deadline)
        case "answer":
            message.question_id = event.answer.question_id
        case "expired":
            message.event_id = expiry_id(copy_of(row.key), row.life.valid_until_unix_ms or 0)
            message.due_at.CopyFrom(to_timestamp(row.life.valid_until_unix_ms or 0))
        case "published" | "amended" if content is not None and content.HasField("reply_by"):
            message.due_at.CopyFrom(content.reply_by)
    return message


def warning_message(
    warning: DeadlineWarning, row: AlertRow, content: alert_pb2.AlertContent | None
) -> NotificationMessage:
    """A warning of a deadline, or the expiry by this node's clock."""
    message = _about(row, content)
    message.event_id = warning.event_id
    message.occurred_at.CopyFrom(to_timestamp(warning.warn_at))
    message.due_at.CopyFrom(to_timestamp(warning.due))
    if warning.deadline is WarnedDeadline.VALIDITY:
        message.kind, message.by_clock = NotificationKind.NOTIFICATION_KIND_EXPIRED, True
    else:
        message.kind, message.deadline = _STAGES[warning.stage], _DEADLINES[warning.deadline]
    return message


def matches_message(matches: Sequence[MatchRow]) -> NotificationMessage:
    """New matches of one entry, at least one, in messages of one partner."""
    newest = max(matches, key=lambda match: match.match_id)
    message = NotificationMessage(
        kind=NotificationKind.NOTIFICATION_KIND_MATCH,
        event_id=f"match/{newest.match_id}",
        match_id=newest.match_id,
        partner=newest.source_publisher,
        list=f"{newest.publisher}/{newest.list}",
        entry=newest.entry_id,
        matches=len(matches),
    )
    message.since.CopyFrom(to_timestamp(min(match.found_at for match in matches)))
    message.occurred_at.CopyFrom(to_timestamp(max(match.found_at for match in matches)))
    return message


def verdicts_message(report: ReportRow) -> NotificationMessage:
    """Verdicts that a list's change has changed."""
    message = NotificationMessage(
        kind=NotificationKind.NOTIFICATION_KIND_VERDICTS_CHANGED,
        event_id=f"verdicts/{report.number}/{report.began_at}",
        list=f"{report.publisher}/{report.list}",
        screening_report=report.number,
        verdicts=report.became + report.ceased + report.regraded,
    )
    message.occurred_at.CopyFrom(to_timestamp(report.ended_at))
    return message


def controls_message(change: ControlChange, day_began_ms: int) -> NotificationMessage:
    """A change of export control that touches open records.

    Args:
        day_began_ms: when its day began, in milliseconds since 1970.
    """
    message = NotificationMessage(
        kind=NotificationKind.NOTIFICATION_KIND_CONTROLS_CHANGED,
        event_id=f"controls/{change.day}/{change.announcement}"[:160],
        announcement=change.announcement,
        control_day=change.day,
        control_state=change.state,
        records=len(change.records),
    )
    message.occurred_at.CopyFrom(to_timestamp(day_began_ms))
    return message


def hit_message(hit: HitRow, arrived_at: int) -> NotificationMessage:
    """A hit on an own list that a partner reports; `arrived_at` in milliseconds since 1970."""
    message = _about_hit(hit, arrived_at)
    message.kind, message.partner = NotificationKind.NOTIFICATION_KIND_HIT, hit.reporter
    message.event_id = f"hit/{hit.reporter}/{hit.hit_id}"
    return message


def hit_answered_message(hit: HitRow, arrived_at: int) -> NotificationMessage:
    """An own hit that the entry's owner has answered; `arrived_at` in milliseconds since 1970."""
    message = _about_hit(hit, arrived_at)
    message.kind, message.partner = NotificationKind.NOTIFICATION_KIND_HIT_ANSWERED, hit.publisher
    message.event_id = f"hit-answered/{hit.reporter}/{hit.hit_id}/{hit.outcome_idx}"
    return message


def _about_hit(hit: HitRow, arrived_at: int) -> NotificationMessage:
    message = NotificationMessage(hit_id=hit.hit_id, hit_reporter=hit.reporter, list=f"{hit.publisher}/{hit.list}")
    message.occurred_at.CopyFrom(to_timestamp(arrived_at))
    return message


def proposal_message(proposal: ProposalRow, own_node: str) -> NotificationMessage:
    """A proposal that waits for a second person."""
    message = NotificationMessage(
        kind=NotificationKind.NOTIFICATION_KIND_PROPOSAL,
        event_id=f"proposal/{proposal.proposal_id}",
        proposal_id=proposal.proposal_id,
        list=f"{own_node}/{proposal.list}",
    )
    message.occurred_at.CopyFrom(to_timestamp(proposal.proposed_at))
    return message


def alarm_message(alarm: Alarm) -> NotificationMessage:
    """An alarm that has begun; somebody who acts beyond a role is one too."""
    is_break_glass = alarm.code == BREAK_GLASS
    began = alarm.since if is_break_glass else alarm.since // ALARM_EVERY_MS
    message = NotificationMessage(
        kind=NotificationKind.NOTIFICATION_KIND_BREAK_GLASS
        if is_break_glass
        else NotificationKind.NOTIFICATION_KIND_ALARM,
        event_id=f"alarm/{alarm.code}/{alarm.subject}"[:160] + f"/{began}",
        alarm_code=alarm.code,
        alarm_message=alarm.message,
        by=alarm.subject if is_break_glass else "",
    )
    message.occurred_at.CopyFrom(to_timestamp(alarm.since))
    return message


def assigned_message(action: ActionRow, row: AlertRow, content: alert_pb2.AlertContent | None) -> NotificationMessage:
    """An alert that was given to somebody."""
    message = _about(row, content)
    message.kind = NotificationKind.NOTIFICATION_KIND_ASSIGNED
    message.event_id = f"assigned/{action.publisher}/{action.alert_id}/{action.position}"
    message.by = action.person
    message.occurred_at.CopyFrom(to_timestamp(action.done_at))
    return message


def shown(body: bytes, *, number: int, created_at: int, read_at: int) -> NotificationMessage:
    """A stored notification as callers get it; times in milliseconds since 1970, `read_at` 0 until it is read."""
    message = NotificationMessage.FromString(body)
    message.position = number
    message.created_at.CopyFrom(to_timestamp(created_at))
    if read_at:
        message.read_at.CopyFrom(to_timestamp(read_at))
    return message


def copy_of(key: AlertKey) -> WarnedCopy:
    """The copy of which deadlines are warned of."""
    return WarnedCopy(key.publisher, key.alert_id, key.recipient)


def _about(row: AlertRow, content: alert_pb2.AlertContent | None) -> NotificationMessage:
    return NotificationMessage(
        alert=alert_pb2.AlertReference(publisher=row.key.publisher, alert_id=row.key.alert_id),
        partner=row.key.recipient if row.direction == "out" else row.key.publisher,
        priority=_PRIORITIES.get(row.priority, alert_pb2.PRIORITY_UNSPECIFIED),
        typologies=content.typologies[:MOST_TYPOLOGIES] if content is not None else (),
    )
