"""A process of the node's own for work that takes much of the interpreter: started, asked, ended.

A frame is its length in 4 bytes, big-endian, and a body:

    node → process   first a JSON document that says what to do; then questions: one letter for their kind, and what the
                     kind needs
    process → node   first R (ready); then answers: the letter of the question, + and what the kind gives, or - and why
                     it couldn't be answered, or ! and in JSON what is wrong with the question

Questions of one kind are answered in their order, beside those of others.
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

from gateway.errors import GatewayError, InvalidRequestError, Violation

log = logging.getLogger(__name__)

READY, DONE, FAILED, REFUSED = b"R", b"+", b"-", b"!"

END_S = 30.0
"""Time that a process has to end by itself at a stop, in seconds."""


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return len(body).to_bytes(4) + body


def refusal(error: InvalidRequestError) -> bytes:
    """An answer that says what is wrong with a question."""
    return REFUSED + json.dumps([(one.field, one.rule, one.message) for one in error.violations]).encode()


def read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """The next body; None at the end."""
    length = read(4)
    return read(int.from_bytes(length)) if len(length) == 4 else None


class WorkerProcess:
    """One running process. Made with `start`, used in one event loop."""

    def __init__(self, process: asyncio.subprocess.Process, what: str) -> None:
        self._process = process
        self._what = what
        self._asked: dict[bytes, deque[asyncio.Future[bytes]]] = {}
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, module: str, settings: Mapping[str, Any], *, what: str) -> WorkerProcess:
        """Starts it, without waiting until it is ready.

        Args:
            module: what it runs, e.g. `gateway.node.workers.history`.
            settings: what it is told to do.
            what: names it in messages, e.g. `the screening process`.

        Raises:
            OSError: it can't be started.
        """
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=pipe,
            stdout=pipe,
            process_group=0,  # a Ctrl-C is for the node, which ends it; in its session, where niceness counts
        )
        made = cls(process, what)
        made._send(json.dumps(settings).encode())
        return made

    async def ready(self) -> None:
        """Returns when it can be asked.

        Raises:
            OSError, asyncio.IncompleteReadError: it has ended.
        """
        await self._received()
        self._reading = asyncio.create_task(self._read(), name=f"answers of {self._what}")

    async def ask(self, question: bytes) -> bytes:
        """Puts a question and gives what its kind gives; the answer is this question's, whoever still waits for it.

        Raises:
            OSError: the process has ended.
            InvalidRequestError: it refuses the question.
            GatewayError: it couldn't answer; its log says why.
        """
        if self._reading is None or self._reading.done():
            raise OSError(self._ended)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(question[:1], deque()).append(answer)
        self._send(question)
        body = await answer
        if body[1:2] == REFUSED:
            raise InvalidRequestError([Violation(*one) for one in json.loads(body[2:])])
        if body[1:2] != DONE:
            raise GatewayError(f"{self._what}: {body[2:].decode()}")
        return body[2:]

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
            raise OSError(self._ended)

    async def end(self) -> None:
        """Has it end, or ends it."""
        process = self._process
        if process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(END_S):
                    await process.wait()
            except TimeoutError:
                log.warning("%s didn't end in %g s", self._what, END_S)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._reading is not None:
            self._reading.cancel()

    @property
    def _ended(self) -> str:
        return f"{self._what} has ended"

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
                answer = self._asked[body[:1]].popleft()
                if not answer.done():
                    answer.set_result(body)
        except (OSError, asyncio.IncompleteReadError) as error:
            log.debug("no more answers: %r", error)
        finally:
            for waiting in self._asked.values():
                for answer in waiting:
                    if not answer.done():
                        answer.set_exception(OSError(self._ended))
                        answer.exception()  # whoever has left needn't be told
