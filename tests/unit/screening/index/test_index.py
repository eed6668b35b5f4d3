"""The index against an exhaustive comparison, under additions, replacements, removals, merges and restarts."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from gateway.screening.compare import compare
from gateway.screening.index import index as index_module
from gateway.screening.index import snapshot
from gateway.screening.index.candidates import MAX_CANDIDATES, MAX_SURE
from gateway.screening.index.columns import MAX_ROWS, ROW_BITS, EntryName, IndexEntry
from gateway.screening.index.hits import Hit
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.index.key_numbers import KEY_BITS, KeyKind, kind_of, on_both_sides, text_number
from gateway.screening.index.snapshot import SnapshotUnusableError
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass, NameKind, Thresholds
from tests.support.names import own_pairs

P, ORG = NameKind.PERSON, NameKind.ORGANISATION

LISTED = sorted({(text, pair.name_kind) for pair in own_pairs() for text in (pair.a, pair.b)})
LISTED_NAMES = st.integers(0, len(LISTED) - 1).map(lambda number: LISTED[number])


def record(entry_id: str, *names: tuple[str, NameKind], group: str = "cn/minerals", **other: object) -> IndexEntry:
    plain = IndexEntry(group, entry_id, 1, 2, 3, 0, 0, [EntryName(*name) for name in names], [])
    return plain._replace(**other)


def ids(index: NameIndex, *names: tuple[str, NameKind], **how: object) -> list[str]:
    return [hit.reference.id for hit in index.search(PartyQuery(names), **how).hits]  # type: ignore[arg-type]


def explained(hits: Sequence[Hit]) -> list[tuple[object, ...]]:
    return [tuple(hit) for hit in hits]


prepared = cache(prepare)
"""Each name is compared with each other, and prepared once."""


def exhaustive(records: list[IndexEntry], query: tuple[str, NameKind]) -> dict[str, MatchClass]:
    name = prepared(*query)
    best = {
        each.id: max((compare(name, prepared(n.text, n.kind)).match_class for n in each.names), default=MatchClass.NONE)
        for each in records
    }
    return {entry_id: found for entry_id, found in best.items() if found}


def settle(index: NameIndex) -> None:
    while index.tidy():
        pass


class TestSearch:
    def test_finds_what_an_exhaustive_comparison_finds(self) -> None:
        records = [record(f"{n}", name) for n, name in enumerate(LISTED)]
        grown, loaded = NameIndex(), NameIndex()
        loaded.load(records)
        for each in records:
            grown.put(each)
        pairs = 0
        for query in LISTED:
            wanted = exhaustive(records, query)
            for index in (grown, loaded):
                hits = index.search(PartyQuery((query,)), limit=1_000).hits
                assert {hit.reference.id: hit.comparison.match_class for hit in hits} == wanted, query
            pairs += len(wanted)
        assert pairs > 2 * len(LISTED)

    def test_parties_searched_together_are_answered_as_if_they_came_alone(self) -> None:
        index = NameIndex()
        index.load(
            record(f"{n}", name, identifiers=[("mmsi", f"{n:09}")], group=f"{('cn', 'hk')[n % 2]}/minerals")
            for n, name in enumerate(LISTED)
        )
        parties = [PartyQuery((name,), (("mmsi", f"{n:09}"),)) for n, name in enumerate(reversed(LISTED[:300]))]
        parties += [PartyQuery(LISTED[:3]), PartyQuery(), *parties[:2]]

        def limits(group: str) -> Thresholds:
            return Thresholds(0.6, 0.8) if group.startswith("hk") else Thresholds()

        for how in ({}, {"thresholds": limits}, {"visible": lambda group: group.startswith("cn"), "limit": 2}):
            together = [(found.total, explained(found.hits)) for found in index.search_all(parties, **how)]
            alone = [index.search(party, **how) for party in parties]
            assert together == [(found.total, explained(found.hits)) for found in alone]
            assert sum(found.total for found in alone) > 300

    def test_the_best_come_first_and_the_limit_counts_the_rest(self) -> None:
        index = NameIndex()
        index.put(record("latin", ("Tang Xun Kong Gu", ORG)))
        index.put(record("same", ("騰訊控股有限公司", ORG)))
        index.put(record("strong", ("腾讯控股", ORG)))
        found = index.search(PartyQuery((("腾讯控股有限公司", ORG),)))
        assert [(hit.reference.id, hit.comparison.match_class) for hit in found.hits][:2] == [
            ("same", MatchClass.IDENTICAL),
            ("strong", MatchClass.STRONG),
        ]
        cut = index.search(PartyQuery((("腾讯控股有限公司", ORG),)), limit=1)
        assert (cut.total, len(cut.hits)) == (found.total, 1)

    def test_common_keys_dont_hide_an_identical_name(self) -> None:
        index = NameIndex()
        index.load(record(f"{n}", (f"Wong Chi Wai {n}", P)) for n in range(600))
        index.put(record("same", ("黃志偉", P)))
        found = index.search(PartyQuery((("黄志伟", P),)), limit=1)
        assert found.hits[0].reference.id == "same"
        assert found.hits[0].comparison.match_class == MatchClass.IDENTICAL
        assert found.total > MAX_CANDIDATES / 2

    @pytest.mark.parametrize("own", ["黃志偉", "Wong Chi Wai"])
    @pytest.mark.parametrize("lists", [1, 30])
    def test_entries_of_one_publisher_hide_no_others(self, own: str, lists: int) -> None:
        index = NameIndex()
        index.load(record(f"{n}", ("黃志偉", P), group=f"mo/flood-{n % lists}") for n in range(MAX_SURE + 200))
        index.put(record("own", (own, P), group="hk/own"))
        settle(index)
        found = index.search(PartyQuery((("黄志伟", P),)))
        assert "own" in {hit.reference.id for hit in found.hits}
        assert len(found.hits) == index_module.MAX_HITS
        assert [hit.rank for hit in found.hits] == sorted((hit.rank for hit in found.hits), reverse=True)

    def test_a_weak_alias_counts_less(self) -> None:
        index = NameIndex()
        index.put(record("alias", names=[EntryName("黃志偉", P)]))
        index.put(record("weak", names=[EntryName("黃志偉", P, weak=True)]))
        first, second = index.search(PartyQuery((("黄志伟", P),))).hits
        assert (first.reference.id, first.comparison.match_class) == ("alias", MatchClass.IDENTICAL)
        assert (second.reference.id, second.comparison.match_class) == ("weak", MatchClass.COMPATIBLE)
        assert second.comparison.score == pytest.approx(0.9)
        assert "weak alias" in second.comparison.because

    def test_only_what_the_caller_may_see_and_what_counts_now(self) -> None:
        index = NameIndex()
        index.put(record("own", ("黃志偉", P)))
        index.put(record("partner", ("黃志偉", P), group="mo/secret"))
        index.put(record("later", ("黃志偉", P), valid_from=2_000))
        index.put(record("over", ("黃志偉", P), valid_until=1_000))
        query = ("黃志偉", P)
        assert set(ids(index, query)) == {"own", "partner", "later", "over"}
        assert set(ids(index, query, at_ms=1_000)) == {"own", "partner"}
        assert ids(index, query, at_ms=1_000, visible=lambda group: group.startswith("cn/")) == ["own"]

    def test_thresholds_are_those_of_the_list(self) -> None:
        index = NameIndex()
        index.put(record("strict", ("Wong Chi Wai", P), group="cn/strict"))
        index.put(record("usual", ("Wong Chi Wai", P), group="cn/usual"))
        strict = Thresholds(compatible=0.99, strong=1.0)
        found = ids(index, ("黃志偉", P), thresholds=lambda group: strict if group == "cn/strict" else Thresholds())
        assert found == ["usual"]

    def test_a_low_threshold_lets_pass_what_is_hopeless_elsewhere(self) -> None:
        index = NameIndex()
        index.put(record("guangzhou", ("广州宏达贸易有限公司", ORG)))
        query = ("深圳宏达贸易有限公司", ORG)
        assert ids(index, query) == []
        assert ids(index, query, thresholds=lambda _: Thresholds(compatible=0.65)) == ["guangzhou"]


class TestIdentifiers:
    @pytest.mark.parametrize(
        ("given", "listed", "found"),
        [
            (("hkid", "A123456(3)"), ("hkid", "A1234563"), MatchClass.IDENTICAL),
            (("imo_ship", "9074729"), ("imo_ship", "IMO 9074729"), MatchClass.IDENTICAL),
            (("", "粵Z·1234港"), ("cn_cross_border_plate", "粤Z1234港"), MatchClass.STRONG),
            (("passport_no", "E12345678"), ("passport", "E12345678"), MatchClass.STRONG),
            (("", "AB123"), ("hk_vehicle_plate", "AB123"), None),
            (("plate", "A·B 123"), ("hk_vehicle_plate", "AB123"), MatchClass.STRONG),
            (("plate", "2"), ("vehicle_plate", "2"), MatchClass.STRONG),
            (("plate", "2"), ("plate", "2"), MatchClass.IDENTICAL),
            (("mo_vehicle_plate", "AB123"), ("hk_vehicle_plate", "AB123"), None),
            (("plate", "AB123"), ("hk_brn", "AB123"), None),
            (("hk_brn", "12345678"), ("mo_bir", "12345678"), None),
            (("hkid", "-"), ("hkid", "()"), None),
        ],
    )
    def test_scheme_and_value(self, given: tuple[str, str], listed: tuple[str, str], found: MatchClass | None) -> None:
        index = NameIndex()
        index.put(record("x", identifiers=[listed]))
        hits = index.search(PartyQuery((), (given,))).hits
        assert [hit.comparison.match_class for hit in hits] == ([] if found is None else [found])

    def test_an_identifier_outranks_a_name(self) -> None:
        index = NameIndex()
        index.put(record("name", ("Wong Chi Wai", P)))
        index.put(record("number", ("Lee Tai Man", P), identifiers=[("hkid", "A1234563")]))
        found = index.search(PartyQuery((("Wong Chi Wai", P),), (("hkid", "A123456(3)"),)))
        assert [hit.reference.id for hit in found.hits] == ["number", "name"]


class TestChanges:
    def test_a_replacement_is_found_by_its_new_names_alone(self) -> None:
        index = NameIndex()
        index.put(record("x", ("黃志偉", P)))
        index.put(record("x", ("陳大文", P), revision=2))
        assert ids(index, ("黄志伟", P)) == []
        assert [hit.revision for hit in index.search(PartyQuery((("陈大文", P),))).hits] == [2]
        assert len(index) == 1

    def test_what_is_removed_is_gone(self) -> None:
        index = NameIndex()
        index.load([record("x", ("黃志偉", P))])
        assert index.remove("cn/minerals", "x")
        assert not index.remove("cn/minerals", "x")
        assert not index.remove("hk/none", "x")
        assert ids(index, ("黄志伟", P)) == []

    def test_what_dies_during_a_merge_stays_dead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(index_module, "GROWING_ROWS", 10)
        index = NameIndex()
        for number in range(40):
            index.put(record(f"{number}", ("黃志偉", P)))
        assert index.tidy()  # a merge has begun
        index.remove("cn/minerals", "3")
        index.put(record("5", ("陳大文", P), revision=2))
        settle(index)
        assert set(ids(index, ("黄志伟", P), limit=99)) == {str(n) for n in range(40)} - {"3", "5"}
        assert ids(index, ("陈大文", P)) == ["5"]

    def test_searches_go_on_while_entries_come_and_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(index_module, "GROWING_ROWS", 50)
        index = NameIndex()
        index.load([record("stays", ("黃志偉", P))])
        stop, missed = threading.Event(), []

        def search() -> None:
            while not stop.is_set():
                if "stays" not in ids(index, ("黄志伟", P), limit=99):
                    missed.append(1)

        readers = [threading.Thread(target=search) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(1_500):
            index.put(record(f"{number % 70}", LISTED[number % len(LISTED)]))
            index.remove("cn/minerals", f"{(number * 7) % 70}")
            index.tidy()
        stop.set()
        for reader in readers:
            reader.join()
        assert missed == []


class IndexMachine(RuleBasedStateMachine):
    """Any order of changes, merges and restarts leaves what an exhaustive comparison of the living entries finds."""

    known = Bundle("known")

    @initialize()
    def begin(self) -> None:
        self.index = NameIndex()
        self.living: dict[str, IndexEntry] = {}
        self.folder = TemporaryDirectory()

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(target=known, number=st.integers(0, 12), names=st.lists(LISTED_NAMES, min_size=1, max_size=3))
    def put(self, number: int, names: list[tuple[str, NameKind]]) -> str:
        entry = record(f"{number}", *names)
        self.index.put(entry)
        self.living[entry.id] = entry
        return entry.id

    @rule(entry_id=known)
    def remove(self, entry_id: str) -> None:
        assert self.index.remove("cn/minerals", entry_id) == (entry_id in self.living)
        self.living.pop(entry_id, None)

    @rule()
    def sort_and_merge_a_little(self) -> None:
        self.index.sorted_runs()
        self.index.tidy()

    @rule()
    def settle(self) -> None:
        settle(self.index)

    @rule()
    def save_and_continue_in_the_file(self) -> None:
        path = Path(self.folder.name) / "index"
        snapshot.write(path, self.index, source="here", seq=1)
        self.index.continue_with(snapshot.read(path).index.sorted_runs())
        assert self.index.rows_in_memory == 0

    @rule(query=LISTED_NAMES)
    def search(self, query: tuple[str, NameKind]) -> None:
        hits = self.index.search(PartyQuery((query,)), limit=99).hits
        wanted = exhaustive(list(self.living.values()), query)
        assert {hit.reference.id: hit.comparison.match_class for hit in hits} == wanted

    @invariant()
    def counts(self) -> None:
        assert len(self.index) == len(self.living)


TestIndexMachine = IndexMachine.TestCase
TestIndexMachine.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)


class TestSnapshot:
    def made(self) -> NameIndex:
        index = NameIndex()
        index.load(record(f"{n}", name) for n, name in enumerate(LISTED[:100]))
        for number in range(90, 140):
            index.put(record(f"{number}", LISTED[number], group="mo/list"))
        index.remove("cn/minerals", "7")
        return index

    @pytest.mark.parametrize("most_mapped", [0, snapshot.MOST_MAPPED])
    def test_what_is_read_back_finds_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_mapped: int
    ) -> None:
        monkeypatch.setattr(snapshot, "MOST_MAPPED", most_mapped)
        index = self.made()
        size = snapshot.write(tmp_path / "index", index, source="here", seq=12)
        found = snapshot.read(tmp_path / "index")
        assert (found.seq, found.source, len(found.index)) == (12, "here", len(index))
        assert size == (tmp_path / "index").stat().st_size
        for query in LISTED[:140]:
            assert found.index.search(PartyQuery((query,)), limit=99) == index.search(PartyQuery((query,)), limit=99)
        found.index.put(record("7", LISTED[7]))
        assert "7" in ids(found.index, LISTED[7])
        assert [path.name for path in tmp_path.iterdir()] == ["index"]

    @pytest.mark.parametrize("most_mapped", [0, snapshot.MOST_MAPPED])
    def test_a_saved_index_merges_with_what_came_since(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_mapped: int
    ) -> None:
        monkeypatch.setattr(snapshot, "MOST_MAPPED", most_mapped)
        index, path = self.made(), tmp_path / "index"
        for number in range(140, 160):
            snapshot.write(path, index, source="here", seq=number)
            index.continue_with(snapshot.read(path).index.sorted_runs())
            index.put(record(f"{number}", LISTED[number]))
        settle(index)
        assert len(index.sorted_runs()) < 5
        for number in range(100, 160):
            assert f"{number}" in ids(index, LISTED[number], limit=99)

    def test_every_damage_is_told(self, tmp_path: Path) -> None:
        path = tmp_path / "index"
        snapshot.write(path, self.made(), source="here", seq=12)
        whole = path.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 150)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
            with pytest.raises(SnapshotUnusableError):
                snapshot.read(path)
        for length in (0, 5, 40, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            with pytest.raises(SnapshotUnusableError):
                snapshot.read(path)
        path.write_bytes(whole + b"x")
        with pytest.raises(SnapshotUnusableError):
            snapshot.read(path)

    def test_none_and_another_version_are_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(SnapshotUnusableError, match="there is no snapshot"):
            snapshot.read(tmp_path / "index")
        snapshot.write(tmp_path / "index", self.made(), source="here", seq=12)
        monkeypatch.setattr(snapshot, "RULES", snapshot.RULES + 1)
        with pytest.raises(SnapshotUnusableError, match="another version"):
            snapshot.read(tmp_path / "index")


def test_a_posting_has_room_for_the_greatest_key_and_row() -> None:
    greatest = (1 << KEY_BITS) - 1
    assert array("Q", [greatest << ROW_BITS | MAX_ROWS - 1])[0] >> ROW_BITS == greatest
    assert all(text_number(kind, "x") <= greatest and kind_of(text_number(kind, "x")) == kind for kind in KeyKind)


def test_the_sides_of_a_key_are_neighbours_of_one_kind() -> None:
    key = text_number(KeyKind.CORE_SOUNDS, "wang.tat")
    assert on_both_sides([key]) == {key, key + 1}
    assert kind_of(key) == kind_of(key + 1) == KeyKind.CORE_SOUNDS
