"""Sends notifications as e-mails by SMTP: one mail for everything that waits for a person."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path

from gateway.notifications.codec.mail import mail_of, test_mail
from gateway.notifications.codec.messages import shown
from gateway.notifications.rules.audience import EMAIL, Addressee
from gateway.notifications.service.sending import ATTEMPT_S, AnswerClass, DeliveryAttempt, ReceiverAnswer, cut
from gateway.notifications.tables.notifications import WaitingDelivery

_REFUSED_FOR_GOOD = range(500, 600)
"""SMTP's permanent negative replies (RFC 5321, section 4.2.1)."""


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    UNSAFE_PLAIN = "unsafe_plain"
    """Without encryption: mails name alerts and partners. For a server on the same machine alone."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails go, and what is in them.

    Attributes:
        ca: PEM file of the server's CA; None for the system's.
        user, password: both empty where none is needed.
        summary: whether typologies and deadlines are in the mail too.
    """

    host: str
    port: int
    security: MailSecurity
    sender: str
    node: str
    ca: Path | None = None
    user: str = ""
    password: str = ""
    console_url: str = ""
    summary: bool = False


class Mailer:
    """The way `email`. `people` gives addresses and languages now, by recipient."""

    name = EMAIL

    def __init__(
        self, server: MailServer, *, people: Callable[[], Mapping[str, Addressee]], clock: Callable[[], int]
    ) -> None:
        self._server = server
        self._people = people
        self._clock = clock

    @property
    def target(self) -> str:
        return f"{self._server.host}:{self._server.port}"

    def send(self, deliveries: Sequence[WaitingDelivery]) -> DeliveryAttempt:
        """One mail for each person among them."""
        people = self._people()
        waiting: dict[str, list[WaitingDelivery]] = {}
        for delivery in deliveries:
            waiting.setdefault(delivery.row.recipient, []).append(delivery)
        refused = {
            number: "no address is known"
            for recipient, own in waiting.items()
            if recipient not in people or not people[recipient].email
            for number in _numbers(own)
        }
        mails = [
            (_numbers(own), self._mail(own, people[recipient]))
            for recipient, own in waiting.items()
            if recipient in people and people[recipient].email
        ]
        if not mails:
            return DeliveryAttempt(refused=refused)
        try:
            attempt = self._send_all(mails)
        except (OSError, smtplib.SMTPException, ValueError) as error:  # ValueError: smtplib's own checks of texts
            failed = dict.fromkeys((number for numbers, _ in mails for number in numbers), cut(error))
            return DeliveryAttempt(failed=failed, refused=refused, is_down=True)
        return DeliveryAttempt(attempt.taken, attempt.failed, attempt.refused | refused, attempt.is_down)

    def test(self, addressee: Addressee | None, message_id: str) -> ReceiverAnswer:
        """To an addressee with an address; in a session of its own."""
        server = self._server
        if addressee is None or not addressee.email:
            return ReceiverAnswer(AnswerClass.REFUSED, problem="no address is known")
        mail = test_mail(
            sender=server.sender,
            to=addressee.email,
            language=addressee.language,
            node=server.node,
            message_id=message_id,
            now_ms=self._clock(),
        )
        try:
            with self._session() as session:
                session.send_message(mail)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return _failure(error)
        return ReceiverAnswer(AnswerClass.TAKEN)

    def _send_all(self, mails: Iterable[tuple[tuple[int, ...], EmailMessage]]) -> DeliveryAttempt:
        """In one session; raises OSError or SMTPException when there is none."""
        taken: list[int] = []
        failed: dict[int, str] = {}
        refused: dict[int, str] = {}
        with self._session() as session:
            for numbers, mail in mails:
                try:
                    session.send_message(mail)
                except smtplib.SMTPServerDisconnected as error:
                    failed |= dict.fromkeys(numbers, cut(error))
                except (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException) as error:
                    reason = dict.fromkeys(numbers, cut(error))
                    if _code(error) in _REFUSED_FOR_GOOD:
                        refused |= reason
                    else:
                        failed |= reason
                else:
                    taken += numbers
        return DeliveryAttempt(tuple(taken), failed, refused)

    def _session(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context(cafile=None if server.ca is None else str(server.ca))
        session: smtplib.SMTP
        if server.security is MailSecurity.TLS:
            session = smtplib.SMTP_SSL(server.host, server.port, timeout=ATTEMPT_S, context=context)
        else:
            session = smtplib.SMTP(server.host, server.port, timeout=ATTEMPT_S)
        try:
            if server.security is MailSecurity.STARTTLS:
                session.starttls(context=context)
            if server.user:
                session.login(server.user, server.password)
        except BaseException:
            session.close()
            raise
        return session

    def _mail(self, own: Sequence[WaitingDelivery], person: Addressee) -> EmailMessage:
        rows = sorted((delivery.row for delivery in own), key=lambda row: row.number)
        return mail_of(
            [shown(row.body, number=row.number, created_at=row.created_at, read_at=row.read_at) for row in rows],
            sender=self._server.sender,
            to=person.email,
            language=person.language,
            node=self._server.node,
            console_url=self._server.console_url,
            summary=self._server.summary,
            now_ms=self._clock(),
        )


def _numbers(own: Sequence[WaitingDelivery]) -> tuple[int, ...]:
    return tuple(delivery.row.number for delivery in own)


def _failure(error: Exception) -> ReceiverAnswer:
    """What a failed session comes to."""
    if isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException):
        code = _code(error)
        kind = AnswerClass.REFUSED if code in _REFUSED_FOR_GOOD else AnswerClass.NOT_NOW
        return ReceiverAnswer(kind, max(code, 0), cut(error))
    if isinstance(error, ssl.SSLError | smtplib.SMTPNotSupportedError):
        return ReceiverAnswer(AnswerClass.NO_TLS, problem=cut(error))
    kind = AnswerClass.TOO_LATE if isinstance(error, TimeoutError) else AnswerClass.NO_CONNECTION
    return ReceiverAnswer(kind, problem=cut(error))


def _code(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> int:
    """The server's reply."""
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code
    return min((code for code, _ in error.recipients.values()), default=0)
