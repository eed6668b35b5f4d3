"""Headers of every response, limits of every request, and where a changing request may come from."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.console.server.admission import STRANGER_BODY_S, Admission, ConsoleBusyError
from gateway.console.settings import LimitSection
from gateway.errors import GatewayError

NONCE_BYTES: Final = 18
CSRF_BYTES: Final = 32

HEALTH: Final = "/healthz"

UPLOAD_SUFFIX: Final = "/upload"
"""End of the paths whose forms have a file; their bodies may be larger."""

RETRY_AFTER_S: Final = 2

MAX_HELD_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of persons' forms that are received or answered at once: what slow senders can make the console hold."""

MAX_STRANGERS_BYTES: Final = 8 * 1024 * 1024
"""The same for strangers: 40 kB for each that is received, waits or is answered."""

KEPT_BY_BROWSER: Final = "private, max-age=900"
"""Of small pictures alone: looking at a list again doesn't open its files again."""

BUSY: Final = "The console is busy. Try again in a moment."

STREAMED: Final = {"content-encoding": "identity", "x-accel-buffering": "no"}
"""Of a page that comes in pieces: compression and proxies would hold them back."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def content_policy(nonce: str) -> str:
    """The content security policy of a page: own files alone, no inline script or style, no eval."""
    return (
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types htmx"
    )


def new_nonce() -> str:
    """A value that nobody can guess, for one response."""
    return secrets.token_urlsafe(NONCE_BYTES)


def csrf_token(secret: str) -> str:
    """A form's token, bound to the session or visit whose secret this is; masked, so that no two pages have the same.

    The mask keeps compressed pages from telling it (BREACH).
    """
    mask = secrets.token_bytes(CSRF_BYTES)
    masked = bytes(a ^ b for a, b in zip(mask, _csrf_key(secret), strict=True))
    return urlsafe_b64encode(mask + masked).decode()


def is_csrf_token(secret: str, token: str) -> bool:
    """Whether a token was made for this session or visit."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii", "replace"))
    except (Base64Error, ValueError):
        return False
    if not secret or len(raw) != 2 * CSRF_BYTES or urlsafe_b64encode(raw).decode() != token:
        return False
    unmasked = bytes(a ^ b for a, b in zip(raw[:CSRF_BYTES], raw[CSRF_BYTES:], strict=True))
    return hmac.compare_digest(unmasked, _csrf_key(secret))


def _csrf_key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"gateway console csrf 1", sha256)


def is_same_origin(headers: Headers, origin: str) -> bool:
    """Whether a changing request comes from a page of this console.

    Browsers send Origin with every POST. One without it must say by Sec-Fetch-Site that it is of the same origin.
    """
    sent, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    return sent == origin if sent is not None else site == "same-origin"


class SecurityMiddleware:
    """The outermost layer: sets headers, refuses foreign hosts, and bounds requests at once and the bytes of each.

    1. The Host header names the console's origin; another would be a rebound name.
    2. A form is received whole before it counts as a request, within `limits.body_s`, so that slow senders keep nobody
       waiting; it has at most `limits.body_kib`, and those of all persons MAX_HELD_BYTES. A stranger's needs a place
       before a byte of it is read, comes within STRANGER_BODY_S, and those of all strangers have MAX_STRANGERS_BYTES.
    3. Persons and strangers have places apart (`admission.py`); an answer that nobody takes for `limits.body_s` gives
       its place up. Live pages have a limit of their own (`live.py`); own files and the health need no place.
    4. A form with a file is received for a session alone, from a page of the console, by a path that takes one, with
       the session's token where the header has it: all of that before a byte of its body. It has at most
       `limits.upload_mib`, may not pause longer than `limits.body_s`, and ends within `limits.upload_s`.
    5. Every response has the headers; what isn't a file of the console isn't stored by a proxy, nor by a browser but
       for small pictures (KEPT_BY_BROWSER). A connection whose request wasn't read to its end is closed after the
       response.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origin: str,
        limits: LimitSection,
        admission: Admission,
        token_of: Callable[[Request], str],
        takes_file: Callable[[str], bool],
    ) -> None:
        self._app = app
        self._limits = limits
        self._origin = origin
        parts = urlsplit(origin)
        self._host = parts.netloc.lower()
        self._https = parts.scheme == "https"
        self._admission = admission
        self._token_of = token_of
        self._takes_file = takes_file
        self._of_persons = _Budget(MAX_HELD_BYTES)
        self._of_strangers = _Budget(MAX_STRANGERS_BYTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = new_nonce()
        scope.setdefault("state", {})["nonce"] = nonce
        headers, path = Headers(scope=scope), scope["path"]
        body = _Body(receive, has_body=_has_body(headers))
        send = self._with_headers(send, nonce, path, body)
        if not self._is_own_host(headers.get("host", ""), path):  # 1
            await _refuse(send, 421, "This console is reached under another name.")
        elif int(headers.get("content-length") or 0) > self._most_bytes(path):
            await _refuse(send, 413, "This is more than the console takes at once.")
        elif path.startswith("/static/") or path == HEALTH:
            await self._app(scope, body.receive, send)
        else:
            try:
                await self._admitted(scope, body, send)
            except ConsoleBusyError:
                await _refuse(send, 503, BUSY, retry=True)
            except _NotTakenError:
                return

    async def _admitted(self, scope: Scope, body: _Body, send: Send) -> None:
        request = Request(scope)
        token = self._token_of(request)
        outage = False
        try:
            is_person = await self._admission.is_person(token, background=request.headers.get("x-background") == "live")
        except GatewayError:  # the page says what is wrong
            is_person, outage = self._admission.was_person(token), True
        if is_person and scope["path"].startswith("/live/"):
            await self._app(scope, body.receive, send)
            return
        if self._takes_file(scope["path"]) and not body.ended:  # 4
            refusal = self._refusal_of_upload(request, token, is_person=is_person, outage=outage)
            if refusal is not None:
                await _refuse(send, *refusal, retry=outage)
                return
            if is_person and not outage:
                await self._upload(scope, body, send, token)
                return
        await self._request(scope, body, send, is_person=is_person)

    def _refusal_of_upload(
        self, request: Request, token: str, *, is_person: bool, outage: bool
    ) -> tuple[int, str] | None:
        """Status and sentence for a form with a file whose body isn't read.

        A small one without a session, or in an outage of the gateway, is read as other forms are: its person gets back
        what was written.
        """
        length = request.headers.get("content-length")
        is_small = length is not None and int(length) <= self._limits.body_kib * 1024
        if outage and not is_small:
            return 503, "The gateway doesn't answer. Go back, wait a moment, and send the form again."
        if not is_person and not is_small:
            return 401, "Your session has ended. Sign in in another window, go back here, and send the form again."
        sent = request.headers.get("x-csrf-token")
        is_own = is_same_origin(request.headers, self._origin)
        if not is_own or (is_person and sent is not None and not is_csrf_token(token, sent)):
            return 403, "This form doesn't come from a page of your session. Open the page again."
        return None

    async def _request(self, scope: Scope, body: _Body, send: Send, *, is_person: bool) -> None:
        with (self._of_persons if is_person else self._of_strangers).share() as share:
            whole = b""
            if not body.ended:  # 2
                try:
                    whole = await self._received(body, share, is_person=is_person)
                except (TimeoutError, _TooMuchError):
                    await _refuse(send, 413, "This is more than the console takes at once.")
                    return
            async with self._admission.place(person=is_person):  # 3
                await self._app(scope, _replayed(whole, body.receive), self._taken(send))

    async def _received(self, body: _Body, share: _Share, *, is_person: bool) -> bytes:
        within_s = self._limits.body_s if is_person else min(self._limits.body_s, STRANGER_BODY_S)
        with self._admission.receiving(person=is_person):
            async with asyncio.timeout(within_s):
                return await self._whole(body, share)

    def _taken(self, send: Send) -> Send:
        """Gives up an answer that its client doesn't take."""

        async def sending(message: Message) -> None:
            try:
                async with asyncio.timeout(self._limits.body_s):
                    await send(message)
            except TimeoutError:
                raise _NotTakenError from None

        return sending

    async def _whole(self, body: _Body, share: _Share) -> bytes:
        chunks: list[bytes] = []
        while not body.ended:
            chunk = (await body.receive()).get("body", b"")
            chunks.append(chunk)
            share.add(len(chunk))
            if share.count > self._limits.body_kib * 1024:
                raise _TooMuchError
        return b"".join(chunks)

    async def _upload(self, scope: Scope, body: _Body, send: Send, token: str) -> None:
        async with self._admission.upload(token):
            most = self._limits.upload_mib * 1024 * 1024
            await self._app(scope, self._bounded(body, most), self._taken(send))

    def _is_own_host(self, host: str, path: str) -> bool:
        return host.lower() == self._host or path == HEALTH

    def _most_bytes(self, path: str) -> int:
        upload = self._takes_file(path)
        return self._limits.upload_mib * 1024 * 1024 if upload else self._limits.body_kib * 1024

    def _bounded(self, body: _Body, most: int) -> Receive:
        taken = 0
        loop = asyncio.get_running_loop()
        ends_at_s = loop.time() + self._limits.upload_s

        async def bounded() -> Message:
            nonlocal taken
            if body.ended:
                return await body.receive()
            try:
                async with asyncio.timeout_at(min(ends_at_s, loop.time() + self._limits.body_s)):
                    message = await body.receive()
            except TimeoutError:
                return {"type": "http.disconnect"}
            taken += len(message.get("body", b""))
            return {"type": "http.disconnect"} if taken > most else message

        return bounded

    def _with_headers(self, send: Send, nonce: str, path: str, body: _Body) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("content-security-policy", content_policy(nonce))
                if not path.startswith("/static/") and headers.get("cache-control") != KEPT_BY_BROWSER:
                    headers["cache-control"] = "no-store"
                if self._https:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
                if not body.ended:  # 5
                    headers["connection"] = "close"
            await send(message)

        return sending


class _TooMuchError(Exception):
    """A form is larger than the limit."""


class _NotTakenError(Exception):
    """A client doesn't take its answer."""


class _Budget:
    """Bytes that may be held at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0

    @contextmanager
    def share(self) -> Iterator[_Share]:
        """The bytes of one form; they are given back at the end."""
        share = _Share(self)
        try:
            yield share
        finally:
            self.held -= share.count


class _Share:
    """The bytes of one form."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self.count = 0

    def add(self, count: int) -> None:
        """Holds more; ConsoleBusyError where all together are too many."""
        self.count += count
        self._budget.held += count
        if self._budget.held > self._budget.most:
            raise ConsoleBusyError


class _Body:
    """The body of a request, and whether it has been read to its end."""

    def __init__(self, receive: Receive, *, has_body: bool) -> None:
        self._receive = receive
        self.ended = not has_body

    async def receive(self) -> Message:
        message = await self._receive()
        self.ended = self.ended or message["type"] != "http.request" or not message.get("more_body", False)
        return message


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _replayed(whole: bytes, receive: Receive) -> Receive:
    """What was received already, as one message, then whatever comes."""
    told = False

    async def replaying() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": whole, "more_body": False}

    return replaying


async def _refuse(send: Send, status: int, sentence: str, *, retry: bool = False) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    if retry:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
