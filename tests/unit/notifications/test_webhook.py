"""Signatures of webhooks against the specification's own example, and secrets that aren't any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import CredentialsError
from gateway.notifications.codec.webhook import secret_of, signed_headers
from gateway.notifications.rules.retry import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, next_attempt
from gateway.notifications.service import webhooks
from gateway.notifications.service.sending import AnswerClass
from gateway.notifications.service.webhooks import WebhookTarget, WebhookWay
from tests.support.federation import free_port
from tests.support.receivers import SECRET, WebReceiver, web_receiver

NOW = 1_768_435_200_000


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as running:
        yield running


def way(url: str, ca: Path | None = None) -> WebhookWay:
    return WebhookWay(WebhookTarget("case-system", url, secret_of(f"whsec_{SECRET}", "secret"), ca), clock=lambda: NOW)


def test_the_signature_is_that_of_the_specifications_example() -> None:
    """https://github.com/standard-webhooks/standard-webhooks: tests of its libraries."""
    key = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "secret")
    headers = signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', key=key, now_s=1_614_265_330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_????", "whsec_c2hvcnQ=", "whsec_" + "A" * 200])
def test_what_is_no_secret_is_named(text: str) -> None:
    with pytest.raises(CredentialsError, match=r"hook\.secret isn't a webhook's secret"):
        secret_of(text, "hook.secret")


def test_pauses_double_up_to_ten_minutes_and_end() -> None:
    day = 24 * 3_600_000
    pauses = [next_attempt(n, now_ms=0, created_at=0, give_up_ms=day) for n in range(1, 12)]
    assert pauses[:3] == [FIRST_PAUSE_MS, 2 * FIRST_PAUSE_MS, 4 * FIRST_PAUSE_MS]
    assert pauses[-1] == next_attempt(1_000, now_ms=0, created_at=0, give_up_ms=day) == LONGEST_PAUSE_MS
    assert next_attempt(5, now_ms=day, created_at=0, give_up_ms=day) == 0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (204, AnswerClass.TAKEN),
        (302, AnswerClass.REDIRECTED),
        (401, AnswerClass.REFUSED),
        (429, AnswerClass.NOT_NOW),
        (503, AnswerClass.NOT_NOW),
    ],
)
def test_a_test_message_is_signed_marked_and_its_answer_classed(
    receiver: WebReceiver, status: int, kind: AnswerClass
) -> None:
    receiver.status = status
    answer = way(receiver.url).test(None, "test-1")
    assert (answer.kind, answer.status) == (kind, status)
    (posted,) = receiver.posted
    assert posted.is_signed
    assert (posted.id, posted.document["type"]) == ("test-1", "notification.test")
    assert posted.document["data"]["test"] is True


def test_a_receiver_that_cannot_be_reached_is_told_from_one_that_is_slow_or_has_no_tls(
    receiver: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert way(f"http://127.0.0.1:{free_port()}/").test(None, "test-1").kind is AnswerClass.NO_CONNECTION
    assert way(receiver.url.replace("http:", "https:")).test(None, "test-1").kind is AnswerClass.NO_TLS
    monkeypatch.setattr(webhooks, "ATTEMPT_S", 0.2)
    receiver.hang_s = 1.0
    assert way(receiver.url).test(None, "test-1").kind is AnswerClass.TOO_LATE
