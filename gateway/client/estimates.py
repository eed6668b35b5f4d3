"""Says before an import what its rows would match: how many a day, and which of them too much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.errors import GatewayError, Kind
from gateway.v1.watchlist_service_pb2 import EntryEstimate, EstimateMatchesResponse, ImportRow

if TYPE_CHECKING:
    from gateway.client.watchlists import WatchlistClient

MOST_ESTIMATED: Final = 2_000
"""Rows that are compared with the shipments and alerts of the last month, which takes some seconds."""

HEAVY_PER_DAY: Final = 10.0
"""Matches a day from which on an entry is said to match too much: each is a line that somebody has to decide."""

DAY_S: Final = 24 * 3600

_UNSURE: Final = frozenset({Kind.UNAVAILABLE, Kind.RESOURCE_EXHAUSTED, Kind.INVALID_ARGUMENT, Kind.UNIMPLEMENTED})
"""Kinds of errors after which nobody can say; what the gateway refuses of a row it says at the import."""


@dataclass(frozen=True, slots=True)
class MatchCost:
    """What entries would have matched in the last month.

    Attributes:
        per_day: expected matches a day of all entries, those that weren't compared counted like the others.
        days: how far back the shipments and alerts reach.
        heavy: entries that match too much: id, matches in that time and a day.
    """

    estimate: EstimateMatchesResponse
    per_day: float
    days: int
    heavy: Sequence[tuple[str, int, float]]

    @property
    def is_whole(self) -> bool:
        return self.estimate.compared == self.estimate.entries


def cost_of(estimate: EstimateMatchesResponse) -> MatchCost:
    """An estimate by the day. Less than a day counts as one: what came in an hour doesn't come every hour."""
    days = max(1.0, (estimate.until.seconds - estimate.since.seconds) / DAY_S)
    share = estimate.compared / estimate.entries if estimate.entries else 1.0
    return MatchCost(
        estimate,
        per_day=estimate.matches / share / days if share else 0.0,
        days=round(days),
        heavy=[
            (one.id, one.matches, one.matches / days) for one in estimate.most if one.matches / days >= HEAVY_PER_DAY
        ],
    )


async def import_cost(
    watchlist: WatchlistClient, list_name: str, chosen: Sequence[ImportRow], number: int
) -> MatchCost | None:
    """What so many rows would have matched, by those that `chosen_rows` chose; None while nobody can say."""
    parts = []
    try:
        for at in range(0, len(chosen), MAX_STREAM_ITEMS):
            part = chosen[at : at + MAX_STREAM_ITEMS]
            parts.append(await watchlist.estimate(list_name=list_name, rows=part))
    except GatewayError as error:
        if error.kind not in _UNSURE:
            raise
        return None
    whole = joined_estimates(parts)
    whole.entries = number
    return cost_of(whole)


def chosen_rows(rows: Iterable[ImportRow]) -> tuple[list[ImportRow], int]:
    """Rows to compare, and how many there are: first those that name goods or a way, then others from all over.

    What names goods is met every day; a name hardly ever. At most MOST_ESTIMATED of each, at least half where there are
    more.
    """
    goods, others = _Sample(), _Sample()
    for row in rows:
        (goods if row.content.commodities or row.content.route else others).add(row)
    return [*goods.rows, *others.rows], goods.seen + others.seen


class _Sample:
    """At most MOST_ESTIMATED rows of any number, evenly spread."""

    def __init__(self) -> None:
        self.rows: list[ImportRow] = []
        self.seen = 0
        self._distance = 1

    def add(self, row: ImportRow) -> None:
        if self.seen % self._distance == 0:
            self.rows.append(row)
        self.seen += 1
        if len(self.rows) > MOST_ESTIMATED:
            self.rows = self.rows[::2]
            self._distance *= 2


def joined_estimates(parts: Iterable[EstimateMatchesResponse]) -> EstimateMatchesResponse:
    """Estimates of several slices of a list as one."""
    whole = EstimateMatchesResponse()
    most: list[EntryEstimate] = []
    for part in parts:
        most += part.most
        entries, compared, matches = whole.entries, whole.compared, whole.matches
        whole = EstimateMatchesResponse()
        whole.CopyFrom(part)
        whole.entries, whole.compared, whole.matches = (
            entries + part.entries,
            compared + part.compared,
            matches + part.matches,
        )
    del whole.most[:]
    whole.most.extend(sorted(most, key=lambda one: -one.matches))
    return whole
