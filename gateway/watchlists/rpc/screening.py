"""The node's screening: runs the process once there is a list, screens through it, keeps what it finds unasked."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.db.database import Database
from gateway.errors import GatewayError, UnavailableError
from gateway.feed.rpc.writer_client import ChangeNotifier
from gateway.rpc.worker_process import WorkerProcess
from gateway.v1 import alert_pb2, alert_service_pb2, screening_pb2
from gateway.watchlists.codec.matches import Findings, decode_findings
from gateway.watchlists.codec.subjects import subjects_of
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import matches

log = logging.getLogger(__name__)

MODULE = "gateway.node.workers.screening"
WHAT = "the screening process"

FOLLOW, SCREEN = b"F", b"S"
"""Questions. F, look for matches: the time in milliseconds in 8 bytes, then the cursors as JSON; answered with what was
found, as watchlists.codec.matches has it. S, screen: the time in 8 bytes, the length in 4 bytes of the lists that the
caller may not see, these as `publisher/list` parted by spaces, then a ScreenPartiesRequest; answered with its
response."""

RETRY_S = 5.0
"""Pause before a process that has ended is started again, in seconds."""

KEEP_RETRY_S = 1.0
"""Pause before what couldn't be found or kept is looked for again, in seconds."""

KEEP_EVERY_S = 1.0
"""How often it is noted how far was looked while nothing is found, in seconds: alerts mostly name nobody on a list, and
each commit costs the writer. What isn't noted at a crash is looked at again."""

FOLLOW_PAUSE_S = 0.05
"""Least time between two looks for matches when the one before found all there was, in seconds."""

_RETRY_AFTER_S = 2.0

Keep = Callable[[Findings], Awaitable[dict[str, int]]]
"""Keeps findings and returns the cursors as they are then."""


class ScreeningIndex:
    """The index of one node as its services use it. Made and used in one event loop."""

    def __init__(
        self,
        database: Database,
        *,
        database_url: str,
        snapshot: Path,
        notifier: ChangeNotifier,
        thresholds: Mapping[str, tuple[float, float]],
        keep: Keep,
        clock: Callable[[], int],
    ) -> None:
        """Starts nothing.

        Args:
            database: to see whether there are lists, and how far was looked.
            database_url: for the process.
            snapshot: where the index is kept between starts.
            notifier: tells of commits.
            thresholds: by list or `publisher/list`: scores for (compatible, strong).
            keep: what to do with findings.
            clock: the time in milliseconds since 1970.
        """
        self._database = database
        self._settings = {"database_url": database_url, "snapshot": str(snapshot), "thresholds": dict(thresholds)}
        self._notifier = notifier
        self._keep = keep
        self._clock = clock
        self._process: WorkerProcess | None = None
        self._ready = False

    async def run(self) -> None:
        """Keeps the process up until it is cancelled; then has it save and end."""
        moved = asyncio.Event()
        end_subscription = self._notifier.subscribe(ChangeNotifier.PROJECTED, moved)
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
                except Exception:
                    log.exception("screening failed; its process is started again")
                await self._end()
                await asyncio.sleep(RETRY_S)
        finally:
            end_subscription()
            await self._end()

    async def _serve(self, moved: asyncio.Event) -> None:
        self._process = process = await WorkerProcess.start(MODULE, self._settings, what=WHAT)
        await process.ready()
        self._ready = True
        try:
            while True:
                try:
                    await self._find(process, moved)
                except GatewayError as error:
                    log.warning("the search for matches waits: %s", error)
                except (OSError, asyncio.IncompleteReadError):
                    raise
                except Exception:
                    log.exception("matches couldn't be kept; it is tried again")
                await asyncio.sleep(KEEP_RETRY_S)
        finally:
            self._ready = False

    async def _find(self, process: WorkerProcess, moved: asyncio.Event) -> None:
        """Has the process follow the lists and look for matches, and keeps these, until something goes wrong."""
        loop = asyncio.get_running_loop()
        kept = cursors = await asyncio.to_thread(self._cursors)
        keep_at = loop.time()
        while True:
            moved.clear()
            findings = await self._look(process, cursors)
            cursors = dict(findings.after)
            if findings.says_something or (cursors != kept and loop.time() >= keep_at):
                kept = cursors = await self._keep(replace(findings, before=kept))
                keep_at = loop.time() + KEEP_EVERY_S
                self._notifier.matches_changed()
            if not findings.more:
                await asyncio.sleep(FOLLOW_PAUSE_S)
                await process.wait_for(moved, None if cursors == kept else KEEP_EVERY_S)

    async def _look(self, process: WorkerProcess, cursors: Mapping[str, int]) -> Findings:
        answer = await process.ask(FOLLOW + self._clock().to_bytes(8) + json.dumps(cursors).encode())
        return decode_findings(answer)

    def _cursors(self) -> dict[str, int]:
        with self._database.read() as conn:
            return matches.positions(conn)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end()

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
        process = self._process
        if process is None or not self._ready:
            if await self._is_empty():
                nothing = [screening_pb2.ScreenedSubject(reference=one.reference) for one in subjects]
                return screening_pb2.ScreenPartiesResponse(subjects=nothing)
            raise UnavailableError("the screening index is being loaded", retry_after_s=_RETRY_AFTER_S)
        request = screening_pb2.ScreenPartiesRequest(subjects=subjects, max_hits=max_hits)
        question = SCREEN + at_ms.to_bytes(8) + _written(hidden) + request.SerializeToString()
        try:
            answer = await process.ask(question)
        except OSError as error:
            raise UnavailableError("the screening process has just ended", retry_after_s=_RETRY_AFTER_S) from error
        return screening_pb2.ScreenPartiesResponse.FromString(answer)

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


def _written(hidden: Hidden) -> bytes:
    names = " ".join(sorted(f"{publisher}/{name}" for publisher, name in hidden)).encode()
    return len(names).to_bytes(4) + names
