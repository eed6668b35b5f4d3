"""Handles screening calls and match searches in the screening process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from gateway.errors import GatewayError
from gateway.v1 import screening_pb2
from gateway.watchlists.codec.matches import Findings
from gateway.watchlists.codec.screening import answer
from gateway.watchlists.service.match_search import MatchSearch
from gateway.watchlists.service.screening import Screener

log = logging.getLogger(__name__)

UPKEEP_S = 1.0
"""Interval of index upkeep, in seconds."""

STEP_PAUSE_S = 0.001
"""Seconds between upkeep steps, left to searches and list changes."""

SAVE_EVERY_S = 600.0
"""Interval between snapshots of a changed index, in seconds."""


class ScreeningWorker:
    """Handles the node's calls and maintains the index."""

    def __init__(self, screener: Screener, search: MatchSearch) -> None:
        self._screener = screener
        self._search = search
        self._stopping = threading.Event()

    def screen(
        self, request: screening_pb2.ScreenPartiesRequest, hidden: frozenset[str], at_ms: int
    ) -> screening_pb2.ScreenPartiesResponse:
        """Screens against all lists except hidden ones, given as `publisher/list`."""
        done = self._screener.screen(
            request.subjects,
            visible=lambda group: group not in hidden,
            at_ms=at_ms,
            max_hits=request.max_hits,
        )
        references = (subject.reference for subject in request.subjects)
        subjects = answer(references, done.found, unindexed=done.unindexed)
        return screening_pb2.ScreenPartiesResponse(subjects=subjects, position=done.position)

    def follow(self, cursors: Mapping[str, int], at_ms: int) -> Findings:
        """Indexes list changes and searches for matches."""
        return replace(self._search.step(cursors, at_ms=at_ms), not_indexed=len(self._screener.skipped))

    @contextmanager
    def upkeep(self, *, save_at_once: bool = False) -> Iterator[None]:
        """Merges and saves the index from time to time; saves it at the end.

        Args:
            save_at_once: an index that was built anew is saved first, so that a crash doesn't cost it.
        """
        save_at = time.monotonic() + (0.0 if save_at_once else SAVE_EVERY_S)
        thread = threading.Thread(target=self._keep_up, args=(save_at,), name="upkeep")
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()
            self._save()

    def _keep_up(self, save_at: float) -> None:
        while not self._stopping.wait(UPKEEP_S):
            while self._screener.tidy() and not self._stopping.wait(STEP_PAUSE_S):
                pass
            if time.monotonic() >= save_at:
                self._save()
                save_at = time.monotonic() + SAVE_EVERY_S

    def _save(self) -> None:
        try:
            self._screener.save()
        except (GatewayError, OSError) as error:
            log.warning("the screening index wasn't saved: %s", error)
