"""Headers of every response, limits of every request, and where a changing request may come from."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.console.settings import LimitSection

NONCE_BYTES: Final = 18
CSRF_BYTES: Final = 32

UPLOAD_SUFFIX: Final = "/upload"
"""End of the paths whose forms have a file; their bodies may be larger."""

RETRY_AFTER_S: Final = 2

MAX_HELD_BYTES: Final = 64 * 1024 * 1024
"""Most bytes of forms that are being received at once: what a thousand slow senders can make the console hold."""

MAX_UPLOADS: Final = 16
"""Most forms with files that arrive at once; they are written to temporary files while they come."""

BUSY: Final = "The console is busy. Try again in a moment."

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
       waiting; it has at most `limits.body_kib`, and all that are being received MAX_HELD_BYTES.
    3. At most `limits.requests` run at once; live pages have a limit of their own (`live.py`).
    4. A form with a file, to a path that ends in `/upload`, has at most `limits.upload_mib` and may not pause longer
       than `limits.body_s`; at most MAX_UPLOADS arrive at once.
    5. Every response has the headers; what isn't a file of the console isn't stored by a browser or proxy. A connection
       whose request wasn't read to its end is closed after the response.
    """

    def __init__(self, app: ASGIApp, *, origin: str, limits: LimitSection) -> None:
        self._app = app
        self._limits = limits
        parts = urlsplit(origin)
        self._host = parts.netloc.lower()
        self._https = parts.scheme == "https"
        self._running = 0
        self._uploads = 0
        self._held_bytes = 0

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
        elif path.startswith("/live/"):
            await self._app(scope, body.receive, send)
        elif path.endswith(UPLOAD_SUFFIX):  # 4
            await self._upload(scope, body, send)
        else:
            await self._request(scope, body, send)

    async def _request(self, scope: Scope, body: _Body, send: Send) -> None:
        whole = b""
        if not body.ended:  # 2
            try:
                async with asyncio.timeout(self._limits.body_s):
                    whole = await self._whole(body)
            except (TimeoutError, _TooMuchError):
                await _refuse(send, 413, "This is more than the console takes at once.")
                return
            except _ConsoleBusyError:
                await _refuse(send, 503, BUSY, retry=True)
                return
        if self._running >= self._limits.requests:  # 3
            await _refuse(send, 503, BUSY, retry=True)
            return
        self._running += 1
        try:
            await self._app(scope, _replayed(whole, body.receive), send)
        finally:
            self._running -= 1

    async def _whole(self, body: _Body) -> bytes:
        chunks: list[bytes] = []
        held = 0
        try:
            while not body.ended:
                chunk = (await body.receive()).get("body", b"")
                chunks.append(chunk)
                held += len(chunk)
                self._held_bytes += len(chunk)
                if held > self._limits.body_kib * 1024:
                    raise _TooMuchError
                if self._held_bytes > MAX_HELD_BYTES:
                    raise _ConsoleBusyError
        finally:
            self._held_bytes -= held
        return b"".join(chunks)

    async def _upload(self, scope: Scope, body: _Body, send: Send) -> None:
        if self._uploads >= MAX_UPLOADS:
            await _refuse(send, 503, BUSY, retry=True)
            return
        self._uploads += 1
        try:
            most = self._limits.upload_mib * 1024 * 1024
            await self._app(scope, self._bounded(body, most), send)
        finally:
            self._uploads -= 1

    def _is_own_host(self, host: str, path: str) -> bool:
        return host.lower() == self._host or path == "/healthz"

    def _most_bytes(self, path: str) -> int:
        upload = path.endswith(UPLOAD_SUFFIX)
        return self._limits.upload_mib * 1024 * 1024 if upload else self._limits.body_kib * 1024

    def _bounded(self, body: _Body, most: int) -> Receive:
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            if body.ended:
                return await body.receive()
            try:
                async with asyncio.timeout(self._limits.body_s):
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
                if not path.startswith("/static/"):
                    headers["cache-control"] = "no-store"
                if self._https:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
                if not body.ended:  # 5
                    headers["connection"] = "close"
            await send(message)

        return sending


class _TooMuchError(Exception):
    """A form is larger than the limit."""


class _ConsoleBusyError(Exception):
    """All forms that are being received are larger than the bound."""


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


def _announced(headers: Headers) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else 0
