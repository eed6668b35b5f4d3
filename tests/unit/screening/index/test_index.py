"""The index against an exhaustive comparison, under additions, replacements, removals and restarts."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from gateway.screening.compare import compare
from gateway.screening.index import index as index_module
from gateway.screening.index import tables
from gateway.screening.index.candidates import MAX_CANDIDATES, MAX_SURE
from gateway.screening.index.entries import EntryName, IndexEntry
from gateway.screening.index.hits import Hit
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.index.key_numbers import KeyKind, kind_of, on_both_sides, text_number
from gateway.screening.index.keys import index_keys
from gateway.screening.index.reading import RefusedEntry, read_entries
from gateway.screening.index.tables import IndexUnusableError
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

    def test_keys_of_names_that_are_gone_go_step_by_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tables, "_LEAST_DEAD", 10)
        monkeypatch.setattr(tables, "_PURGE_STEPS", 8)
        index = NameIndex()
        index.load(record(f"{number}", ("黃志偉", P)) for number in range(40))
        assert not index.tidy()
        for number in range(30):
            index.remove("cn/minerals", f"{number}")
        assert index.tidy()
        index.remove("cn/minerals", "33")  # meanwhile
        index.put(record("35", ("陳大文", P), revision=2))
        settle(index)
        assert set(ids(index, ("黄志伟", P), limit=99)) == {"30", "31", "32", "34", "36", "37", "38", "39"}
        assert ids(index, ("陈大文", P)) == ["35"]
        with index._tables.reading() as reader:
            keys = index_keys(prepare("黃志偉", P))
            assert {reader.find((key,)).count(key, key) for key in keys} <= set(range(8, 11))

    @pytest.mark.parametrize("is_in_memory", [False, True])
    def test_searches_go_on_while_entries_come_and_go(self, tmp_path: Path, is_in_memory: bool) -> None:
        index = NameIndex(None if is_in_memory else tmp_path / "index")
        index.load([record("stays", ("黃志偉", P))])
        stop, missed = threading.Event(), []

        def search() -> None:
            while not stop.is_set():
                if "stays" not in ids(index, ("黄志伟", P), limit=99):
                    missed.append(1)

        readers = [threading.Thread(target=search) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(300):
            index.put(record(f"{number % 70}", LISTED[number % len(LISTED)]))
            index.remove("cn/minerals", f"{(number * 7) % 70}")
        stop.set()
        for reader in readers:
            reader.join()
        assert missed == []

    def test_changes_that_fail_leave_nothing_behind(self, tmp_path: Path) -> None:
        index = NameIndex(tmp_path / "index")
        index.put(record("a", ("黃志偉", P)))
        before = asdict(index.state)

        def change() -> None:
            with index.changing():
                index.put(record("b", ("黃志偉", P), group="mo/list"))
                index.remove("cn/minerals", "a")
                raise KeyError("b")

        with pytest.raises(KeyError):
            change()
        assert (ids(index, ("黄志伟", P)), asdict(index.state)) == (["a"], before)
        index.put(record("c", ("黃志偉", P), group="hk/list"))
        assert [hit.reference.group for hit in index.search(PartyQuery((("黄志伟", P),))).hits] == [
            "cn/minerals",
            "hk/list",
        ]

    def test_an_entry_that_cannot_be_read_is_refused_and_the_others_follow(self) -> None:
        unreadable = record("unreadable")._replace(names=[None])  # type: ignore[list-item]
        refused: list[RefusedEntry] = []
        index = NameIndex()
        index.load([record("0", LISTED[0]), unreadable, record("1", LISTED[1])], refused.append)
        assert [(entry.group, entry.id) for entry in refused] == [("cn/minerals", "unreadable")]
        assert len(index) == 2
        assert "1" in ids(index, LISTED[1])
        with pytest.raises(AttributeError):
            index.load([unreadable])

    def test_entries_that_were_read_elsewhere_give_the_same_index(self) -> None:
        entries = [record(f"{n}", name, group=f"cn/{n % 3}") for n, name in enumerate(LISTED[:200])]
        loaded, added = NameIndex(), NameIndex()
        loaded.load(entries)
        for start in (0, 70):
            some = entries[start : 70 if start == 0 else None]
            added.add(pickle.loads(pickle.dumps(list(read_entries(some, refuse)))))  # noqa: S301 (own bytes)
        assert loaded.state == added.state
        for query in LISTED[:200]:
            assert explained(loaded.search(PartyQuery((query,)), limit=99).hits) == explained(
                added.search(PartyQuery((query,)), limit=99).hits
            )

    def test_half_a_pair_of_surrogates_is_no_obstacle(self) -> None:
        index = NameIndex()
        index.put(record("x", ("Wong Chi Wai \ud800", P), identifiers=[("hkid", "A\ud8001234563")]))
        assert len(index) == 1


def refuse(entry: RefusedEntry) -> None:
    raise entry.error


class IndexMachine(RuleBasedStateMachine):
    """Any order of changes and restarts leaves what an exhaustive comparison of the living entries finds."""

    known = Bundle("known")

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.index = NameIndex(Path(self.folder.name) / "index")
        self.living: dict[str, IndexEntry] = {}

    def teardown(self) -> None:
        self.index.close()
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
    def tidy(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "_LEAST_DEAD", 1)
            patch.setattr(tables, "_PURGE_STEPS", 4)
            settle(self.index)

    @rule()
    def begin_again(self) -> None:
        self.index.close()
        self.index = NameIndex(Path(self.folder.name) / "index")

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


class TestFile:
    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[NameIndex]:
        index = NameIndex(tmp_path / "index")
        index.load(record(f"{n}", name) for n, name in enumerate(LISTED[:100]))
        for number in range(90, 140):
            index.put(record(f"{number}", LISTED[number], group="mo/list"))
        index.remove("cn/minerals", "7")
        yield index
        index.close()

    def test_what_is_opened_again_finds_the_same(self, index: NameIndex, tmp_path: Path) -> None:
        before = [index.search(PartyQuery((query,)), limit=99) for query in LISTED[:140]]
        count, state = len(index), index.state
        index.close()
        again = NameIndex(tmp_path / "index")
        assert (len(again), again.state) == (count, state)
        assert [again.search(PartyQuery((query,)), limit=99) for query in LISTED[:140]] == before
        again.put(record("7", LISTED[7]))
        assert "7" in ids(again, LISTED[7])
        again.close()

    def test_keys_of_very_many_rows_are_read_one_by_one(
        self, index: NameIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = [index.search(PartyQuery((query,)), limit=99) for query in LISTED]
        monkeypatch.setattr(tables, "MOST_AT_ONCE", 0)
        assert [index.search(PartyQuery((query,)), limit=99) for query in LISTED] == before
        assert sum(found.total for found in before) > 100

    def test_damage_is_told(self, index: NameIndex, tmp_path: Path) -> None:
        index.close()
        path = tmp_path / "index"
        whole = path.read_bytes()
        for damaged in (b"x" * 5_000, whole[: len(whole) // 2], whole[:5_000] + bytes(len(whole) - 5_000)):
            path.write_bytes(damaged)
            with pytest.raises(IndexUnusableError):
                NameIndex(path)

    def test_damage_that_a_search_meets_is_told(self, index: NameIndex, tmp_path: Path) -> None:
        index.close()
        path = tmp_path / "index"
        again = NameIndex(path)
        with path.open("r+b") as file:
            file.seek(4_096)
            file.write(b"\xff" * (path.stat().st_size - 4_096))
        assert not again.is_damaged
        with pytest.raises(IndexUnusableError):
            again.search(PartyQuery((LISTED[0],)))
        assert again.is_damaged
        again.close()

    def test_other_rules_are_told(self, index: NameIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        index.close()
        monkeypatch.setattr(tables, "RULES", tables.RULES + 1)
        with pytest.raises(IndexUnusableError, match="another version"):
            NameIndex(tmp_path / "index")


def test_the_sides_of_a_key_are_neighbours_of_one_kind() -> None:
    key = text_number(KeyKind.CORE_SOUNDS, "wang.tat")
    assert on_both_sides([key]) == {key, key + 1}
    assert kind_of(key) == kind_of(key + 1) == KeyKind.CORE_SOUNDS
