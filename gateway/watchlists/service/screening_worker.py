"""Handles screening calls and match searches in the screening process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.v1 import screening_pb2
from gateway.watchlists.codec.matches import Findings
from gateway.watchlists.codec.screening import answer
from gateway.watchlists.service.match_search import MatchSearch
from gateway.watchlists.service.screening import Screener


class ScreeningWorker:
    """Handles the node's calls."""

    def __init__(self, screener: Screener, search: MatchSearch) -> None:
        self._screener = screener
        self._search = search

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
