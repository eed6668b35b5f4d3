"""Writes e-mails about notifications, in the reader's language; without personal data.

What partners have written never goes into a mail. By default one has priority, alert id, partner and a link; with
`summary` also typologies and when something is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Final

from gateway.contract.messages import clipped_moment, to_ms
from gateway.translation.messages import SOURCE, in_language, ngettext
from gateway.translation.messages import gettext as _
from gateway.translation.notification_texts import priority_letter, sentence_of
from gateway.v1.notification_service_pb2 import Notification as NotificationMessage

MOST_LINES: Final = 50
"""Notifications that a mail names; it counts the others."""


def mail_of(
    notifications: Sequence[NotificationMessage],
    *,
    sender: str,
    to: str,
    language: str,
    node: str,
    console_url: str,
    summary: bool,
    now_ms: int,
) -> EmailMessage:
    """One mail about notifications of one person, oldest first.

    Its Message-ID is made of their ids: a mail that was sent again is recognised.
    """
    digest = sha256("\n".join([to, *(one.event_id for one in notifications)]).encode()).hexdigest()[:40]
    mail = _addressed(sender, to, digest, now_ms)
    with in_language(language or SOURCE):
        mail["Subject"] = _subject(notifications, node)
        mail.set_content(_text(notifications, console_url, summary=summary))
    return mail


def test_mail(*, sender: str, to: str, language: str, node: str, message_id: str, now_ms: int) -> EmailMessage:
    """A mail that says that it is a test; nothing in it is about an alert."""
    mail = _addressed(sender, to, message_id, now_ms)
    with in_language(language or SOURCE):
        mail["Subject"] = f"[{node}] " + _("Test message")
        mail.set_content(_("This is a test of e-mails from the gateway of {node}. Nothing has happened.", node=node))
    return mail


def _addressed(sender: str, to: str, message_id: str, now_ms: int) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"] = Address(addr_spec=sender), Address(addr_spec=to)
    mail["Date"] = format_datetime(clipped_moment(now_ms).astimezone(UTC))
    mail["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers from absent readers
    return mail


def _subject(notifications: Sequence[NotificationMessage], node: str) -> str:
    if len(notifications) == 1:
        return f"[{node}] {_line(notifications[0], summary=False)}"
    count = len(notifications)
    return f"[{node}] " + ngettext("{number} notification", "{number} notifications", count)


def _text(notifications: Sequence[NotificationMessage], console_url: str, *, summary: bool) -> str:
    lines: list[str] = []
    for one in notifications[:MOST_LINES]:
        lines.append(_line(one, summary=summary))
        link = _link(one, console_url)
        if link:
            lines.append(f"  {link}")
    more = len(notifications) - MOST_LINES
    if more > 0:
        lines.append(ngettext("and {number} more", "and {number} more", more))
    if console_url:
        lines += ["", _("All notifications: {url}", url=f"{console_url}/notifications")]
    return "\n".join(lines) + "\n"


def _line(one: NotificationMessage, *, summary: bool) -> str:
    parts = [sentence_of(_without_texts(one))]
    letter = priority_letter(one)
    if letter:
        parts.append(_("priority {letter}", letter=letter))
    if one.alert.alert_id:
        parts.append(f"{one.alert.publisher}/{one.alert.alert_id}")
    if summary and one.typologies:
        parts.append(", ".join(one.typologies))
    if summary and one.HasField("due_at"):
        parts.append(_("due {time} UTC", time=f"{clipped_moment(to_ms(one.due_at)):%Y-%m-%d %H:%M}"))
    return " · ".join(" ".join(part.split()) for part in parts)


def _without_texts(one: NotificationMessage) -> NotificationMessage:
    """Without an entry's id, which a partner has written."""
    if not one.entry:
        return one
    plain = NotificationMessage()
    plain.CopyFrom(one)
    plain.ClearField("entry")
    return plain


def _link(one: NotificationMessage, console_url: str) -> str:
    if console_url and one.alert.alert_id:
        return f"{console_url}/alerts/{one.alert.publisher}/{one.alert.alert_id}"
    if console_url and one.matches:
        return f"{console_url}/watchlists/matches/alike/entry/{one.match_id}"
    return ""
