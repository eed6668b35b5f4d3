"""Keeps a node's screening index beside its service: loads it after the start, follows commits, saves snapshots.

Owns when that happens. Doesn't own the index (services.screening). The names' vocabularies take more than a second and
some 140 MB to load, so a node serves first and screens when it is ready, and one that holds no list never loads them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import GatewayError, UnavailableError
from gateway.store import watchlists
from gateway.store.database import Database
from gateway.transport.bridge import Wakeups
from gateway.v1 import alert_pb2, alert_service_pb2, screening_pb2

if TYPE_CHECKING:
    from gateway.services.screening import Followed, Screener

log = logging.getLogger(__name__)

SAVE_EVERY_S = 600.0
"""How often the snapshot on disk is renewed when something has changed, in seconds."""

LARGE_UPDATES = 4
"""Updates, of up to 500 changes each, that are taken in at once; more of them wait until the lists come to rest."""

CALM_S = 1.0
"""Time without a commit after which the lists have come to rest, in seconds."""

LONGEST_WAIT_S = 120.0
"""How long the index waits for that at most, in seconds."""

RETRY_S = 5.0
"""Pause after a failure, in seconds."""

_RETRY_AFTER_S = 2.0


class ScreeningIndex:
    """The index of one node as its service uses it. Made and used in one event loop."""

    def __init__(
        self, database: Database, snapshot: Path, *, wakeups: Wakeups, thresholds: Mapping[str, tuple[float, float]]
    ) -> None:
        """Reads nothing.

        Args:
            database: holds the lists.
            snapshot: where the index is kept between starts.
            wakeups: tells of commits.
            thresholds: by list or `publisher/list`: scores for (compatible, strong).
        """
        self._thresholds = dict(thresholds)
        self._database = database
        self._snapshot = snapshot
        self._wakeups = wakeups
        self._screener: Screener | None = None
        self._empty = True

    async def run(self) -> None:
        """Loads, then follows until it is cancelled; whatever fails is tried again."""
        moved = asyncio.Event()
        end_subscription = self._wakeups.subscribe(Wakeups.PROJECTED, moved)
        saved_at = asyncio.get_running_loop().time()
        try:
            while True:
                moved.clear()
                try:
                    if self._empty:
                        self._empty = await asyncio.to_thread(self._is_empty)
                        if self._empty:
                            await moved.wait()
                            continue
                    await self._calm(moved)
                    if self._screener is None:
                        self._screener = await asyncio.to_thread(self._load)
                    await self._follow(self._screener, moved)
                    while not moved.is_set() and await asyncio.to_thread(self._screener.tidy):
                        pass  # its own upkeep, in steps, while nothing else is to do
                    if asyncio.get_running_loop().time() - saved_at > SAVE_EVERY_S:
                        saved_at = asyncio.get_running_loop().time()
                        await asyncio.to_thread(self._screener.save)
                except (GatewayError, OSError) as error:
                    log.warning("the screening index waits: %s", error)
                    await asyncio.sleep(RETRY_S)
                    continue
                except Exception:
                    log.exception("the screening index failed; it is tried again")
                    await asyncio.sleep(RETRY_S)
                    continue
                await moved.wait()
        finally:
            end_subscription()

    async def _calm(self, moved: asyncio.Event) -> None:
        """Lets a large change of the lists, an import or a partner's whole list, come to its end first.

        Indexing takes the interpreter from the writer: in between it would make both several times slower.
        """
        until = asyncio.get_running_loop().time() + LONGEST_WAIT_S
        while await asyncio.to_thread(self._backlog) > LARGE_UPDATES and asyncio.get_running_loop().time() < until:
            moved.clear()
            try:
                await asyncio.wait_for(moved.wait(), CALM_S)
            except TimeoutError:
                return

    async def _follow(self, screener: Screener, moved: asyncio.Event) -> None:
        """Takes in what there is, a small part at a time, with pauses as long when there is much."""
        loop = asyncio.get_running_loop()
        while True:
            moved.clear()
            started = loop.time()
            followed = await asyncio.to_thread(screener.follow, 1)
            _tell(followed)
            if not followed.changes and not await asyncio.to_thread(self._backlog):
                return
            if await asyncio.to_thread(self._backlog) > LARGE_UPDATES:
                await asyncio.sleep(loop.time() - started)

    def _backlog(self) -> int:
        """Updates that the lists show and the index doesn't; none while the lists are being built again."""
        known = self._screener.position if self._screener is not None else 0
        with self._database.read() as conn:
            return max(0, watchlists.applied(conn) - known)

    def _is_empty(self) -> bool:
        with self._database.read() as conn:
            return watchlists.last_seq(conn) == 0

    def _load(self) -> Screener:
        from gateway.screening.result import Thresholds  # noqa: PLC0415
        from gateway.services.screening import Screener  # noqa: PLC0415  takes more than a second

        thresholds = {name: Thresholds(*scores) for name, scores in self._thresholds.items()}
        screener = Screener(self._database, self._snapshot, thresholds=thresholds)
        taken = screener.start()
        log.info("screening against %d entries%s", screener.entries, ", from the snapshot" if taken else "")
        return screener

    def save(self) -> None:
        """Renews the snapshot, at a stop; a failure costs the next start its time and nothing else."""
        if self._screener is not None:
            try:
                self._screener.save()
            except (GatewayError, OSError) as error:
                log.warning("the screening index wasn't saved: %s", error)

    def screen_alert(self, content: alert_pb2.AlertContent, *, at_ms: int) -> list[alert_service_pb2.AlertHit] | None:
        """Screens what an alert names, in the calling thread; None while the index isn't loaded."""
        if self._screener is None:
            return [] if self._empty and self._is_empty() else None
        from gateway.services.screening import Subject  # noqa: PLC0415  loaded by now
        from gateway.wire.screening import hit_of, sought_of, subjects_of  # noqa: PLC0415

        subjects = subjects_of(content)
        done = self._screener.screen([Subject("", sought_of(one)) for one in subjects], at_ms=at_ms)
        return [
            alert_service_pb2.AlertHit(field=subject.reference, hit=hit_of(hit))
            for subject, found in zip(subjects, done.found, strict=True)
            for hit in found.hits
        ]

    def screen(
        self, subjects: Sequence[screening_pb2.ScreeningSubject], *, max_hits: int, at_ms: int
    ) -> tuple[list[screening_pb2.ScreenedSubject], int]:
        """Screens in the calling thread; returns the answers in order and the last change considered.

        Raises:
            UnavailableError: the index isn't loaded yet.
        """
        if self._screener is None and self._empty and self._is_empty():
            return [screening_pb2.ScreenedSubject(reference=one.reference) for one in subjects], 0
        if self._screener is None:
            raise UnavailableError("the screening index is being loaded", retry_after_s=_RETRY_AFTER_S)
        from gateway.services.screening import Subject  # noqa: PLC0415  loaded by now
        from gateway.wire.screening import answer, sought_of  # noqa: PLC0415

        asked = [Subject(one.reference, sought_of(one)) for one in subjects]
        done = self._screener.screen(asked, at_ms=at_ms, max_hits=max_hits)
        return answer((one.reference for one in subjects), done.found), done.position


def _tell(followed: Followed) -> None:
    for found in followed.backward:
        log.warning("party %s, screened before, may be on %s now", found.party, "/".join(found.hit.reference))
