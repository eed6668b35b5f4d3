"""The node's end of the screening process: starts it once there is a list, wakes it, asks it, ends it.

Owns the process and the frames between. Doesn't own the index (services.screening, in node.screening_worker). A frame
is its length in 4 bytes, big-endian, and a body that begins with one letter:

    node → process   first a JSON document that says what to do; then F (the lists have moved),
                     S (screen: the time in milliseconds in 8 bytes, the length in 4 bytes of the lists that the
                     caller may not see, these as `publisher/list` parted by spaces, then a ScreenPartiesRequest)
    process → node   R (ready), A (a ScreenPartiesResponse), E (why a screening failed)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.errors import GatewayError, UnavailableError
from gateway.model.list_visibility import NOTHING_HIDDEN, Hidden
from gateway.store import watchlists
from gateway.store.database import Database
from gateway.transport.bridge import Wakeups
from gateway.v1 import alert_pb2, alert_service_pb2, screening_pb2
from gateway.wire.alert_subjects import subjects_of

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "gateway.node.screening_worker")
FOLLOW, SCREEN, READY, ANSWER, ERROR = b"F", b"S", b"R", b"A", b"E"

RETRY_S = 5.0
"""Pause before a process that has ended is started again, in seconds."""

END_S = 30.0
"""Time that the process has to save the index at a stop, in seconds."""

_RETRY_AFTER_S = 2.0


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return len(body).to_bytes(4) + body


def read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """The next body; None at the end."""
    length = read(4)
    return read(int.from_bytes(length)) if len(length) == 4 else None


def _written(hidden: Hidden) -> bytes:
    names = " ".join(sorted(f"{publisher}/{name}" for publisher, name in hidden)).encode()
    return len(names).to_bytes(4) + names


class ScreeningIndex:
    """The index of one node as its services use it. Made and used in one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        database_url: str,
        snapshot: Path,
        wakeups: Wakeups,
        thresholds: Mapping[str, tuple[float, float]],
    ) -> None:
        """Starts nothing.

        Args:
            database: to see whether there are lists.
            database_url: for the process.
            snapshot: where the index is kept between starts.
            wakeups: tells of commits.
            thresholds: by list or `publisher/list`: scores for (compatible, strong).
        """
        self._database = database
        self._settings = {"database_url": database_url, "snapshot": str(snapshot), "thresholds": dict(thresholds)}
        self._wakeups = wakeups
        self._process: asyncio.subprocess.Process | None = None
        self._ready = False
        self._asking = asyncio.Lock()

    async def run(self) -> None:
        """Keeps the process up until it is cancelled; then has it save and end."""
        moved = asyncio.Event()
        end_subscription = self._wakeups.subscribe(Wakeups.PROJECTED, moved)
        try:
            while True:
                try:
                    while await self._is_empty():
                        await moved.wait()
                        moved.clear()
                    await self._serve(moved)
                except GatewayError as error:
                    log.warning("screening waits: %s", error)
                except (OSError, asyncio.IncompleteReadError) as error:
                    log.warning("the screening process has ended (%s); it is started again", type(error).__name__)
                await asyncio.sleep(RETRY_S)
        finally:
            end_subscription()
            await self._end()

    async def _serve(self, moved: asyncio.Event) -> None:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=pipe,
            stdout=pipe,
            start_new_session=True,  # a Ctrl-C is for the node, which ends it
        )
        self._send(json.dumps(self._settings).encode())
        await self._received()
        self._ready = True
        try:
            while True:
                moved.clear()
                self._send(FOLLOW)
                waiting = asyncio.create_task(moved.wait())
                ended = asyncio.create_task(self._process.wait())
                try:
                    await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
                    if ended.done():
                        raise OSError(f"exit code {ended.result()}")
                finally:
                    waiting.cancel()
                    ended.cancel()
        finally:
            self._ready = False

    def _send(self, body: bytes) -> None:
        assert self._process is not None  # noqa: S101  between start and end
        assert self._process.stdin is not None  # noqa: S101  it has a pipe
        self._process.stdin.write(frame(body))

    async def _received(self) -> bytes:
        assert self._process is not None  # noqa: S101  between start and end
        assert self._process.stdout is not None  # noqa: S101  it has a pipe
        length = int.from_bytes(await self._process.stdout.readexactly(4))
        return await self._process.stdout.readexactly(length)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
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

    async def _is_empty(self) -> bool:
        def look() -> bool:
            with self._database.read() as conn:
                return watchlists.last_seq(conn) == 0

        return await asyncio.to_thread(look)

    async def screen(
        self,
        subjects: Sequence[screening_pb2.ScreeningSubject],
        *,
        max_hits: int,
        at_ms: int,
        hidden: Hidden = NOTHING_HIDDEN,
    ) -> screening_pb2.ScreenPartiesResponse:
        """Screens; the answers come in order.

        Args:
            subjects: who and what to look for.
            max_hits: most hits for one subject; 0 for the usual number.
            at_ms: the time, in milliseconds since 1970.
            hidden: lists that the caller may not see: they don't count, as if they weren't here.

        Raises:
            UnavailableError: the index is being loaded, or its process has just ended.
            GatewayError: the screening failed; the log says why.
        """
        if not self._ready:
            if await self._is_empty():
                nothing = [screening_pb2.ScreenedSubject(reference=one.reference) for one in subjects]
                return screening_pb2.ScreenPartiesResponse(subjects=nothing)
            raise UnavailableError("the screening index is being loaded", retry_after_s=_RETRY_AFTER_S)
        request = screening_pb2.ScreenPartiesRequest(subjects=subjects, max_hits=max_hits)
        question = SCREEN + at_ms.to_bytes(8) + _written(hidden) + request.SerializeToString()
        answering = asyncio.ensure_future(self._ask(question))
        answer = await asyncio.shield(answering)  # a caller that leaves mustn't leave its answer to the next
        if answer[:1] != ANSWER:
            raise GatewayError(f"screening failed: {answer[1:].decode()}")
        return screening_pb2.ScreenPartiesResponse.FromString(answer[1:])

    async def _ask(self, question: bytes) -> bytes:
        """One question at a time, until its answer is read, whoever still waits for that."""
        try:
            async with self._asking:
                self._send(question)
                return await self._received()
        except (OSError, AssertionError, asyncio.IncompleteReadError) as error:
            raise UnavailableError("the screening process has just ended", retry_after_s=_RETRY_AFTER_S) from error

    async def screen_alert(
        self, content: alert_pb2.AlertContent, *, at_ms: int, hidden: Hidden = NOTHING_HIDDEN
    ) -> list[alert_service_pb2.AlertHit] | None:
        """Screens what an alert names; None while that can't be."""
        subjects = subjects_of(content)
        try:
            done = await self.screen(list(subjects.values()), max_hits=0, at_ms=at_ms, hidden=hidden)
        except GatewayError:
            return None
        return [
            alert_service_pb2.AlertHit(field=path, hit=hit)
            for path, found in zip(subjects, done.subjects, strict=True)
            for hit in found.hits
        ]
