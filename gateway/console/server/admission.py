"""Decides who is answered at once: persons with a session have places that nobody without one can take."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

STRANGERS: Final = 8
"""Requests without a session that are answered at once: sign-in takes a tenth of a second of a processor each."""

STRANGERS_RECEIVING: Final = 64
"""Forms without a session that are received at once: few beside `limits.connections`, of which each takes one."""

STRANGER_BODY_S: Final = 5.0
"""Seconds for a whole form without a session; forms of sign-in have some hundred bytes."""

STRANGERS_WAITING: Final = 128
"""Requests without a session that wait for that."""

STRANGERS_WAIT_S: Final = 20.0
"""Seconds for which one waits: a morning's sign-ins all come through."""

LOOKUPS: Final = 8
"""Questions to the gateway at once whether a cookie that isn't known here is a session."""

MAX_UPLOADS: Final = 16
"""Most forms with files that arrive at once; they are written to temporary files while they come."""

UPLOADS_OF_A_SESSION: Final = 4

SessionOf = Callable[[str, bool], Awaitable[bool]]
"""Whether a cookie's token is a session; the second argument: the person didn't cause the request."""


class ConsoleBusyError(Exception):
    """There is no place, now."""


class Admission:
    """Places of one console, for one event loop.

    Args:
        requests: of persons at once.
        is_session: asks the console's sessions, and these the gateway.
        is_known: whether a token is one that was a session before; such ones wait for no stranger's.
    """

    def __init__(self, requests: int, is_session: SessionOf, is_known: Callable[[str], bool]) -> None:
        self._most = requests
        self._is_session = is_session
        self._is_known = is_known
        self._running = 0
        self._receiving = 0
        self._strangers = asyncio.Semaphore(STRANGERS)
        self._waiting = 0
        self._lookups = asyncio.Semaphore(LOOKUPS)
        self._uploads: Counter[str] = Counter()

    async def is_person(self, token: str, *, background: bool) -> bool:
        """Whether a request's cookie is a session.

        Raises:
            GatewayError: the gateway can't be asked.
        """
        if not token:
            return False
        if self._is_known(token):
            return await self._is_session(token, background)
        async with self._lookups:
            return await self._is_session(token, background)

    def was_person(self, token: str) -> bool:
        """Whether a request's cookie was a session when the gateway could be asked; its person stays one meanwhile."""
        return self._is_known(token)

    @contextmanager
    def receiving(self, *, person: bool) -> Iterator[None]:
        """A place while a form is received, before the first byte of it is read.

        Raises:
            ConsoleBusyError: a stranger's, and there is none.
        """
        if person:
            yield
            return
        if self._receiving >= STRANGERS_RECEIVING:
            raise ConsoleBusyError
        self._receiving += 1
        try:
            yield
        finally:
            self._receiving -= 1

    @asynccontextmanager
    async def place(self, *, person: bool) -> AsyncIterator[None]:
        """A place while a request is answered.

        Raises:
            ConsoleBusyError: there is none, or for a stranger none in time.
        """
        if person:
            if self._running >= self._most:
                raise ConsoleBusyError
            self._running += 1
            try:
                yield
            finally:
                self._running -= 1
            return
        await self._wait_as_stranger()
        try:
            yield
        finally:
            self._strangers.release()

    async def _wait_as_stranger(self) -> None:
        if self._waiting >= STRANGERS_WAITING:
            raise ConsoleBusyError
        self._waiting += 1
        try:
            async with asyncio.timeout(STRANGERS_WAIT_S):
                await self._strangers.acquire()
        except TimeoutError:
            raise ConsoleBusyError from None
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def upload(self, token: str) -> AsyncIterator[None]:
        """A place for a form with a file of a session.

        Raises:
            ConsoleBusyError: there is none.
        """
        if self._uploads.total() >= MAX_UPLOADS or self._uploads[token] >= UPLOADS_OF_A_SESSION:
            raise ConsoleBusyError
        self._uploads[token] += 1
        try:
            yield
        finally:
            self._uploads[token] -= 1
            self._uploads += Counter()  # without those at 0
