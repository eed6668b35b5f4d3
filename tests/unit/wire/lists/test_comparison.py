"""What a file changes in a list: nothing when it only reorders itself, and never a withdrawal that isn't sure."""

from __future__ import annotations

import io
import random
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from gateway.v1.watchlist_pb2 import ListedName, WatchlistContent
from gateway.wire.lists.comparison import Put, Vanished, Withdraw, changes
from gateway.wire.lists.csv_lists import read_csv
from gateway.wire.lists.normal import digest, normalise
from gateway.wire.lists.rows import BadRow, ListRow, SkippedRow
from tests.support.watchlists import OPTIONS, contents

HEADER = "id,kind,name,aliases\n"


def rows_of(text: str) -> list[object]:
    return list(read_csv(io.BytesIO((HEADER + text).encode()), OPTIONS))


def current(text: str) -> dict[str, bytes]:
    return {row.id: digest(row.content) for row in rows_of(text) if isinstance(row, ListRow)}


LIST = "A-1,person,One,x;y\nA-2,person,Two,\nA-3,person,Three,\n"


def test_the_same_file_again_changes_nothing() -> None:
    comparison = changes(current(LIST), rows_of(LIST), prune=True)
    assert list(comparison) == []
    assert (comparison.summary.unchanged, comparison.summary.vanished) == (3, 0)


def test_new_changed_and_vanished_entries() -> None:
    file = "A-1,person,One,y;x\nA-2,person,Two,changed\nA-4,person,Four,\n"
    comparison = changes(current(LIST), rows_of(file), prune=True)
    found = list(comparison)
    assert [(each.row.id, each.is_new) for each in found if isinstance(each, Put)] == [("A-2", False), ("A-4", True)]
    assert [each.id for each in found if isinstance(each, Withdraw)] == ["A-3"]
    summary = comparison.summary
    assert (summary.new, summary.changed, summary.unchanged, summary.vanished, summary.withdrawn) == (1, 1, 1, 1, 1)


def test_without_pruning_what_vanished_is_only_named() -> None:
    comparison = changes(current(LIST), rows_of("A-1,person,One,x;y\n"), prune=False)
    assert list(comparison) == [Vanished("A-2"), Vanished("A-3")]
    assert comparison.summary.withdrawn == 0


def test_an_entry_on_a_bad_line_has_not_vanished() -> None:
    comparison = changes(current(LIST), rows_of("A-1,person,One,x;y\nA-2,persona,Two,\n"), prune=True)
    found = list(comparison)
    assert [type(each) for each in found] == [BadRow, Withdraw]
    assert found[1] == Withdraw("A-3")
    assert comparison.summary.bad == 1


def test_a_line_whose_id_is_not_known_holds_all_withdrawals_back() -> None:
    comparison = changes(current(LIST), rows_of('A-1,person,One,x;y\n"A-2,person\n'), prune=True)
    assert [each for each in comparison if isinstance(each, Withdraw)] == []
    assert comparison.summary.vanished == 2
    assert "can't be read" in comparison.summary.held_back


def test_a_file_without_entries_withdraws_nothing() -> None:
    comparison = changes(current(LIST), rows_of(""), prune=True)
    assert len([each for each in comparison if isinstance(each, Vanished)]) == 3
    assert "no entries" in comparison.summary.held_back


def test_an_id_that_stands_twice_counts_once_and_is_named() -> None:
    comparison = changes({}, rows_of("A-1,person,One,\nA-1,person,Other,\n"), prune=True)
    put, bad = comparison
    assert isinstance(put, Put)
    assert isinstance(bad, BadRow)
    assert (put.row.content.names[0].text, bad.line, bad.id) == ("One", 3, "A-1")


def test_skipped_rows_are_counted_and_pass_through() -> None:
    comparison = changes({}, [SkippedRow(1, "x", "is no entry")], prune=True)
    assert len(list(comparison)) == comparison.summary.skipped == 1


def test_current_contents_may_stand_for_their_digests() -> None:
    (row,) = rows_of("A-1,person,One,x;y\n")
    assert isinstance(row, ListRow)
    unordered = WatchlistContent()
    unordered.CopyFrom(row.content)
    del unordered.names[:]
    unordered.names.extend([row.content.names[0], row.content.names[2], row.content.names[1]])
    assert unordered != row.content
    assert list(changes({"A-1": unordered}, [row], prune=True)) == []


@given(contents(), st.randoms())
def test_order_without_meaning_does_not_change_the_digest(content: WatchlistContent, shuffle: random.Random) -> None:
    mixed = WatchlistContent()
    mixed.CopyFrom(content)
    leading, *others = list(content.names)
    for name, parts in (
        ("identifiers", list(content.identifiers)),
        ("addresses", list(content.addresses)),
        ("commodities", list(content.commodities)),
        ("birth_dates", list(content.birth_dates)),
        ("territories", list(content.territories)),
        ("releasable_to", list(content.releasable_to)),
    ):
        shuffle.shuffle(parts)
        del getattr(mixed, name)[:]
        getattr(mixed, name).extend([*parts, *parts[:1]])
    shuffle.shuffle(others)
    del mixed.names[:]
    mixed.names.extend([leading, *others])
    assert digest(mixed) == digest(content)
    normalise(mixed)
    assert mixed == content


@given(contents())
def test_normalising_twice_is_normalising_once(content: WatchlistContent) -> None:
    again = WatchlistContent()
    again.CopyFrom(content)
    normalise(again)
    assert again == content
    assert digest(content) == sha256(content.SerializeToString(deterministic=True)).digest()


@given(contents())
def test_the_order_of_a_route_and_the_primary_name_mean_something(content: WatchlistContent) -> None:
    other = WatchlistContent()
    other.CopyFrom(content)
    other.names.insert(0, ListedName(text="Another primary name", kind=1))
    assert digest(other) != digest(content)
    if len(content.route) > 1 and content.route[0] != content.route[-1]:
        turned = WatchlistContent()
        turned.CopyFrom(content)
        del turned.route[:]
        turned.route.extend(reversed(content.route))
        if list(turned.route) != list(content.route):
            assert digest(turned) != digest(content)
