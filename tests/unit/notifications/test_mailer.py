"""Mails through a real SMTP server: one for all that waits for a person, in its language, without personal data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract.messages import to_timestamp
from gateway.notifications.rules.audience import Addressee
from gateway.notifications.service.mailer import Mailer, MailSecurity, MailServer
from gateway.notifications.service.sending import AnswerClass, ReceiverAnswer
from gateway.notifications.tables.notifications import NotificationRow, WaitingDelivery
from gateway.trust.rules.permissions import Role
from gateway.v1 import alert_pb2
from gateway.v1.notification_service_pb2 import Notification, NotificationKind
from tests.support.federation import free_port
from tests.support.receivers import MailReceiver, mail_receiver

NOW = 1_768_435_200_000


@pytest.fixture
def server() -> Iterator[MailReceiver]:
    with mail_receiver() as running:
        yield running


def person(name: str, *, email: str = "", language: str = "") -> Addressee:
    return Addressee(f"person/hk/{name}", frozenset({Role.OFFICER}), email=email, language=language)


def mailer(port: int, *people: Addressee, summary: bool = False, console_url: str = "https://console.hk") -> Mailer:
    server = MailServer(
        host="127.0.0.1",
        port=port,
        security=MailSecurity.UNSAFE_PLAIN,
        sender="gateway@customs.hk.example",
        node="hk",
        console_url=console_url,
        summary=summary,
    )
    return Mailer(server, people=lambda: {one.id: one for one in people}, clock=lambda: NOW)


def waiting(number: int, name: str, **overrides: object) -> WaitingDelivery:
    message = Notification(
        kind=NotificationKind.NOTIFICATION_KIND_NEW_ALERT,
        event_id=f"step/{number}",
        partner="cn",
        priority=alert_pb2.PRIORITY_A,
        alert=alert_pb2.AlertReference(publisher="cn", alert_id=f"0191-{number}"),
        typologies=["concealment"],
        due_at=to_timestamp(NOW),
    )
    message.MergeFrom(Notification(**overrides))
    row = NotificationRow(number, f"person/hk/{name}", message.event_id, message.kind, NOW, message.SerializeToString())
    return WaitingDelivery(row, 0, NOW)


def test_all_that_waits_for_a_person_is_one_mail(server: MailReceiver) -> None:
    way = mailer(server.port, person("wong", email="wong@hk.example"), person("chan", email="chan@hk.example"))
    attempt = way.send([waiting(1, "wong"), waiting(2, "chan"), waiting(3, "wong")])
    assert (sorted(attempt.taken), attempt.failed, attempt.refused) == ([1, 2, 3], {}, {})
    to_wong, to_chan = sorted(server.mails, key=lambda mail: mail["To"], reverse=True)
    assert (to_wong["To"], to_wong["From"]) == ("wong@hk.example", "gateway@customs.hk.example")
    assert to_wong["Subject"] == "[hk] 2 notifications"
    assert to_chan["Subject"] == "[hk] New alert from CN · priority A · cn/0191-2"
    text = to_wong.get_content()
    assert "https://console.hk/alerts/cn/0191-1" in text
    assert "https://console.hk/notifications" in text
    assert "concealment" not in text, "by default a mail has references alone"
    assert to_wong["Auto-Submitted"] == "auto-generated"


def test_a_mail_is_in_the_readers_language_and_says_more_where_settings_allow(server: MailReceiver) -> None:
    way = mailer(server.port, person("li", email="li@cn.example", language="zh-Hans"), summary=True, console_url="")
    assert way.send([waiting(1, "li")]).taken == (1,)
    (text,) = server.texts()
    assert "concealment" in text
    assert "2026-01-15 00:00" in text
    assert "https://" not in text


def test_who_has_no_address_or_is_unknown_there_is_refused_for_good(server: MailReceiver) -> None:
    server.refuse = "gone@hk.example"
    way = mailer(
        server.port, person("gone", email=server.refuse), person("silent"), person("wong", email="w@hk.example")
    )
    attempt = way.send([waiting(1, "gone"), waiting(2, "silent"), waiting(3, "wong"), waiting(4, "stranger")])
    assert attempt.taken == (3,)
    assert set(attempt.refused) == {1, 2, 4}
    assert "550" in attempt.refused[1]
    assert not attempt.is_down


def test_a_server_that_is_down_lets_everything_wait() -> None:
    attempt = mailer(free_port(), person("wong", email="w@hk.example")).send([waiting(1, "wong"), waiting(2, "wong")])
    assert attempt.is_down
    assert set(attempt.failed) == {1, 2}


def test_what_a_text_holds_cannot_make_headers(server: MailReceiver) -> None:
    way = mailer(server.port, person("op", email="op@hk.example"))
    alarm = waiting(
        1,
        "op",
        kind=NotificationKind.NOTIFICATION_KIND_ALARM,
        alarm_code="FEED_DEFECT",
        alarm_message="feed x\r\nBcc: everybody@example.org\r\n\r\nbody",
    )
    assert way.send([alarm]).taken == (1,)
    (mail,) = server.mails
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]


def test_a_same_mail_has_the_same_message_id(server: MailReceiver, tmp_path: Path) -> None:
    way = mailer(server.port, person("wong", email="wong@hk.example"))
    way.send([waiting(1, "wong")])
    way.send([waiting(1, "wong")])
    way.send([waiting(2, "wong")])
    first, again, other = (mail["Message-ID"] for mail in server.mails)
    assert first == again != other


def test_a_test_mail_says_so_in_the_readers_language_and_goes_at_once(server: MailReceiver) -> None:
    to = person("wong", email="wong@hk.example")
    answer = mailer(server.port).test(to, "test-1")
    assert answer == ReceiverAnswer(AnswerClass.TAKEN)
    (mail,) = server.mails
    assert (mail["To"], mail["Subject"], mail["Message-ID"]) == (
        "wong@hk.example",
        "[hk] Test message",
        "<test-1@customs.hk.example>",
    )
    assert "Nothing has happened" in mail.get_content()


def test_what_a_mail_server_answers_to_a_test_is_classed(server: MailReceiver) -> None:
    server.refuse = "gone@hk.example"
    refused = mailer(server.port).test(person("gone", email=server.refuse), "test-1")
    assert (refused.kind, refused.status) == (AnswerClass.REFUSED, 550)
    down = mailer(free_port()).test(person("wong", email="w@hk.example"), "test-1")
    assert (down.kind, down.status) == (AnswerClass.NO_CONNECTION, 0)
