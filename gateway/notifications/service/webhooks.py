"""Posts signed requests to the webhooks of the settings, and to no other address: redirects aren't followed."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gateway.notifications.codec.messages import shown
from gateway.notifications.codec.webhook import notification_body, signed_headers, test_body
from gateway.notifications.rules.audience import WEBHOOK, Addressee
from gateway.notifications.service.sending import ATTEMPT_S, AnswerClass, DeliveryAttempt, ReceiverAnswer, cut
from gateway.notifications.tables.notifications import WaitingDelivery

if TYPE_CHECKING:
    import httpx

MOST_REFUSALS: Final = 3
"""Requests refused one after the other, after which the receiver is taken for out of order."""

_TAKEN = range(200, 300)
_REDIRECTS = range(300, 400)
_NOT_NOW = frozenset({408, 425, 429})
_DEFECTS = range(500, 600)
_ANSWERED: Final = "HTTP "


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """A receiver of the settings; `key` signs, `ca` is a PEM file of its CA, None for the system's."""

    name: str
    url: str
    key: bytes
    ca: Path | None = None

    @property
    def host(self) -> str:
        """Host and port, without path or secret."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


class SignedPoster:
    """Posts to one receiver; for one thread."""

    def __init__(self, target: WebhookTarget, *, clock: Callable[[], int]) -> None:
        self._target = target
        self._clock = clock
        self._client: httpx.Client | None = None

    def post(self, message_id: str, body: bytes) -> str:
        """Posts a message; returns why it wasn't taken, empty when it was."""
        return self.answer(message_id, body).problem

    def answer(self, message_id: str, body: bytes) -> ReceiverAnswer:
        """Posts a message. Of the answer only the status is read."""
        import httpx  # noqa: PLC0415  80 ms that only nodes with webhooks pay

        client = self._client = self._client or _client(self._target.ca)
        headers = signed_headers(message_id, body, key=self._target.key, now_s=self._clock() // 1000)
        try:
            with client.stream("POST", self._target.url, content=body, headers=dict(headers)) as response:
                status = response.status_code
        except (httpx.HTTPError, OSError) as error:
            self.close()
            return ReceiverAnswer(_failure(error), problem=cut(error) or type(error).__name__)
        if status in _TAKEN:
            return ReceiverAnswer(AnswerClass.TAKEN, status)
        if status in _REDIRECTS:
            problem = f"{_ANSWERED}{status}, a redirect, which isn't followed"
            return ReceiverAnswer(AnswerClass.REDIRECTED, status, problem)
        kind = AnswerClass.NOT_NOW if status in _NOT_NOW or status in _DEFECTS else AnswerClass.REFUSED
        return ReceiverAnswer(kind, status, f"{_ANSWERED}{status}")

    def close(self) -> None:
        """Closes its connections; the next post opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None


class WebhookWay:
    """The way `webhook/NAME`: one request for each notification."""

    def __init__(self, target: WebhookTarget, *, clock: Callable[[], int]) -> None:
        self._target = target
        self._clock = clock
        self._poster = SignedPoster(target, clock=clock)
        self.name = f"{WEBHOOK}{target.name}"

    @property
    def target(self) -> str:
        return self._target.host

    def send(self, deliveries: Sequence[WaitingDelivery]) -> DeliveryAttempt:
        """In order. One that is refused doesn't stop the others; MOST_REFUSALS one after the other do."""
        taken: list[int] = []
        failed: dict[int, str] = {}
        refusals = 0
        for at, delivery in enumerate(deliveries):
            row = delivery.row
            message = shown(row.body, number=row.number, created_at=row.created_at, read_at=0)
            problem = self._poster.post(message.event_id, notification_body(message))
            if not problem:
                taken.append(row.number)
                refusals = 0
                continue
            failed[row.number] = problem
            refusals += 1
            if refusals == MOST_REFUSALS or not problem.startswith(_ANSWERED):
                failed |= dict.fromkeys((one.row.number for one in deliveries[at:]), problem)
                return DeliveryAttempt(tuple(taken), failed, is_down=True)
        return DeliveryAttempt(tuple(taken), failed)

    def test(self, addressee: Addressee | None, message_id: str) -> ReceiverAnswer:
        """With a connection of its own, since it may run beside `send`."""
        poster = SignedPoster(self._target, clock=self._clock)
        try:
            return poster.answer(message_id, test_body(self._clock()))
        finally:
            poster.close()


def _failure(error: BaseException) -> AnswerClass:
    """Why there was no answer; httpx's errors name their causes, and say nothing of TLS."""
    import httpx  # noqa: PLC0415  see above

    if isinstance(error, httpx.TimeoutException):
        return AnswerClass.TOO_LATE
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return AnswerClass.NO_TLS
        cause = cause.__cause__ or cause.__context__
    return AnswerClass.NO_CONNECTION


def _client(ca: Path | None) -> httpx.Client:
    import httpx  # noqa: PLC0415  see above

    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    options: Mapping[str, Any] = {"trust_env": False, "follow_redirects": False}  # no proxy that nobody has configured
    return httpx.Client(verify=context, timeout=ATTEMPT_S, limits=httpx.Limits(max_connections=1), **options)
