"""Keeps the pages that forms have led to, so that Back and a reload show them again and send nothing.

A form's answer sends the browser on to `/shown/TOKEN`, where its page is kept for the session that sent the form. A
page that comes in pieces is shown as far as it has come, and goes on whether somebody reads it or not.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import RedirectResponse, Response, StreamingResponse

log = logging.getLogger(__name__)

PREFIX: Final = "/shown"

KEPT_S: Final = 1_800.0
"""Seconds for which a page can be come back to."""

MAX_OF_SESSION: Final = 24
"""Pages of one session; the oldest goes first."""

MAX_BYTES: Final = 64 * 1024 * 1024
"""Compressed bytes of all pages; the oldest go first."""

HTML: Final = "text/html"


def new_token() -> str:
    """Names a page that nobody else can guess."""
    return secrets.token_urlsafe(18)


@dataclass(slots=True)
class KeptPage:
    """A page; `nonce` is that of the response it was made for."""

    owner: str
    status: int
    nonce: bytes
    ends_at_s: float
    parts: list[bytes] = field(default_factory=list)
    is_whole: bool = False
    coming: asyncio.Task[None] | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))

    def add(self, content: bytes) -> None:
        self.parts.append(zlib.compress(content, 1))
        self._tell()

    def end(self) -> None:
        self.is_whole = True
        self._tell()

    def _tell(self) -> None:
        self.came.set()
        self.came = asyncio.Event()

    async def content(self, nonce: str) -> AsyncIterator[bytes]:
        """The page, for a response with another nonce; waits for what hasn't come yet."""
        at = 0
        while True:
            came = self.came
            while at < len(self.parts):
                yield zlib.decompress(self.parts[at]).replace(self.nonce, nonce.encode())
                at += 1
            if self.is_whole:
                return
            await came.wait()


class ShownPages:
    """Pages by token, each for the session that it was made for.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pages: OrderedDict[str, KeptPage] = OrderedDict()

    def keep(self, token: str, owner: str, response: Response, *, nonce: str) -> Response:
        """The way to the page that a form has led to; any other response as it is."""
        if response.media_type != HTML or response.status_code in (301, 302, 303, 307, 308):
            return response
        page = KeptPage(owner, response.status_code, nonce.encode(), self._clock() + KEPT_S)
        if isinstance(response, StreamingResponse):
            page.coming = asyncio.create_task(_collect(page, response.body_iterator))
        else:
            page.add(bytes(response.body))
            page.end()
        self._pages[token] = page
        self._make_room(owner)
        return RedirectResponse(f"{PREFIX}/{token}", status_code=303, headers=_cookies(response))

    def get(self, token: str, owner: str) -> KeptPage | None:
        """A page of this session; None for one that isn't kept any more, or another's."""
        self._make_room(owner)
        page = self._pages.get(token)
        return page if page is not None and page.owner == owner else None

    def close(self) -> None:
        """Forgets all pages."""
        for token in list(self._pages):
            self._drop(token)

    def _make_room(self, owner: str) -> None:
        now = self._clock()
        for token in [token for token, page in self._pages.items() if page.ends_at_s < now]:
            self._drop(token)
        own = [token for token, page in self._pages.items() if page.owner == owner]
        for token in own[: max(0, len(own) - MAX_OF_SESSION)]:
            self._drop(token)
        while len(self._pages) > 1 and sum(page.size for page in self._pages.values()) > MAX_BYTES:
            self._drop(next(iter(self._pages)))

    def _drop(self, token: str) -> None:
        page = self._pages.pop(token)
        if page.coming is not None:
            page.coming.cancel()
        page.end()


async def _collect(page: KeptPage, content: Any) -> None:
    try:
        async for part in content:
            page.add(part if isinstance(part, bytes) else part.encode())
    except Exception:
        log.exception("a page of the console broke off")
    finally:
        page.end()


def _cookies(response: Response) -> dict[str, str]:
    cookie = response.headers.get("set-cookie")
    return {"set-cookie": cookie} if cookie else {}
