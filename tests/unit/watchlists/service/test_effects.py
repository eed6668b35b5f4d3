from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec.entered_columns import columns_of
from gateway.watchlists.service.effects import first_of_own, replaced_at_once, row_of
from gateway.watchlists.tables.lists import ChangeRow, EntryRow

PLACE = ChangeRow(7, "f/hk/cn/watchlist", 3, 11, 1_700_000_000_000)

ENTRIES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "list": st.sampled_from(["sanctions", "vessels"]),
        "id": st.text("abc", min_size=1, max_size=2),
        "revision": st.integers(1, 9),
        "kind": st.sampled_from([1, 2, 3]),
        "valid_until": st.none() | st.integers(1, 10**6),
    }
)
ENDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"list": st.just("vessels"), "id": st.text("abc", min_size=1, max_size=1), "end": st.just(1)}
)


def change_of(said: dict[str, Any]) -> watchlist_pb2.WatchlistChange:
    change = watchlist_pb2.WatchlistChange()
    if "end" in said:
        change.ended.list, change.ended.id, change.ended.end = said["list"], said["id"], said["end"]
        return change
    entry = change.entered
    entry.list, entry.id, entry.revision, entry.content.kind = said["list"], said["id"], said["revision"], said["kind"]
    if said["valid_until"] is not None:
        entry.content.valid_until.seconds = said["valid_until"]
    return change


@given(said=st.lists(ENTRIES | ENDS, min_size=1, max_size=12))
def test_rows_made_at_once_are_those_made_one_by_one(said: list[dict[str, Any]]) -> None:
    update = watchlist_pb2.WatchlistUpdate(changes=map(change_of, said))
    columns = columns_of(update)
    rows: dict[tuple[str, str], EntryRow] = {}
    for ordinal, change in enumerate(update.changes):
        row = row_of("hk", change, PLACE, ordinal, None, own=False)
        if row is not None:
            rows[row.list, row.entry_id] = row
    entered = [one for one in said if "end" not in one]
    assert list(zip(columns.lists, columns.ids, strict=True)) == [(one["list"], one["id"]) for one in entered]
    assert columns.ends == len(said) - len(entered)
    at_once = replaced_at_once("hk", PLACE, columns)
    if columns.ends or len(rows) < len(entered):
        assert at_once is None
    else:
        assert at_once is not None
        assert {(row.list, row.entry_id): row for row in at_once} == rows


@given(said=st.lists(ENTRIES | ENDS, min_size=1, max_size=12))
def test_first_own_rows_made_at_once_are_those_made_one_by_one(said: list[dict[str, Any]]) -> None:
    update = watchlist_pb2.WatchlistUpdate(changes=map(change_of, said))
    for at, change in enumerate(update.changes):
        if "end" not in said[at]:
            change.entered.published_at.seconds = 1_700_000_000 + at
    rows = first_of_own("cn", PLACE, update, columns_of(update))
    keys = {(one["list"], one["id"]) for one in said}
    if any("end" in one or one["revision"] != 1 for one in said) or len(keys) < len(said):
        assert rows is None
    else:
        assert rows == [row_of("cn", change, PLACE, at, None, own=True) for at, change in enumerate(update.changes)]
