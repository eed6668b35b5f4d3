"""Keeps open pages current: tells a browser by server-sent events that something has changed.

An event says what changed and carries nothing of it: the page asks for its part again, with the person's rights at that
time. All pages of a session share one stream of the gateway per kind; it ends with the session.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.client import GatewayClient
from gateway.console.page import ENDED, session
from gateway.console.session import Session, Sessions
from gateway.console.settings import LimitSection
from gateway.errors import GatewayError, Kind

log = logging.getLogger(__name__)

Change = Mapping[str, str]
"""What changed, in words of the contract, e.g. publisher, alert_id and event; names with a leading "_" stay here."""

Source = Callable[[GatewayClient], AsyncGenerator[Change, None]]
"""ANYTHING as soon as none is missed, then changes, with a person's client; ends or raises GatewayError."""

PING_S: Final = 15.0
"""Seconds of silence after which a comment is sent: proxies end silent connections, mostly after 60 s."""

CHECK_S: Final = 30.0
"""Seconds between looks whether the session still lasts."""

PAUSE_S: Final = 2.0
"""Seconds before a stream of the gateway that failed is opened again."""

REFUSED_PAUSE_S: Final = 300.0
"""Seconds before a stream is opened again that the person's roles don't allow, which other roles may end."""

GATHER_S: Final = 0.05
"""Seconds in which changes are gathered into one event."""

MAX_WAITING: Final = 64
"""Changes that wait for a slow browser; beyond, one event says that anything may have changed."""

NEWEST: Final = 2**63 - 1
"""A position that no log reaches."""

ANYTHING: Final[Change] = {}
"""Changes were left out: every part of the page may be old."""


@dataclass(eq=False, slots=True)
class _Listener:
    """One open page."""

    waiting: asyncio.Queue[Change | None]
    wants: Callable[[Change], bool]

    def offer(self, change: Change | None) -> None:
        if change and not self.wants(change):
            return
        if self.waiting.full():
            while not self.waiting.empty():
                self.waiting.get_nowait()
            self.waiting.put_nowait(ANYTHING)
        self.waiting.put_nowait(change)


@dataclass(eq=False, slots=True)
class _Feed:
    """The open pages of one session and kind, and the task that reads the gateway for them."""

    listeners: set[_Listener] = field(default_factory=set)
    task: asyncio.Task[None] | None = None


class Live:
    """Streams of all open pages, for one event loop; bounded by the limits.

    Args:
        sessions: renews the sessions.
        limits: how many streams there may be.
        sources: by kind of change.
    """

    def __init__(self, sessions: Sessions, limits: LimitSection, sources: Mapping[str, Source]) -> None:
        self._sessions = sessions
        self._limits = limits
        self._sources = sources
        self._feeds: dict[tuple[str, str], _Feed] = {}
        self._streams: dict[str, int] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends all streams; browsers come back by themselves."""
        self._stopping.set()
        for feed in list(self._feeds.values()):
            for listener in feed.listeners:
                listener.offer(None)

    def response(self, request: Request, kind: str, wants: Callable[[Change], bool] = lambda change: True) -> Response:
        """A stream of the changes that a page wants; 429 where there are too many: the page then stays as it is."""
        present = session(request)
        mine = self._streams.get(present.token, 0)
        full = mine >= self._limits.streams_per_session or sum(self._streams.values()) >= self._limits.streams
        if full or self._stopping.is_set():
            return Response(status_code=429, headers={"retry-after": "30"})
        headers = {"x-accel-buffering": "no"}
        events = self._events(present, kind, wants)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _events(self, present: Session, kind: str, wants: Callable[[Change], bool]) -> AsyncIterator[str]:
        listener = _Listener(asyncio.Queue(MAX_WAITING), wants)
        token = present.token
        self._streams[token] = self._streams.get(token, 0) + 1
        feed = self._feeds.setdefault((token, kind), _Feed())
        feed.listeners.add(listener)
        if feed.task is None:
            feed.task = asyncio.create_task(self._read(token, kind, feed))
        else:
            listener.offer(ANYTHING)  # what changed between the page and its stream; a source begins with it
        try:
            yield "retry: 2000\n\n"
            while (event := await self._next(listener)) is not None:
                yield event
                if event is ENDED:
                    return
        finally:
            self._leave(token, kind, feed, listener)

    def _leave(self, token: str, kind: str, feed: _Feed, listener: _Listener) -> None:
        feed.listeners.discard(listener)
        self._streams[token] -= 1
        if not self._streams[token]:
            del self._streams[token]
        if not feed.listeners:
            if feed.task is not None:
                feed.task.cancel()
            self._feeds.pop((token, kind), None)

    async def _next(self, listener: _Listener) -> str | None:
        """The next event: changes that came together are one."""
        if self._stopping.is_set():
            return None
        try:
            changes = [await asyncio.wait_for(listener.waiting.get(), PING_S)]
        except TimeoutError:
            return ": nothing new\n\n"
        await asyncio.sleep(GATHER_S)
        while not listener.waiting.empty():
            changes.append(listener.waiting.get_nowait())
        if None in changes:
            return None if self._stopping.is_set() else ENDED
        told = [{name: value for name, value in (change or {}).items() if name[0] != "_"} for change in changes]
        return f"event: changed\ndata: {json.dumps(told)}\n\n"

    async def _read(self, token: str, kind: str, feed: _Feed) -> None:
        """Reads the gateway until the session ends or no page of it is open any more."""
        while (present := await self._renewed(token)) is not None:
            reading = asyncio.create_task(self._pass_on(self._sources[kind](present.client), feed))
            try:
                while not reading.done() and await self._renewed(token) is not None:
                    await asyncio.wait([reading], timeout=CHECK_S)
            finally:
                reading.cancel()
            error, pause_s = (await asyncio.gather(reading, return_exceptions=True))[0], PAUSE_S
            if isinstance(error, GatewayError):
                log.debug("a live page is read again", extra={"kind": kind, "reason": error.reason})
                if error.kind is Kind.UNAUTHENTICATED:
                    self._sessions.forget(token)
                elif error.kind is Kind.PERMISSION_DENIED:
                    pause_s = REFUSED_PAUSE_S
            elif error is not None and not isinstance(error, asyncio.CancelledError):
                log.error("a live page's stream failed", exc_info=error)
            await self._pause(token, pause_s)
        for listener in feed.listeners:
            listener.offer(None)

    async def _pause(self, token: str, seconds: float) -> None:
        """Waits, at most until the session ends."""
        for _ in range(math.ceil(seconds / CHECK_S)):
            await asyncio.sleep(min(seconds, CHECK_S))
            if await self._renewed(token) is None:
                return

    async def _renewed(self, token: str) -> Session | None:
        while True:
            try:
                return await self._sessions.session_of(token, background=True)
            except GatewayError:
                await asyncio.sleep(PAUSE_S)

    async def _pass_on(self, changes: AsyncGenerator[Change, None], feed: _Feed) -> None:
        async with aclosing(changes):
            async for change in changes:
                for listener in feed.listeners:
                    listener.offer(change)
