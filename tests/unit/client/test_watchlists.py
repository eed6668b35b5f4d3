"""The client of watchlists where no gateway is needed: messages of an import, and where a watch stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from gateway.client.watchlists import ImportRows, WatchedChanges, _messages, _WatchState
from gateway.contract.limits import BATCH_BYTES, MAX_STREAM_ITEMS
from gateway.errors import TooLargeError
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.v1.watchlist_pb2 import WatchlistContent


def row(number: int, size: int = 0) -> pb.ImportRow:
    return pb.ImportRow(id=str(number), line=number, content=WatchlistContent(remarks="x" * size))


def messages(rows: ImportRows) -> list[pb.ImportRows]:
    async def run() -> list[pb.ImportRows]:
        return [each async for each in _messages(rows)]

    return asyncio.run(run())


def test_rows_go_in_messages_of_at_most_five_hundred_in_their_order() -> None:
    rows = [row(number) for number in range(1, 1_202)]
    found = messages(rows)
    assert [len(each.rows) for each in found] == [MAX_STREAM_ITEMS, MAX_STREAM_ITEMS, 201]
    assert [each for message in found for each in message.rows] == rows


def test_large_rows_share_no_message_that_would_be_too_large() -> None:
    found = messages([row(number, BATCH_BYTES // 2 - 100) for number in range(5)])
    assert [len(each.rows) for each in found] == [2, 2, 1]
    assert all(each.ByteSize() <= BATCH_BYTES + 1_000 for each in found)
    with pytest.raises(TooLargeError, match="row '7' of line 7"):
        messages([row(7, BATCH_BYTES + 1)])


def test_rows_may_come_from_an_asynchronous_source_and_there_may_be_none() -> None:
    async def source() -> AsyncIterator[pb.ImportRow]:
        yield row(1)

    assert [each.rows[0].id for each in messages(source())] == ["1"]
    assert messages([]) == []


def response(position: int, *ids: str) -> pb.WatchEntriesResponse:
    made = pb.WatchEntriesResponse(position=position)
    for each in ids:
        made.changes.add(publisher="cn").change.entered.id = each
    return made


def shown(watched: Iterable[WatchedChanges | None]) -> list[tuple[list[str], int, bool, bool] | None]:
    return [
        each and ([c.change.entered.id for c in each.changes], each.position, each.full_state, each.begins)
        for each in watched
    ]


def test_a_watch_goes_on_after_what_it_has_shown_and_tells_nothing_of_signs_of_life() -> None:
    following = _WatchState(7, full_state=False)
    following.connected()
    answers = [response(8, "A", "B"), response(8), response(9), response(10, "C")]
    assert shown(map(following.take, answers)) == [
        (["A", "B"], 8, False, False),
        None,
        ([], 9, False, False),
        (["C"], 10, False, False),
    ]
    assert (following.position, following.in_full_state) == (10, False)


def test_a_full_state_that_was_cut_off_begins_anew_and_one_that_is_whole_does_not() -> None:
    following = _WatchState(3, full_state=True)
    following.connected()
    assert following.position == 0
    assert shown(map(following.take, [response(0, "A"), response(0, "B")])) == [
        (["A"], 0, True, True),
        (["B"], 0, True, False),
    ]
    following.connected()  # after an interruption
    assert (following.position, following.in_full_state) == (0, True)
    assert shown(map(following.take, [response(0, "A"), response(40)])) == [
        (["A"], 0, True, True),
        ([], 40, False, False),
    ]
    following.connected()
    assert (following.position, following.in_full_state) == (40, False)
    assert shown([following.take(response(41, "B"))]) == [(["B"], 41, False, False)]


def test_an_empty_full_state_begins_too_so_that_what_was_held_is_dropped() -> None:
    following = _WatchState(0, full_state=True)
    following.connected()
    assert shown(map(following.take, [response(0), response(0)])) == [([], 0, True, True), None]
    assert shown([following.take(response(1, "A"))]) == [(["A"], 1, False, False)]
