"""Reads what became of matches and hits, by list."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, select

from gateway.contract.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.v1 import watchlist_pb2
from gateway.watchlists.rules.matches import MatchStatus
from gateway.watchlists.tables.schema import list_hits, matches

ListName = tuple[str, str]
"""Publisher and name."""

_LAST_UUID_MS = (1 << 48) - 1


class ListResults(NamedTuple):
    """Numbers of one list, as in the contract's ListFigures."""

    confirmed: int = 0
    dismissed: int = 0
    open: int = 0
    owner_confirmed: int = 0
    owner_false: int = 0
    owner_undecided: int = 0


_OF_OUTCOMES = {
    watchlist_pb2.HIT_OUTCOME_CONFIRMED: "owner_confirmed",
    watchlist_pb2.HIT_OUTCOME_FALSE: "owner_false",
}


def read(conn: Connection, from_ms: int, until_ms: int) -> dict[ListName, ListResults]:
    """Results by list: of decisions and hits from `from_ms` to before `until_ms`, and of matches that are open now.

    A hit's time is that of its id, which the reporting gateway gave.
    """
    numbers: dict[ListName, dict[str, int]] = {}

    def count(publisher: str, name: str, what: str, number: int) -> None:
        of_list = numbers.setdefault((publisher, name), {})
        of_list[what] = of_list.get(what, 0) + number

    for publisher, name, status, number in conn.execute(_decided(from_ms, until_ms)):
        count(publisher, name, status, number)
    for publisher, name, number in conn.execute(_OPEN):
        count(publisher, name, "open", number)
    for publisher, name, outcome, number in conn.execute(_hits(from_ms, until_ms)):
        count(publisher, name, _OF_OUTCOMES.get(outcome, "owner_undecided"), number)
    return {key: ListResults(**numbers[key]) for key in sorted(numbers)}


_OPEN = (
    select(matches.c.publisher, matches.c.list, func.count())
    .where(matches.c.status == MatchStatus.OPEN.value)
    .group_by(matches.c.publisher, matches.c.list)
)


def _decided(from_ms: int, until_ms: int) -> Select[Any]:
    columns = matches.c
    return (
        select(columns.publisher, columns.list, columns.status, func.count())
        .where(
            columns.decided_at > 0,  # for the index
            columns.decided_at >= from_ms,
            columns.decided_at < until_ms,
            columns.status.in_((MatchStatus.CONFIRMED.value, MatchStatus.DISMISSED.value)),
        )
        .group_by(columns.publisher, columns.list, columns.status)
    )


def _hits(from_ms: int, until_ms: int) -> Select[Any]:
    columns = list_hits.c
    return (
        select(columns.publisher, columns.list, columns.outcome, func.count())
        .where(columns.hit_id >= _first_id(from_ms), columns.hit_id < _first_id(until_ms))
        .group_by(columns.publisher, columns.list, columns.outcome)
    )


def _first_id(at_ms: int) -> str:
    return uuid7(min(max(at_ms, 0), _LAST_UUID_MS), bytes(UUID7_RANDOM_BYTES))
