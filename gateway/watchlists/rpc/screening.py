"""Runs the screening process once there is a list, and stores its matches."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from gateway.alerts.rpc import ScreenedAlert
from gateway.db.database import Database
from gateway.errors import GatewayError, UnavailableError
from gateway.feed.rpc.writer_client import ChangeNotifier, set_within
from gateway.feed.service.alarms import SCREENING, Alarms
from gateway.plurals import counted
from gateway.rpc.workers.worker_main import Opener
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.trust.rules.permissions import Principal
from gateway.v1 import alert_pb2, alert_service_pb2, match_pb2, screening_pb2
from gateway.watchlists.codec.matches import Findings
from gateway.watchlists.codec.subjects import subjects_of
from gateway.watchlists.rules.verdicts import QUIET_S, is_report_due
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden, ListVisibility
from gateway.watchlists.service.screening_handlers import ESTIMATE, FOLLOW, SCREEN, SCREEN_FEW
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import matches, screening_reports

log = logging.getLogger(__name__)

FEW_SUBJECTS = 8
"""Most subjects for SCREEN_FEW: what one alert or one form names."""

SLICE_SUBJECTS = 32
"""Subjects of a batch passed to the process together, some ten milliseconds; then comes another caller's turn."""

SLICES_AHEAD = 2
"""Slices of one call under way: the process needn't wait for the node."""

ALERT_DEADLINE_S = 0.2
"""Seconds that an alert waits for its screening; then it is shown with screening pending."""

FOLLOW_TIMEOUT_S = 300.0
"""Timeout of FOLLOW in seconds: each part takes at most one."""

SCREEN_TIMEOUT_S = 120.0
"""Timeout of SCREEN, SCREEN_FEW and ESTIMATE in seconds."""

RETRY_S = 5.0
"""Seconds before an ended process is restarted."""

KEEP_RETRY_S = 1.0
"""Seconds before a failed search or store is retried."""

KEEP_EVERY_S = 1.0
"""Seconds between storing idle cursors: a commit costs the writer, and a crash repeats the search since."""

FOLLOW_PAUSE_S = 0.05
"""Least seconds between FOLLOW calls when nothing is left to find."""

_RETRY_AFTER_S = 2.0

Keep = Callable[[Findings], Awaitable[dict[str, int]]]
"""Stores findings and returns the cursors then in force."""

MATCH_SEARCH = "search for matches"
"""Role of the replica whose findings are kept; of the others those alone about parties that were screened there."""


class _WaitingReports(NamedTuple):
    """When lists began to change and changed last, in seconds of the loop's clock."""

    began: float
    changed: float


class ScreeningProcess:
    """The screening process of one node. For the event loop of `run` alone."""

    def __init__(
        self,
        opener: Opener,
        database: Database,
        *,
        database_url: str,
        index: Path,
        notifier: ChangeNotifier,
        thresholds: Mapping[str, tuple[float, float]],
        keep: Keep,
        keep_beside: Keep,
        searches: Callable[[], bool],
        clock: Callable[[], int],
        alarms: Alarms,
    ) -> None:
        """Starts nothing.

        Args:
            opener: opens the process's handlers, given the URL of the database, the index and the thresholds.
            index: file of the index.
            notifier: signals commits.
            thresholds: by list or `publisher/list`: scores for (compatible, strong).
            keep: stores findings.
            keep_beside: stores findings about parties screened here, when another replica searches.
            searches: whether this replica has the role MATCH_SEARCH.
            clock: milliseconds since 1970.
            alarms: says how many entries of lists nothing is screened against.
        """
        self._alarms = alarms
        self._database = database
        self._notifier = notifier
        self._keep = keep
        self._keep_beside = keep_beside
        self._searches = searches
        self._clock = clock
        self._moved, self._listed = asyncio.Event(), asyncio.Event()
        self._needed = False
        self._loop = asyncio.get_running_loop()
        self.process = WorkerProcess(
            "screening",
            opener,
            (database_url, index, dict(thresholds)),
            deadlines_s={
                FOLLOW: FOLLOW_TIMEOUT_S,
                **dict.fromkeys((SCREEN, SCREEN_FEW, ESTIMATE), SCREEN_TIMEOUT_S),
            },
            on_end=self._ended,
        )

    async def run(self) -> None:
        """Runs the process until cancelled."""
        listed = self._listed
        end_subscriptions = (
            self._notifier.subscribe(ChangeNotifier.PROJECTED, self._moved, coalesce=True),
            self._notifier.subscribe(ChangeNotifier.INDEXED, self._moved, coalesce=True),  # it follows indexed records
            self._notifier.subscribe(ChangeNotifier.LIST_CHANGES, listed, coalesce=True),
        )
        try:
            while True:
                try:
                    while not self._needed and await self._is_empty():
                        await listed.wait()
                        listed.clear()
                    await asyncio.wrap_future(await asyncio.to_thread(self.process.start))
                    await self._find_matches()
                except GatewayError as error:
                    log.warning("screening waits: %s", error)
                except Exception:
                    log.exception("screening failed; its process is started again")
                await asyncio.sleep(RETRY_S)
        finally:
            for end_subscription in end_subscriptions:
                end_subscription()
            await asyncio.to_thread(self.process.stop)

    def _ended(self) -> None:
        """Wakes the search after the process ended; called in a thread."""
        self._loop.call_soon_threadsafe(self._moved.set)

    async def _find_matches(self) -> None:
        while self.process.is_ready:
            try:
                await (self._follow() if self._searches() else self._accompany())
            except GatewayError as error:
                log.warning("the search for matches waits: %s", error)
            except Exception:
                log.exception("matches couldn't be kept; it is tried again")
            await asyncio.sleep(KEEP_RETRY_S)

    async def _follow(self) -> None:
        """Searches for matches and stores them until a failure, or until another replica does."""
        loop = asyncio.get_running_loop()
        kept = cursors = await asyncio.to_thread(self._cursors)
        keep_at = loop.time()
        waiting = await self._open_reports(loop.time())
        while self._searches():
            self._moved.clear()
            findings = await self._look(cursors)
            if findings.after.get(matches.LISTS) != cursors.get(matches.LISTS):
                waiting = _WaitingReports(waiting.began if waiting else loop.time(), loop.time())
            cursors = dict(findings.after)
            if waiting and not findings.more and is_report_due(loop.time(), *waiting):
                waiting = await self._open_reports(loop.time())
                findings = replace(findings, ends_reports=waiting is not None)
            if findings.has_findings or (cursors != kept and loop.time() >= keep_at):
                kept = cursors = await self._keep(replace(findings, before=kept))
                if findings.ends_reports and kept == findings.after:
                    waiting = None
                keep_at = loop.time() + KEEP_EVERY_S
            if not findings.more:
                await asyncio.sleep(FOLLOW_PAUSE_S)
                if cursors != kept:
                    await set_within(self._moved, KEEP_EVERY_S)
                else:
                    await (set_within(self._moved, QUIET_S) if waiting else self._moved.wait())

    async def _open_reports(self, now_s: float) -> _WaitingReports | None:
        """Reports that were begun, here or before a crash; None for none."""

        def look() -> bool:
            with self._database.read() as conn:
                return bool(screening_reports.open_reports(conn))

        return _WaitingReports(now_s, now_s) if await asyncio.to_thread(look) else None

    async def _accompany(self) -> None:
        """Keeps the index up to date while another replica searches; stores what concerns parties screened here."""
        cursors = await asyncio.to_thread(self._cursors)
        while not self._searches():
            self._moved.clear()
            findings = await self._look(cursors)
            cursors = dict(findings.after)
            own = [match for match in findings.matches if match.source.kind == match_pb2.MATCH_SOURCE_KIND_SCREENED]
            if own:
                await self._keep_beside(replace(findings, matches=own, screened=(), changed=()))
            if not findings.more:
                await asyncio.sleep(FOLLOW_PAUSE_S)
                while not (self._searches() or await set_within(self._moved, KEEP_EVERY_S)):
                    pass

    def _tell(self, not_indexed: int) -> None:
        if not_indexed:
            entries = counted(not_indexed, "entry")
            self._alarms.set(
                SCREENING, "index", f"nothing is screened against {entries} of lists; the log names them and says why"
            )
        else:
            self._alarms.clear(SCREENING, "index")

    async def _look(self, cursors: Mapping[str, int]) -> Findings:
        future = self.process.call(FOLLOW, cursors, self._clock(), caller=FOLLOW)
        findings: Findings = await asyncio.wrap_future(future)
        self._tell(findings.not_indexed)
        return findings

    def _cursors(self) -> dict[str, int]:
        with self._database.read() as conn:
            return matches.positions(conn)

    async def _is_empty(self) -> bool:
        def look() -> bool:
            with self._database.read() as conn:
                return watchlists.last_seq(conn) == 0

        return await asyncio.to_thread(look)

    def require(self) -> None:
        """Has the process started even before there is a list; raises UnavailableError until it is ready."""
        if not self.process.is_ready:
            self._needed = True
            self._listed.set()
            raise UnavailableError("the screening index is being loaded", retry_after_s=_RETRY_AFTER_S)

    async def screen(
        self,
        subjects: Sequence[screening_pb2.ScreeningSubject],
        *,
        max_hits: int,
        at_ms: int,
        hidden: Hidden = NOTHING_HIDDEN,
        caller: str,
    ) -> screening_pb2.ScreenPartiesResponse:
        """Screens subjects in order.

        Args:
            max_hits: per subject; 0 for the default.
            at_ms: milliseconds since 1970.
            hidden: lists to leave out.
            caller: callers are served in turn.

        Raises:
            UnavailableError: the index is loading, or its process has just ended.
            GatewayError: the screening failed; the log says why.
        """
        if not self.process.is_ready:
            if await self._is_empty():
                nothing = [screening_pb2.ScreenedSubject(reference=subject.reference) for subject in subjects]
                return screening_pb2.ScreenPartiesResponse(subjects=nothing)
            raise UnavailableError("the screening index is being loaded", retry_after_s=_RETRY_AFTER_S)
        hidden_groups = frozenset(f"{publisher}/{name}" for publisher, name in hidden)
        few = len(subjects) <= FEW_SUBJECTS

        async def screen_slice(start: int) -> screening_pb2.ScreenPartiesResponse:
            part = subjects[start : start + SLICE_SUBJECTS]
            request = screening_pb2.ScreenPartiesRequest(subjects=part, max_hits=max_hits)
            handler = SCREEN_FEW if few else SCREEN
            future = self.process.call(handler, request, hidden_groups, at_ms, caller=caller, alone=not few)
            response: screening_pb2.ScreenPartiesResponse = await asyncio.wrap_future(future)
            return response

        if few:
            return await screen_slice(0)
        return await _joined(screen_slice, range(0, len(subjects), SLICE_SUBJECTS))


async def _joined(
    screen_slice: Callable[[int], Awaitable[screening_pb2.ScreenPartiesResponse]], starts: Iterable[int]
) -> screening_pb2.ScreenPartiesResponse:
    """Screens slices, SLICES_AHEAD at once; the position is the earliest that one of them was screened at."""
    starts = iter(starts)
    under_way = deque(asyncio.ensure_future(screen_slice(start)) for start in islice(starts, SLICES_AHEAD))
    whole = screening_pb2.ScreenPartiesResponse()
    try:
        while under_way:
            part = await under_way[0]
            under_way.popleft()
            under_way.extend(asyncio.ensure_future(screen_slice(start)) for start in islice(starts, 1))
            whole.position = min(whole.position, part.position) if whole.subjects else part.position
            whole.subjects.extend(part.subjects)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    return whole


class ListedAlertScreening:
    """Screens alerts against the lists that a caller may see."""

    def __init__(self, process: ScreeningProcess, *, visibility: ListVisibility, clock: Callable[[], int]) -> None:
        """`clock` gives milliseconds since 1970."""
        self._process = process
        self._visibility = visibility
        self._clock = clock

    async def screen_alert(self, content: alert_pb2.AlertContent, *, principal: Principal) -> ScreenedAlert:
        """Hits on an alert's subjects; none while screening isn't available or takes longer than ALERT_DEADLINE_S."""
        subjects = subjects_of(content)
        try:
            async with asyncio.timeout(ALERT_DEADLINE_S):
                done = await self._process.screen(
                    list(subjects.values()),
                    max_hits=0,
                    at_ms=self._clock(),
                    hidden=self._visibility.hidden_from(principal.roles),
                    caller=principal.id,
                )
        except (GatewayError, TimeoutError):
            return ScreenedAlert([], is_complete=False)
        hits = [
            alert_service_pb2.AlertHit(field=path, hit=hit)
            for path, screened in zip(subjects, done.subjects, strict=True)
            for hit in screened.hits
        ]
        return ScreenedAlert(hits, is_complete=not any(screened.unindexed for screened in done.subjects))
