"""An index joined from parts, made anywhere and of any size, is the one that is loaded at once."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from gateway.screening.index import columns, growing_columns
from gateway.screening.index.columns import IndexEntry
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.index.parts import IndexPart, RefusedEntry, batches, build_part
from gateway.screening.index.snapshot import _parts
from tests.unit.screening.index.test_index import LISTED, ids, record

ENTRIES = [record(f"{n}", name, group=f"cn/{n % 3}") for n, name in enumerate(LISTED)]
UNREADABLE = IndexEntry("cn/0", "unreadable", 1, 2, 3, 0, 0, [None], [])  # type: ignore[list-item]


def joined(made: Iterator[IndexPart]) -> NameIndex:
    index = NameIndex()
    index.join(made)
    return index


def bytes_of(index: NameIndex) -> list[dict[str, bytes]]:
    return [{name: bytes(memoryview(part)) for name, part in _parts(run)} for run in index.sorted_runs()]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_parts_of_any_size_from_anywhere_give_one_index(size: int) -> None:
    whole = NameIndex()
    whole.load(ENTRIES)
    sent = (pickle.loads(pickle.dumps(build_part(some))) for some in batches(ENTRIES, size))  # noqa: S301 (own bytes)
    index = joined(sent)
    assert index.groups == whole.groups
    assert bytes_of(index) == bytes_of(whole)
    assert index.sorted_runs()[0].held == whole.sorted_runs()[0].held


def test_an_entry_that_cannot_be_read_is_refused_and_the_others_follow() -> None:
    refused: list[RefusedEntry] = []
    index = NameIndex()
    index.load([ENTRIES[0], UNREADABLE, ENTRIES[1]], refused.append)
    assert [(entry.group, entry.id) for entry in refused] == [("cn/0", "unreadable")]
    assert len(index) == 2
    assert "1" in ids(index, LISTED[1])
    with pytest.raises(AttributeError):
        index.load([UNREADABLE])


def test_what_one_run_has_no_room_for_begins_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (columns, growing_columns):
        monkeypatch.setattr(module, "MAX_ROWS", 100)
    index = joined(build_part(some) for some in batches(ENTRIES[:250], 40))
    assert [run.columns.rows for run in index.sorted_runs()] == [80, 80, 90]
    assert all(str(n) in ids(index, LISTED[n], limit=99) for n in range(250))


def test_an_entry_of_a_part_replaces_its_earlier_revision_wherever_it_is() -> None:
    index = NameIndex()
    index.load(ENTRIES[:5])
    index.put(ENTRIES[5])
    changed = [record(f"{n}", LISTED[n + 50], group=f"cn/{n % 3}", revision=2) for n in (2, 5)]
    index.join([build_part(changed)])
    assert len(index) == 6
    hits = index.search(PartyQuery((LISTED[2], LISTED[5])), limit=99).hits
    assert not {(hit.reference.id, hit.revision) for hit in hits} & {("2", 1), ("5", 1)}
    assert {"2", "5"} <= {hit.reference.id for hit in index.search(PartyQuery((LISTED[52], LISTED[55]))).hits}
