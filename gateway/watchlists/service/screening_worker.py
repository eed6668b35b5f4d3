"""Handles screening calls and match searches in the screening process."""

from __future__ import annotations

import logging
import math
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

MANY_ROWS = 200_000
"""Names and identifiers in memory, of some 150 bytes each, from which on it is saved sooner."""

SAVE_REST_S = 60.0
"""Least interval between snapshots, in seconds: a million entries are 350 MB to write."""


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
        thread = threading.Thread(target=self._keep_up, args=(save_at_once,), name="upkeep")
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()
            self._save(for_good=True)

    def _keep_up(self, save_at_once: bool) -> None:
        saved = -math.inf if save_at_once else time.monotonic()
        while not self._stopping.wait(UPKEEP_S):
            while self._screener.tidy() and not self._stopping.wait(STEP_PAUSE_S):
                pass
            interval = SAVE_REST_S if self._screener.rows_in_memory >= MANY_ROWS else SAVE_EVERY_S
            if time.monotonic() - saved >= interval:
                self._save()
                saved = time.monotonic()

    def _save(self, *, for_good: bool = False) -> None:
        try:
            self._screener.save(for_good=for_good)
        except (GatewayError, OSError) as error:
            log.warning("the screening index wasn't saved: %s", error)
