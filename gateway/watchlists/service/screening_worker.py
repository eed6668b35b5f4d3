"""Handles screening calls, estimates and match searches in the screening process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from gateway.v1 import screening_pb2, watchlist_pb2
from gateway.watchlists.codec.matches import Estimate, Findings
from gateway.watchlists.codec.screening import answer, record_of
from gateway.watchlists.rules.matches import SourceKind
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

    def estimate(self, publisher: str, update: watchlist_pb2.WatchlistUpdate, since_ms: int, at_ms: int) -> Estimate:
        """Compares the entries of an update with the remembered shipments and alerts since a time.

        The same writings of one source and entry are one match, as `codec.matches.match_key` has it.
        """
        recent, limits = self._screener.recent, self._screener.limits
        times = recent.times_since(since_ms)
        of_kind = Counter(key.kind for key in times)
        matches = []
        for change in update.changes:
            record = record_of(publisher, change.entered)
            hits = recent.hits(record, limits) if record.counts_at(at_ms) else ()
            found = {(hit.place.source, hit.hit.query, hit.hit.listed) for hit in hits if hit.place.source in times}
            matches.append(len(found))
        oldest = min(times.values(), default=0)
        return Estimate(matches, of_kind[SourceKind.SHIPMENT], of_kind[SourceKind.ALERT], oldest)
