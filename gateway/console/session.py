"""The person of a request: reads the session's cookie, and gets the node's assertion for it.

The console keeps nothing but a cache: the session is the node's, its token is in the browser's cookie.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.errors import GatewayError, Kind
from gateway.v1.person_pb2 import SignedIn

RENEW_BEFORE_S: Final = 45.0
"""Seconds before an assertion's end from which a request renews it: longer than a call takes."""

REUSED_S: Final = 20.0
"""Seconds for which a session isn't asked for again; the node looks at each call whether it still lasts."""

MAX_CACHED: Final = 4_096
"""Sessions whose assertions are kept; the least recently used is dropped."""

MIN_TOKEN_CHARS: Final = 16
MAX_TOKEN_CHARS: Final = 64
"""Bounds of tokens that the node is asked about; its own have 43 characters."""

VISIT_BYTES: Final = 24

MOST_DEVICES: Final = 8
"""Sessions that a browser shows at a sign-in: of so many persons that share it, or of one."""

DEVICE_S: Final = 30 * 24 * 3600
"""Seconds for which a browser keeps them, as the node does."""

_KNOWN_DEVICE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Session:
    """A person who is signed in."""

    signed_in: SignedIn = field(repr=False)
    client: GatewayClient = field(repr=False)
    """Acts for the person."""

    @property
    def token(self) -> str:
        return self.signed_in.session_token

    @property
    def person(self) -> str:
        return self.signed_in.person

    @property
    def display_name(self) -> str:
        return self.signed_in.display_name or self.signed_in.person

    @property
    def roles(self) -> frozenset[str]:
        """Roles in force, those of a break-glass included."""
        return frozenset(self.signed_in.roles)


@dataclass(slots=True)
class _Cached:
    session: Session
    asked_at_s: float
    used_at_s: float
    """When the node was last told that the person uses it."""


class Sessions:
    """Sessions by token, for one event loop.

    Args:
        client: the console's own client, which may only sign persons in.
        clock: seconds since 1970.
    """

    def __init__(self, client: GatewayClient, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._cached: OrderedDict[bytes, _Cached] = OrderedDict()
        self._asking: dict[tuple[bytes, bool], asyncio.Task[Session | None]] = {}

    async def session_of(self, token: str, *, background: bool = False) -> Session | None:
        """The session of a token; None where there is none or it has ended.

        `background`: the person didn't cause the request, so it doesn't keep the session from ending when idle.

        Raises:
            GatewayError: the gateway can't be asked.
        """
        if not MIN_TOKEN_CHARS <= len(token) <= MAX_TOKEN_CHARS or not (token.isascii() and token.isprintable()):
            return None
        key = _key(token)
        cached = self._cached.get(key)
        if cached is not None and self._is_fresh(cached, background=background):
            self._cached.move_to_end(key)
            return cached.session
        task = self._asking.get((key, background))
        if task is None:
            task = asyncio.create_task(self._ask(key, token, background))
            self._asking[key, background] = task
            task.add_done_callback(lambda _: self._asking.pop((key, background), None))
        return await asyncio.shield(task)

    async def is_session(self, token: str, background: bool) -> bool:
        """Whether a token is a session; raises as `session_of`."""
        return await self.session_of(token, background=background) is not None

    def is_known(self, token: str) -> bool:
        """Whether a token was a session when the node was last asked."""
        return _key(token) in self._cached

    def keep(self, signed_in: SignedIn, *, background: bool = False) -> Session:
        """A session that has just begun or was renewed."""
        session = Session(signed_in, self._client.acting_for(signed_in.assertion))
        key, now_s = _key(signed_in.session_token), self._clock()
        before = self._cached.get(key)
        used_at_s = (before.used_at_s if before else 0.0) if background else now_s
        self._cached[key] = _Cached(session, now_s, used_at_s)
        self._cached.move_to_end(key)
        while len(self._cached) > MAX_CACHED:
            self._cached.popitem(last=False)
        return session

    def forget(self, token: str) -> None:
        """Drops a session, so that its next request asks the node: after it ended or changed."""
        self._cached.pop(_key(token), None)

    async def _ask(self, key: bytes, token: str, background: bool) -> Session | None:
        try:
            return self.keep(await self._client.persons.renew(token, background=background), background=background)
        except GatewayError as error:
            if error.kind is not Kind.UNAUTHENTICATED:  # says nothing of the session
                raise
            self._cached.pop(key, None)
            return None

    def _is_fresh(self, cached: _Cached, *, background: bool) -> bool:
        now_s = self._clock()
        if now_s > cached.session.signed_in.assertion_expires_at.seconds - RENEW_BEFORE_S:
            return False
        return now_s - (cached.asked_at_s if background else cached.used_at_s) < REUSED_S


class Cookies:
    """Names and attributes of the console's cookies.

    Browsers send cookies to every port of a host, so the session's is named by the node: three consoles on one machine
    don't end each other's sessions. `__Host-` keeps other hosts of the domain from setting it.
    """

    def __init__(self, node: str) -> None:
        self._session = f"__Host-session-{node}"
        self._visit = f"__Host-visit-{node}"
        self._devices = f"__Host-devices-{node}"

    def session_token(self, request: Request) -> str:
        """The token in the request; empty without one."""
        return request.cookies.get(self._session, "")

    def visit(self, request: Request) -> str:
        """The secret of a visit without a session, to which the forms before sign-in are bound."""
        return request.cookies.get(self._visit, "")

    def set_session(self, response: Response, token: str) -> None:
        """Begins a session in the browser; the visit before it ends, so no form of it works any longer."""
        _set(response, self._session, token)
        _delete(response, self._visit)

    def known_devices(self, request: Request) -> list[str]:
        """Sessions that began in this browser, the newest first; what isn't one is left out."""
        words = request.cookies.get(self._devices, "").split(".")
        return [word for word in words if _KNOWN_DEVICE.fullmatch(word)][:MOST_DEVICES]

    def know_device(self, request: Request, response: Response, known_device: str) -> None:
        """Notes in the browser that somebody has signed in there."""
        known = [known_device, *(each for each in self.known_devices(request) if each != known_device)]
        response.set_cookie(
            self._devices,
            ".".join(known[:MOST_DEVICES]),
            max_age=DEVICE_S,
            path="/",
            secure=True,
            httponly=True,
            samesite="strict",
        )

    def end_session(self, response: Response) -> None:
        _delete(response, self._session)

    def begin_visit(self, response: Response, secret: str) -> None:
        _set(response, self._visit, secret)


def new_visit() -> str:
    """A secret for a visit."""
    return secrets.token_urlsafe(VISIT_BYTES)


def _set(response: Response, name: str, value: str) -> None:
    """Until the browser ends: the node knows when the session does. Lax, so that links in e-mails find it."""
    response.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")


def _delete(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def _key(token: str) -> bytes:
    return sha256(token.encode()).digest()
