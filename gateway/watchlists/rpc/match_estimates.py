"""Asks the screening process what entries would match, in slices and for a bounded time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from gateway.contract.messages import to_timestamp
from gateway.v1 import watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.codec.matches import Estimate
from gateway.watchlists.rpc.screening import ScreeningProcess
from gateway.watchlists.service.screening_handlers import ESTIMATE

WINDOW_MS = 30 * 24 * 3600 * 1000
"""How far shipments and alerts reach back that entries are compared with."""

WITHIN_S = 4.0
"""Seconds after which no further slice is compared: a person waits for the page."""

SLICE_ENTRIES = 25
"""Entries of a slice: some ten milliseconds with a day of a busy port."""

MOST_ENTRIES = 20
"""Entries with the most matches that are named."""


class MatchEstimates:
    """Estimates for one node."""

    def __init__(self, process: ScreeningProcess, *, node: str, clock: Callable[[], int]) -> None:
        """`clock` gives milliseconds since 1970."""
        self._process = process
        self._node = node
        self._clock = clock

    async def of(self, entries: Sequence[watchlist_pb2.WatchlistEntry], *, caller: str) -> pb.EstimateMatchesResponse:
        """What entries would have matched; when time runs out, those compared are from all over the sequence.

        Raises:
            UnavailableError: the screening process isn't ready.
        """
        self._process.require()
        now = self._clock()
        end = time.monotonic() + WITHIN_S
        response = pb.EstimateMatchesResponse(entries=len(entries), until=to_timestamp(now))
        counted: list[tuple[int, str]] = []
        for part in _spread(entries):
            update = watchlist_pb2.WatchlistUpdate(
                changes=[watchlist_pb2.WatchlistChange(entered=entry) for entry in part]
            )
            call = self._process.process.call(
                ESTIMATE, self._node, update, now - WINDOW_MS, now, caller=caller, alone=True
            )
            estimate: Estimate = await asyncio.wrap_future(call)
            counted += zip(estimate.matches, (entry.id for entry in part), strict=True)
            response.shipments, response.alerts = estimate.shipments, estimate.alerts
            response.since.CopyFrom(to_timestamp(estimate.since_ms or now))
            if time.monotonic() > end:
                break
        response.compared = len(counted)
        response.matches = sum(matches for matches, _id in counted)
        counted.sort(key=lambda one: (-one[0], one[1]))
        for matches, entry_id in islice(counted, MOST_ENTRIES):
            if matches:
                response.most.add(id=entry_id, matches=matches)
        return response


def estimated_entries(given: pb.EstimatedEntries) -> list[watchlist_pb2.WatchlistEntry]:
    """Rows as entries of a list."""
    return [watchlist_pb2.WatchlistEntry(list=given.list, id=row.id, content=row.content) for row in given.rows]


def _spread(entries: Sequence[watchlist_pb2.WatchlistEntry]) -> Iterator[Sequence[watchlist_pb2.WatchlistEntry]]:
    """Slices with entries from all over a sequence."""
    slices = math.ceil(len(entries) / SLICE_ENTRIES)
    for start in range(slices):
        yield entries[start::slices]
