"""Rows of an import that are compared with what was seen lately, and what they cost a day."""

from __future__ import annotations

from itertools import pairwise

from gateway.client.estimates import MOST_ESTIMATED, chosen_rows, cost_of, joined_estimates
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.v1.watchlist_service_pb2 import EntryEstimate, EstimateMatchesResponse, ImportRow

GOODS = WatchlistContent()
GOODS.commodities.add(code="811010")


def rows(number: int, *, content: WatchlistContent | None = None) -> list[ImportRow]:
    return [ImportRow(id=str(at), content=content) for at in range(number)]


def test_few_rows_are_all_compared() -> None:
    assert chosen_rows(rows(MOST_ESTIMATED)) == (rows(MOST_ESTIMATED), MOST_ESTIMATED)
    assert chosen_rows([]) == ([], 0)


def test_of_many_rows_some_from_all_over_are_compared() -> None:
    chosen, number = chosen_rows(rows(50_000))
    assert number == 50_000
    assert MOST_ESTIMATED / 2 <= len(chosen) <= MOST_ESTIMATED
    places = [int(row.id) for row in chosen]
    distances = {later - earlier for earlier, later in pairwise(places)}
    assert len(distances) == 1, "evenly"
    assert places[-1] + distances.pop() >= 50_000


def test_what_names_goods_is_compared_among_any_number_of_names() -> None:
    wide = ImportRow(id="WIDE", content=GOODS)
    chosen, number = chosen_rows([*rows(9_999), wide, *rows(10_000)])
    assert number == 20_000
    assert chosen[0] == wide


def test_matches_are_told_by_the_day_and_what_was_not_compared_counts_like_the_rest() -> None:
    parts = []
    for name, matches in (("a", 30), ("b", 600)):
        part = EstimateMatchesResponse(entries=10, compared=5, matches=matches)
        part.until.seconds = 30 * 24 * 3600
        part.most.append(EntryEstimate(id=name, matches=matches))
        parts.append(part)
    cost = cost_of(joined_estimates(parts))
    assert (cost.estimate.entries, cost.estimate.compared, cost.days) == (20, 10, 30)
    assert cost.per_day == 630 / 0.5 / 30
    assert cost.heavy == [("b", 600, 20.0)]
    assert not cost.is_whole
