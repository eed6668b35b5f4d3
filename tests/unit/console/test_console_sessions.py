"""What the console keeps of a session between two questions to the gateway, and its cookies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.session import REUSED_S, Cookies, Sessions
from gateway.errors import GatewayError, SessionEndedError, UnavailableError
from gateway.persons.rules.policy import ASSERTION_S
from gateway.v1.person_pb2 import SignedIn

TOKEN = "t" * 43


@dataclass
class Gateway:
    """Stands for the client: renews sessions by a clock of its own, and notes what it was asked."""

    now_s: float = 1_000.0
    refusal: GatewayError | None = None
    asked: list[bool] = field(default_factory=list)
    """Of each question: whether it came from the background."""

    @property
    def persons(self) -> Gateway:
        return self

    def acting_for(self, _assertion: str) -> Gateway:
        return self

    async def renew(self, token: str, *, background: bool) -> SignedIn:
        self.asked.append(background)
        if self.refusal is not None:
            raise self.refusal
        signed_in = SignedIn(person="chan", session_token=token)
        signed_in.assertion_expires_at.seconds = int(self.now_s) + ASSERTION_S
        return signed_in


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def sessions(gateway: Gateway) -> Sessions:
    return Sessions(cast(GatewayClient, gateway), clock=lambda: gateway.now_s)


def ask(sessions: Sessions, *, background: bool = False) -> str:
    session = asyncio.run(sessions.session_of(TOKEN, background=background))
    return session.person if session is not None else ""


def test_the_gateway_is_asked_again_after_some_seconds(gateway: Gateway, sessions: Sessions) -> None:
    assert [ask(sessions), ask(sessions)] == ["chan", "chan"]
    gateway.now_s += REUSED_S - 1
    ask(sessions)
    assert gateway.asked == [False]
    gateway.now_s += 1
    ask(sessions)
    assert gateway.asked == [False, False]


def test_a_person_on_a_page_that_refreshes_itself_is_told_as_at_work(gateway: Gateway, sessions: Sessions) -> None:
    ask(sessions, background=True)
    ask(sessions)
    for _ in range(6):
        gateway.now_s += REUSED_S / 2
        ask(sessions, background=True)
    assert gateway.asked[:2] == [True, False]
    ask(sessions)
    assert gateway.asked[-1] is False


def test_a_gateway_that_is_away_ends_no_session(gateway: Gateway, sessions: Sessions) -> None:
    ask(sessions)
    gateway.now_s += REUSED_S
    gateway.refusal = UnavailableError("away")
    with pytest.raises(UnavailableError):
        ask(sessions)
    assert sessions.is_known(TOKEN)
    gateway.refusal = SessionEndedError("ended")
    assert ask(sessions) == ""
    assert not sessions.is_known(TOKEN)


@pytest.mark.parametrize("token", ["", "short", "t" * 65, "t" * 40 + "\n", "t" * 40 + "é"])
def test_the_gateway_isnt_asked_for_what_cant_be_a_token(gateway: Gateway, sessions: Sessions, token: str) -> None:
    assert asyncio.run(sessions.session_of(token)) is None
    assert gateway.asked == []


def test_cookies_are_for_this_host_over_https_and_not_for_scripts() -> None:
    response, cookies = Response(), Cookies("cn")
    cookies.set_session(response, TOKEN)
    cookies.begin_visit(response, "secret")
    for name, value in response.raw_headers:
        if name == b"set-cookie":
            cookie, *attributes = value.decode().split("; ")
            assert cookie.startswith("__Host-")
            assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(attributes)
