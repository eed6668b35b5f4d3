"""The screening process as the node sees it: started, asked, ended.

Owns the process and the frames between. Doesn't own the index (services.screening, in node.screening_worker) nor when
it runs (transport.screening). A frame is its length in 4 bytes, big-endian, and a body that begins with one letter:

    node → process   first a JSON document that says what to do; then
                     F (look for matches: the time in milliseconds in 8 bytes, then the cursors as JSON),
                     S (screen: the time in 8 bytes, the length in 4 bytes of the lists that the caller may not see,
                     these as `publisher/list` parted by spaces, then a ScreenPartiesRequest)
    process → node   R (ready); M (what a step of F found, as wire.matches has it) or W (why it couldn't be done);
                     A (a ScreenPartiesResponse) or E (why a screening failed)

Questions of either kind are answered in their order, beside those of the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "gateway.node.screening_worker")
FOLLOW, SCREEN, READY, FOUND, WAITS, ANSWER, ERROR = b"F", b"S", b"R", b"M", b"W", b"A", b"E"

END_S = 30.0
"""Time that the process has to save the index at a stop, in seconds."""

ENDED = "the screening process has ended"

_ANSWERS = {FOUND: FOLLOW, WAITS: FOLLOW, ANSWER: SCREEN, ERROR: SCREEN}


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return len(body).to_bytes(4) + body


def read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """The next body; None at the end."""
    length = read(4)
    return read(int.from_bytes(length)) if len(length) == 4 else None


class ScreeningProcess:
    """One running process. Made with `start`, used in one event loop."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked: dict[bytes, deque[asyncio.Future[bytes]]] = {FOLLOW: deque(), SCREEN: deque()}
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, settings: Mapping[str, Any]) -> ScreeningProcess:
        """Starts it, without waiting for its index.

        Args:
            settings: what it is told to do.

        Raises:
            OSError: it can't be started.
        """
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=pipe,
            stdout=pipe,
            start_new_session=True,  # a Ctrl-C is for the node, which ends it
        )
        made = cls(process)
        made._send(json.dumps(settings).encode())
        return made

    async def ready(self) -> None:
        """Returns when its index is loaded.

        Raises:
            OSError, asyncio.IncompleteReadError: it has ended.
        """
        await self._received()
        self._reading = asyncio.create_task(self._read(), name="screening answers")

    async def ask(self, question: bytes) -> bytes:
        """Puts a question; the future answer is this question's, whoever still waits for it.

        Raises:
            OSError: the process has ended.
        """
        if self._reading is None or self._reading.done():
            raise OSError(ENDED)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[question[:1]].append(answer)
        self._send(question)
        return await answer

    async def wait_for(self, event: asyncio.Event, within_s: float | None = None) -> None:
        """Waits for an event while the process runs, not longer than a number of seconds when one is given.

        Raises:
            OSError: the process has ended.
        """
        assert self._reading is not None  # noqa: S101  it is ready
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait({waiting, self._reading}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._reading.done():
            raise OSError(ENDED)

    async def end(self) -> None:
        """Has it save and end, or ends it."""
        process = self._process
        if process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(END_S):
                    await process.wait()
            except TimeoutError:
                log.warning("the screening process didn't end in %g s", END_S)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._reading is not None:
            self._reading.cancel()

    def _send(self, body: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  it has a pipe
        self._process.stdin.write(frame(body))

    async def _received(self) -> bytes:
        assert self._process.stdout is not None  # noqa: S101  it has a pipe
        length = int.from_bytes(await self._process.stdout.readexactly(4))
        return await self._process.stdout.readexactly(length)

    async def _read(self) -> None:
        """Gives each answer to the one who asked."""
        try:
            while True:
                body = await self._received()
                answer = self._asked[_ANSWERS[body[:1]]].popleft()
                if not answer.done():
                    answer.set_result(body)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.debug("no more answers: %r", error)
        finally:
            for waiting in self._asked.values():
                for answer in waiting:
                    if not answer.done():
                        answer.set_exception(OSError(ENDED))
                        answer.exception()  # whoever has left needn't be told
