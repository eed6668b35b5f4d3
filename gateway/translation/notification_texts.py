"""Says in a sentence what a notification tells, in the current language: for mails, commands and pages."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.translation.alarm_texts import alarm_title
from gateway.translation.condition_texts import condition_text
from gateway.translation.labels import list_text
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Priority
from gateway.v1.notification_service_pb2 import (
    DeadlineKind,
    DeliveryAnswer,
    Notification,
    NotificationKind,
    TestNotificationDeliveryResponse,
)

_SENTENCES: Mapping[int, str] = {
    NotificationKind.NOTIFICATION_KIND_NEW_ALERT: N_("New alert from {partner}"),
    NotificationKind.NOTIFICATION_KIND_QUESTION: N_("{partner} asks a question"),
    NotificationKind.NOTIFICATION_KIND_ANSWER: N_("{partner} has answered a question"),
    NotificationKind.NOTIFICATION_KIND_FINDING: N_("{partner} reports a finding"),
    NotificationKind.NOTIFICATION_KIND_FINDING_CHANGED: N_("{partner} has corrected or withdrawn a finding"),
    NotificationKind.NOTIFICATION_KIND_FLAG: N_("{partner} can't act on an alert"),
    NotificationKind.NOTIFICATION_KIND_ACKNOWLEDGED: N_("{partner} has acknowledged an alert"),
    NotificationKind.NOTIFICATION_KIND_AMENDED: N_("{partner} has amended an alert"),
    NotificationKind.NOTIFICATION_KIND_WITHDRAWN: N_("{partner} has withdrawn an alert"),
    NotificationKind.NOTIFICATION_KIND_CLOSED: N_("{partner} has closed an alert"),
    NotificationKind.NOTIFICATION_KIND_EXPIRED: N_("An alert between you and {partner} has expired"),
    NotificationKind.NOTIFICATION_KIND_MATCH: N_("A watchlist matches: {list}"),
    NotificationKind.NOTIFICATION_KIND_HIT: N_("{partner} reports a hit on {list}"),
    NotificationKind.NOTIFICATION_KIND_HIT_ANSWERED: N_("{partner} has answered a hit on {list}"),
    NotificationKind.NOTIFICATION_KIND_VERDICTS_CHANGED: N_("A change of {list} has changed verdicts: {verdicts}"),
    NotificationKind.NOTIFICATION_KIND_CONTROLS_CHANGED: N_(
        "Since {day}, {announcement}: {state}; open records: {records}"
    ),
    NotificationKind.NOTIFICATION_KIND_PROPOSAL: N_("A proposal for {list} waits for a decision"),
    NotificationKind.NOTIFICATION_KIND_ALARM: N_("Alarm: {title} ({code}): {message}"),
    NotificationKind.NOTIFICATION_KIND_BREAK_GLASS: N_("{by} acts beyond a role: {message}"),
    NotificationKind.NOTIFICATION_KIND_ASSIGNED: N_("{by} has assigned an alert of {publisher} to you"),
}
_NEAR: Mapping[int, str] = {
    DeadlineKind.DEADLINE_KIND_QUESTION_IN: N_("An answer to {partner} is due soon"),
    DeadlineKind.DEADLINE_KIND_QUESTION_OUT: N_("An answer of {partner} is due soon"),
}
_PASSED: Mapping[int, str] = {
    DeadlineKind.DEADLINE_KIND_QUESTION_IN: N_("An answer to {partner} is overdue"),
    DeadlineKind.DEADLINE_KIND_QUESTION_OUT: N_("An answer of {partner} is overdue"),
}
_REPLY_NEAR = {True: N_("A reply of {partner} is due soon"), False: N_("A reply to {partner} is due soon")}
_REPLY_PASSED = {True: N_("A reply of {partner} is overdue"), False: N_("A reply to {partner} is overdue")}

KIND_NAMES: Mapping[int, str] = {
    NotificationKind.NOTIFICATION_KIND_NEW_ALERT: N_("new alert"),
    NotificationKind.NOTIFICATION_KIND_QUESTION: N_("question"),
    NotificationKind.NOTIFICATION_KIND_ANSWER: N_("answer"),
    NotificationKind.NOTIFICATION_KIND_FINDING: N_("finding"),
    NotificationKind.NOTIFICATION_KIND_FINDING_CHANGED: N_("finding changed"),
    NotificationKind.NOTIFICATION_KIND_FLAG: N_("partner can't act"),
    NotificationKind.NOTIFICATION_KIND_ACKNOWLEDGED: N_("acknowledged by the partner"),
    NotificationKind.NOTIFICATION_KIND_AMENDED: N_("amended"),
    NotificationKind.NOTIFICATION_KIND_WITHDRAWN: N_("withdrawn"),
    NotificationKind.NOTIFICATION_KIND_CLOSED: N_("closed"),
    NotificationKind.NOTIFICATION_KIND_EXPIRED: N_("expired"),
    NotificationKind.NOTIFICATION_KIND_DEADLINE_NEAR: N_("deadline near"),
    NotificationKind.NOTIFICATION_KIND_DEADLINE_PASSED: N_("deadline passed"),
    NotificationKind.NOTIFICATION_KIND_MATCH: N_("watchlist match"),
    NotificationKind.NOTIFICATION_KIND_HIT: N_("hit to answer"),
    NotificationKind.NOTIFICATION_KIND_HIT_ANSWERED: N_("hit answered"),
    NotificationKind.NOTIFICATION_KIND_VERDICTS_CHANGED: N_("changed verdicts"),
    NotificationKind.NOTIFICATION_KIND_CONTROLS_CHANGED: N_("export control changed"),
    NotificationKind.NOTIFICATION_KIND_PROPOSAL: N_("proposal to decide"),
    NotificationKind.NOTIFICATION_KIND_ALARM: N_("alarm"),
    NotificationKind.NOTIFICATION_KIND_BREAK_GLASS: N_("acting beyond a role"),
    NotificationKind.NOTIFICATION_KIND_ASSIGNED: N_("assigned to you"),
}
"""Short names of kinds, to be translated when they are shown."""

_ANSWERS: Mapping[int, str] = {
    DeliveryAnswer.DELIVERY_ANSWER_TAKEN: N_("Delivered: {target} took the test message"),
    DeliveryAnswer.DELIVERY_ANSWER_REFUSED: N_("Not delivered: {target} refused the test message"),
    DeliveryAnswer.DELIVERY_ANSWER_NOT_NOW: N_("Not delivered: {target} can't take messages now"),
    DeliveryAnswer.DELIVERY_ANSWER_REDIRECTED: N_("Not delivered: {target} sends elsewhere, which isn't followed"),
    DeliveryAnswer.DELIVERY_ANSWER_NO_CONNECTION: N_("Not delivered: no connection to {target}"),
    DeliveryAnswer.DELIVERY_ANSWER_NO_TLS: N_(
        "Not delivered: {target} has another certificate than the settings' CA vouches for, or offers no TLS"
    ),
    DeliveryAnswer.DELIVERY_ANSWER_TOO_LATE: N_("Not delivered: {target} didn't answer in time"),
}


def sentence_of(notification: Notification) -> str:
    """What has happened, in one sentence without a full stop; names of nodes in capital letters."""
    if notification.matches:
        return _matches_text(notification)
    by = notification.by.rpartition("/")[2] or notification.by
    return _(
        _template(notification),
        partner=notification.partner.upper(),
        publisher=notification.alert.publisher.upper(),
        list=list_text(notification.list),
        verdicts=notification.verdicts,
        day=notification.control_day,
        announcement=notification.announcement,
        state=notification.control_state,
        records=notification.records,
        title=alarm_title(notification.alarm_code),
        code=notification.alarm_code,
        message=condition_text(notification.alarm_message),
        by=by,
    )


def answer_text(response: TestNotificationDeliveryResponse) -> str:
    """What became of a test message, in one sentence without a full stop."""
    text = _(_ANSWERS[response.answer], target=response.target)
    if not response.status:
        return text
    if response.way == "email":
        return _("{text} (SMTP {status})", text=text, status=response.status)
    return _("{text} (HTTP {status})", text=text, status=response.status)


def _matches_text(notification: Notification) -> str:
    about = {"list": list_text(notification.list), "entry": notification.entry}
    if not notification.entry:  # a partner may have written it
        return ngettext("{number} new match on {list}", "{number} new matches on {list}", notification.matches, **about)
    return ngettext(
        "{number} new match of entry {entry} on {list}",
        "{number} new matches of entry {entry} on {list}",
        notification.matches,
        **about,
    )


def priority_letter(notification: Notification) -> str:
    """A, B or C; empty where it is about no alert."""
    if not notification.priority:
        return ""
    return Priority.Name(notification.priority).removeprefix("PRIORITY_")


def _template(notification: Notification) -> str:
    is_near = notification.kind == NotificationKind.NOTIFICATION_KIND_DEADLINE_NEAR
    if is_near or notification.kind == NotificationKind.NOTIFICATION_KIND_DEADLINE_PASSED:
        if notification.deadline == DeadlineKind.DEADLINE_KIND_REPLY:
            theirs = notification.partner != notification.alert.publisher
            return (_REPLY_NEAR if is_near else _REPLY_PASSED)[theirs]
        return (_NEAR if is_near else _PASSED)[notification.deadline]
    return _SENTENCES[notification.kind]
