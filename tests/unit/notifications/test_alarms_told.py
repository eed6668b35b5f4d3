"""Alarms are told to who may read them, as far as each may; break-glass to everybody else of its readers."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.feed.service.alarms import Alarm, Restriction
from gateway.notifications.codec.messages import alarm_message
from gateway.notifications.commands.keeping import Audience, notifications_for
from gateway.notifications.rules.audience import Addressee, Happening, RuleBook
from gateway.notifications.rules.gathered import PendingNotification
from gateway.translation.alarm_texts import ALARM_TEXTS
from gateway.trust.rules.permissions import Role
from gateway.v1.notification_service_pb2 import (
    Notification,
    NotificationAudience,
    NotificationKind,
    NotificationRule,
)

ALARM = NotificationKind.NOTIFICATION_KIND_ALARM


def person(name: str, *roles: Role) -> Addressee:
    return Addressee(f"person/cn/{name}", frozenset(roles))


def told(alarm: Alarm, *people: Addressee, book: RuleBook | None = None) -> dict[str, Notification]:
    message = alarm_message(alarm)
    restricted = None if alarm.restriction is None else (alarm.restriction.roles, alarm.restriction.message)
    happening = Happening(message, restricted=restricted, not_to=message.by)
    found: list[PendingNotification] = list(notifications_for(happening, Audience(people, book or RuleBook())))
    return {one.recipient: Notification.FromString(one.message) for one in found}


def test_operators_are_told_by_default_and_officers_never() -> None:
    everybody = NotificationRule(kinds=[ALARM], audience=NotificationAudience(role="officer"))
    alarm = Alarm("DISK", "data", "the disk is full", 1_000)
    found = told(alarm, person("op", Role.OPERATOR), person("officer", Role.OFFICER), book=RuleBook(shared=[everybody]))
    assert list(found) == ["person/cn/op"]
    assert found["person/cn/op"].alarm_message == "the disk is full"


def test_a_restricted_message_is_told_as_far_as_each_may_read_it() -> None:
    restriction = Restriction(frozenset({Role.SUPERVISOR}), "entries of a list end soon")
    alarm = Alarm("LIST_EXPIRES", "secret", "entries of list secret end soon", 1_000, restriction)
    rule = NotificationRule(kinds=[ALARM], audience=NotificationAudience(role="supervisor"))
    webhook = NotificationRule(kinds=[ALARM], audience=NotificationAudience(webhook="ops"))
    book = RuleBook(shared=[rule, webhook], webhooks=["ops"])
    found = told(alarm, person("op", Role.OPERATOR), person("chief", Role.SUPERVISOR), book=book)
    assert found["person/cn/op"].alarm_message == "entries of a list end soon"
    assert found["person/cn/chief"].alarm_message == "entries of list secret end soon"
    assert found["webhook/ops"].alarm_message == "entries of a list end soon"


def test_break_glass_is_told_to_the_other_supervisors_each_time() -> None:
    people = [person("li.hua", Role.SUPERVISOR), person("costa", Role.SUPERVISOR), person("op", Role.OPERATOR)]
    first = told(Alarm("BREAK_GLASS", "li.hua", "li.hua has taken officer", 1_000), *people)
    second = told(Alarm("BREAK_GLASS", "li.hua", "li.hua has taken officer", 2_000), *people)
    assert list(first) == list(second) == ["person/cn/costa"]
    (one,), (other,) = first.values(), second.values()
    assert one.kind == NotificationKind.NOTIFICATION_KIND_BREAK_GLASS
    assert one.by == "li.hua"
    assert one.event_id != other.event_id


def test_an_alarm_that_comes_and_goes_is_one_event_in_an_hour() -> None:
    ids = {alarm_message(Alarm("DISK", "data", "full", since)).event_id for since in (3_600_000, 3_700_000, 7_199_999)}
    assert len(ids) == 1


def test_the_console_says_what_to_do_about_every_alarm() -> None:
    known = re.findall(r"^### ([A-Z_]+)$", Path("docs/runbook/alarms.md").read_text("utf-8"), flags=re.MULTILINE)
    assert set(known) <= ALARM_TEXTS.keys()
