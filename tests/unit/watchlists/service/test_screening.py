"""Screening at a node: own and partners' lists, changes as they come, restarts, and new entries against old parties."""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection

from gateway.errors import UnavailableError
from gateway.node.workers import screening as workers
from gateway.screening.index import reading
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.prepared_name import PreparedName
from gateway.screening.result import MatchClass, NameKind, Thresholds
from gateway.v1 import alert_pb2, party_pb2, screening_pb2, watchlist_pb2, watchlist_service_pb2
from gateway.v1.goods_pb2 import CommodityCode
from gateway.watchlists.codec import screening as wire
from gateway.watchlists.codec.matches import Estimate
from gateway.watchlists.codec.subjects import subjects_of
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.matches import EntryKey, SourceKey, SourceKind
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.service import index_ranges
from gateway.watchlists.service import screening as screening_service
from gateway.watchlists.service.match_search import MatchSearch
from gateway.watchlists.service.recent_parties import RecentParties, parties_of
from gateway.watchlists.service.screening import HITS_OF_A_PARTY, BackwardComparison, Screener
from gateway.watchlists.service.screening_worker import ScreeningWorker
from gateway.watchlists.tables import progress as list_progress
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, listed_content, paper_nodes

LIST = "minerals"
PERSON, ORGANISATION = watchlist_pb2.WATCHLIST_KIND_PERSON, watchlist_pb2.WATCHLIST_KIND_ORGANISATION


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        made[0].policies[LIST] = ListPolicy(four_eyes=False)
        yield made


def listed(name: str, kind: watchlist_pb2.WatchlistKind.ValueType = ORGANISATION) -> watchlist_pb2.WatchlistContent:
    return listed_content(name, kind=kind, releasable_to=["hk"])


def enter(node: PaperNode, entry_id: str, content: watchlist_pb2.WatchlistContent, revision: int = 0) -> None:
    entry = watchlist_service_pb2.ProposedEntry(id=entry_id, revision=revision, content=content)
    _propose(node, watchlist_service_pb2.ProposeEntriesRequest(entries=[entry]))


def withdraw(node: PaperNode, entry_id: str, revision: int) -> None:
    gone = watchlist_service_pb2.ProposedWithdrawal(id=entry_id, revision=revision, reason="cleared")
    _propose(node, watchlist_service_pb2.ProposeEntriesRequest(withdrawals=[gone]))


def _propose(node: PaperNode, request: watchlist_service_pb2.ProposeEntriesRequest) -> None:
    request.request_id, request.list = str(uuid.uuid4()), LIST
    node.lists.check(request)
    node.writer.run(ProposeCommand(node.lists, request, f"system/{node.name}/x", "x"))
    node.settle()


def screener(node: PaperNode, folder: Path, **settings: object) -> Screener:
    made = Screener(node.database, folder / f"{node.name}.index", **{"thresholds": {}, **settings})  # type: ignore[arg-type]
    made.start()
    return made


def party(*names: str, **more: object) -> screening_pb2.ScreeningSubject:
    return screening_pb2.ScreeningSubject(names=[party_pb2.Name(text=name) for name in names], **more)  # type: ignore[arg-type]


def back(screener: Screener, node: PaperNode, after: int = 0) -> BackwardComparison:
    """What comparing the changes after one of them with the parties of before gives."""
    screener.follow()
    return screener.compare_back(after, at_ms=node.clock(), within_s=10)


def found(
    screener: Screener, node: PaperNode, subject: screening_pb2.ScreeningSubject, **how: object
) -> list[tuple[str, str, int]]:
    screened = screener.screen([subject], at_ms=node.clock(), **how)  # type: ignore[arg-type]
    return [(*hit.reference, hit.revision) for hit in screened.found[0].hits]


QUERY = party("宏達貿易有限公司", "Leung Wai Tak")


def test_a_change_is_found_where_it_has_come_to(nodes: list[PaperNode], tmp_path: Path) -> None:
    cn, hk, _ = nodes
    at_home, away = screener(cn, tmp_path), screener(hk, tmp_path)
    assert found(at_home, cn, QUERY) == []
    enter(cn, "a", listed("宏达贸易有限公司"))
    behind = at_home.screen([QUERY], at_ms=cn.clock())
    assert (behind.found[0].total, behind.unindexed) == (0, 1)
    assert (at_home.follow(), away.follow()) == (1, 0)
    assert at_home.screen([QUERY], at_ms=cn.clock()).unindexed == 0
    exchange(*nodes)
    assert away.follow() == 1
    assert found(at_home, cn, QUERY) == found(away, hk, QUERY) == [("cn/minerals", "a", 1)]
    enter(cn, "a", listed("梁偉德", PERSON), revision=1)
    exchange(*nodes)
    away.follow()
    assert found(away, hk, QUERY) == [("cn/minerals", "a", 2)]
    withdraw(cn, "a", 2)
    exchange(*nodes)
    away.follow()
    assert found(away, hk, QUERY) == []
    assert away.follow() == 0


def test_who_may_not_see_a_list_learns_nothing_of_it(nodes: list[PaperNode], tmp_path: Path) -> None:
    cn = nodes[0]
    enter(cn, "a", listed("宏达贸易有限公司"))
    made = screener(cn, tmp_path)
    screened = made.screen([QUERY], at_ms=cn.clock(), visible=lambda group: group != "cn/minerals")
    assert (screened.found[0].hits, screened.found[0].total) == ([], 0)
    assert found(made, cn, QUERY, visible=lambda group: group == "cn/minerals") != []


def test_an_entry_that_the_index_cannot_take_is_skipped_and_told_and_the_others_are_followed(
    nodes: list[PaperNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cn = nodes[0]
    made = screener(cn, tmp_path)
    real = reading.prepare

    def prepare(text: str, kind: NameKind) -> PreparedName:
        if text == "宏达贸易有限公司":
            raise ValueError("a name that can't be read")
        return real(text, kind)

    monkeypatch.setattr(reading, "prepare", prepare)
    enter(cn, "unread", listed("宏达贸易有限公司"))
    enter(cn, "read", listed("梁偉德", PERSON))
    assert made.follow() == 2
    assert found(made, cn, QUERY) == [("cn/minerals", "read", 1)]
    assert made.skipped == {EntryKey("cn", "minerals", "unread")}
    assert "entry unread of cn isn't screened against" in caplog.text
    assert back(made, cn).hits == []
    made.close()
    again = Screener(cn.database, tmp_path / "cn.index", thresholds={})
    assert not again.start(), "a start tries again"
    assert (again.skipped, found(again, cn, QUERY)) == (made.skipped, [("cn/minerals", "read", 1)])
    withdraw(cn, "unread", 1)
    again.follow()
    assert again.skipped == frozenset()
    again.close()
    assert Screener(cn.database, tmp_path / "cn.index", thresholds={}).start()


def test_validity_begins_and_ends(nodes: list[PaperNode], tmp_path: Path) -> None:
    cn = nodes[0]
    content = listed("宏达贸易有限公司")
    content.valid_from.FromMilliseconds(cn.clock() + DAY_MS)
    content.valid_until.FromMilliseconds(cn.clock() + 2 * DAY_MS)
    enter(cn, "a", content)
    made = screener(cn, tmp_path)
    counts = []
    for _ in range(3):
        counts.append(len(found(made, cn, QUERY)))
        cn.clock.forward(DAY_MS)
    assert counts == [0, 1, 0]


@pytest.mark.parametrize("key", ["cn/minerals", "minerals"])
def test_a_list_has_its_own_thresholds(nodes: list[PaperNode], tmp_path: Path, key: str) -> None:
    cn = nodes[0]
    enter(cn, "a", listed("Leong Vai Tac", PERSON))
    assert found(screener(cn, tmp_path), cn, QUERY) != []
    strict = screener(cn, tmp_path, thresholds={key: Thresholds(compatible=0.99, strong=0.99)})
    assert found(strict, cn, QUERY) == []


class TestRestart:
    @pytest.mark.both_databases
    def test_from_the_index_of_before_and_what_came_since(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        (tmp_path / "screening.index").touch()
        enter(cn, "a", listed("宏达贸易有限公司"))
        screener(cn, tmp_path).close()
        assert not (tmp_path / "screening.index").exists(), "what earlier versions left is removed"
        enter(cn, "b", listed("Leung Wai Tak", PERSON))
        withdraw(cn, "a", 1)
        again = Screener(cn.database, tmp_path / "cn.index", thresholds={})
        assert again.start()
        assert found(again, cn, QUERY) == [("cn/minerals", "b", 1)]
        assert again.entries == 1

    @pytest.mark.both_databases
    def test_a_damaged_index_is_built_anew(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        enter(cn, "a", listed("宏达贸易有限公司"))
        screener(cn, tmp_path).close()
        path = tmp_path / "cn.index"
        path.write_bytes(path.read_bytes()[:-100])
        again = Screener(cn.database, path, thresholds={})
        assert not again.start()
        assert found(again, cn, QUERY) == [("cn/minerals", "a", 1)]
        again.close()
        assert Screener(cn.database, path, thresholds={}).start()

    def test_damage_that_a_search_meets_is_mended_though_no_list_changes(
        self, nodes: list[PaperNode], tmp_path: Path
    ) -> None:
        cn, path = nodes[0], tmp_path / "cn.index"
        enter(cn, "a", listed("宏达贸易有限公司"))
        screener(cn, tmp_path).close()
        made = screener(cn, tmp_path)
        with path.open("r+b") as file:
            file.seek(4_096)
            file.write(b"\xff" * (path.stat().st_size - 4_096))
        with pytest.raises(UnavailableError):
            found(made, cn, QUERY)

        def is_mended() -> bool:
            with suppress(UnavailableError):
                return found(made, cn, QUERY) == [("cn/minerals", "a", 1)]
            return False

        deadline = time.monotonic() + 60
        while not is_mended():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        enter(cn, "b", listed("Leung Wai Tak", PERSON))
        made.follow()
        assert {entry for _, entry, _ in found(made, cn, QUERY)} == {"a", "b"}

    @pytest.mark.both_databases
    def test_another_nodes_index_is_refused(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn, hk, _ = nodes
        enter(cn, "a", listed("宏达贸易有限公司"))
        exchange(*nodes)
        screener(cn, tmp_path).close()
        other = Screener(hk.database, tmp_path / "cn.index", thresholds={})
        assert not other.start()
        assert found(other, hk, QUERY) == [("cn/minerals", "a", 1)]

    def test_every_entry_of_many_is_there(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        for number in range(60):
            enter(cn, f"e{number}", listed(f"Placeholder {number} Metals Limited"))
            if number % 3 == 0:
                withdraw(cn, f"e{number}", 1)
        built = screener(cn, tmp_path)
        assert built.entries == 40


def ended_processes(_workers: object, _handler: str, arguments: Iterable[object]) -> Iterator[Future[object]]:
    """Stands for calls of processes that ended."""
    for _ in arguments:
        answer: Future[object] = Future()
        answer.set_exception(UnavailableError("the process has ended", retry_after_s=1))
        yield answer


class TestManyChanges:
    """Many changes are read in ranges, perhaps in other processes, and joined."""

    @pytest.fixture
    def many(self, nodes: list[PaperNode], monkeypatch: pytest.MonkeyPatch) -> PaperNode:
        cn = nodes[0]
        monkeypatch.setattr(index_ranges, "CHANGES_AT_ONCE", 4)
        for number in range(20):
            enter(cn, f"e{number}", listed(f"Placeholder {number} Metals Limited"))
        enter(cn, "e3", listed("宏达贸易有限公司"), revision=1)
        withdraw(cn, "e7", 1)
        return cn

    def test_what_waits_is_joined_in_place_of_earlier_revisions(
        self, many: PaperNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(screening_service, "MANY_UPDATES", 3)
        made = screener(many, tmp_path)
        assert (made.entries, made.follow()) == (19, 0)
        for number in range(5, 11):
            if number != 7:
                enter(many, f"e{number}", listed(f"Placeholder {number} Mining Limited"), revision=1)
        withdraw(many, "e3", 2)
        assert made.follow() == 6
        assert (made.entries, found(made, many, QUERY)) == (18, [])
        assert found(made, many, party("Placeholder 9 Mining Limited"))[0] == ("cn/minerals", "e9", 2)
        made.close()
        assert screener(many, tmp_path).entries == 18

    def test_processes_make_the_same_index(
        self, many: PaperNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workers, "MIN_RANGES", 1)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        url = many.database.engine.url.render_as_string(hide_password=False)
        processes = workers.ranges_in_processes(many.database, url)
        saved = []
        for name, more in (("here", {}), ("there", {"read_ranges": processes})):
            (tmp_path / name).mkdir()
            screener(many, tmp_path / name, **more).close()
            with closing(sqlite3.connect(tmp_path / name / "cn.index")) as file:
                saved.append(list(file.iterdump()))
        assert saved[0] == saved[1]

    def test_what_a_process_cannot_read_is_read_here(
        self, many: PaperNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workers, "MIN_RANGES", 1)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
        monkeypatch.setattr(workers, "ordered_calls", ended_processes)
        processes = workers.ranges_in_processes(many.database, "sqlite://")
        made = screener(many, tmp_path, read_ranges=processes)
        assert (made.entries, found(made, many, QUERY)) == (19, [("cn/minerals", "e3", 2)])

    def test_a_rebuild_under_way_is_waited_for(
        self, many: PaperNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, asked = list_progress.applied, []

        def applied(conn: Connection) -> int:
            asked.append(1)
            return 6 if len(asked) == 4 else real(conn)

        monkeypatch.setattr(list_progress, "applied", applied)
        made = screener(many, tmp_path)
        assert len(asked) > 4
        assert (made.entries, found(made, many, QUERY)) == (19, [("cn/minerals", "e3", 2)])


class TestBackwards:
    def test_a_new_entry_finds_the_parties_of_before(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        made = screener(cn, tmp_path)
        made.screen(
            [
                party("Leung Wai Tak", reference="D1/consignee"),
                party("梁偉德", reference="D2/consignee"),
                party("陳大文", reference="D3/consignee"),
                party("梁偉德"),
                party(reference="D4/truck", vehicles=["粵Z 1234 港"]),
            ],
            at_ms=cn.clock(),
        )
        content = listed("梁伟德", PERSON)
        content.identifiers.add(scheme="cn_cross_border_plate", value="粤Z1234港")
        enter(cn, "a", content)
        compared = back(made, cn)
        by_party = {each.place.source.id: each.hit for each in compared.hits}
        assert {party: hit.comparison.match_class for party, hit in by_party.items()} == {
            "D1/consignee": MatchClass.COMPATIBLE,
            "D2/consignee": MatchClass.IDENTICAL,
            "D4/truck": MatchClass.STRONG,
        }
        hit = by_party["D1/consignee"]
        assert (hit.query, hit.listed, hit.reference) == ("Leung Wai Tak", "梁伟德", ("cn/minerals", "a"))
        assert [(t.query, t.candidate) for t in hit.comparison.tokens] == [
            ("leung", "梁"),
            ("wai", "伟"),
            ("tak", "德"),
        ]
        assert compared.position == made.position
        assert back(made, cn, compared.position).hits == []

    @pytest.mark.both_databases
    def test_an_update_of_equal_names_finds_a_party_a_few_times(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        """Otherwise a partner's update of 500 names makes 500 matches of every party of that name."""
        cn = nodes[0]
        made = screener(cn, tmp_path)
        made.screen([party("梁偉德", reference=f"D{n}") for n in range(30)], at_ms=cn.clock())
        entries = [
            watchlist_service_pb2.ProposedEntry(id=f"{n}", content=listed("梁伟德", PERSON))
            for n in range(HITS_OF_A_PARTY + 30)
        ]
        _propose(cn, watchlist_service_pb2.ProposeEntriesRequest(entries=entries))
        found = Counter(each.place.source.id for each in back(made, cn).hits)
        assert found == {f"D{n}": HITS_OF_A_PARTY for n in range(30)}

    def test_only_what_the_index_has_is_compared(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        made = screener(cn, tmp_path)
        made.screen([party("梁偉德", reference="D1")], at_ms=cn.clock())
        enter(cn, "a", listed("梁伟德", PERSON))
        compared = made.compare_back(0, at_ms=cn.clock(), within_s=10)
        assert (compared.position, compared.hits) == (0, [])

    def test_what_ended_or_was_amended_is_told(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        made = screener(cn, tmp_path)
        for name in ("a", "b", "c"):
            enter(cn, name, listed("梁伟德", PERSON))
        assert back(made, cn).changed == []
        position = made.position
        enter(cn, "a", listed("陳大文", PERSON), revision=1)
        withdraw(cn, "b", 1)
        assert [key.id for key in back(made, cn, position).changed] == ["a", "b"]

    def test_validity_that_begins_later_doesnt_count_yet(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        made = screener(cn, tmp_path)
        made.screen([party("梁偉德", reference="D1")], at_ms=cn.clock())
        content = listed("梁伟德", PERSON)
        content.valid_from.FromMilliseconds(cn.clock() + DAY_MS)
        enter(cn, "a", content)
        assert back(made, cn).hits == []

    def test_validity_that_has_ended_doesnt_count_any_more(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        made = screener(cn, tmp_path)
        made.screen([party("梁偉德", reference="D1")], at_ms=cn.clock())
        content = listed("梁伟德", PERSON)
        content.valid_until.FromMilliseconds(cn.clock() + DAY_MS)
        enter(cn, "a", content)
        cn.clock.forward(DAY_MS - 1_000)
        assert len(back(made, cn).hits) == 1
        cn.clock.forward(1_000)
        assert back(made, cn).hits == []

    def test_the_oldest_are_forgotten(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        made = screener(cn, tmp_path, recent=RecentParties(2))
        for reference in ("D1", "D2", "D1", "D3"):
            made.screen([party("梁偉德", reference=reference)], at_ms=cn.clock())
        enter(cn, "a", listed("梁伟德", PERSON))
        assert {each.place.source.id for each in back(made, cn).hits} == {"D1", "D3"}

    def test_a_weak_alias_counts_less(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        made = screener(cn, tmp_path)
        made.screen([party("梁偉德", reference="D1")], at_ms=cn.clock())
        content = listed("Somebody Else Entirely", PERSON)
        content.names.add(text="梁伟德", kind=watchlist_pb2.LISTED_NAME_KIND_WEAK_ALIAS)
        enter(cn, "a", content)
        (hit,) = back(made, cn).hits
        assert (hit.hit.comparison.match_class, hit.hit.weak) == (MatchClass.COMPATIBLE, True)


class TestMessages:
    def test_a_hit_says_why(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        enter(cn, "a", listed("Shenzhen Hongda Electronics Co., Ltd."))
        subject = party("深圳市宏達電子有限公司")
        screened = screener(cn, tmp_path).screen([subject], at_ms=cn.clock())
        (answer,) = wire.answer(["D1"], screened.found)
        (hit,) = answer.hits
        assert (answer.reference, answer.found, hit.revision) == ("D1", 1, 1)
        assert (hit.entry.publisher, hit.entry.list, hit.entry.id) == ("cn", LIST, "a")
        assert (hit.kind, hit.match_class) == (ORGANISATION, watchlist_pb2.MATCH_CLASS_COMPATIBLE)
        assert hit.requested_action != alert_pb2.REQUESTED_ACTION_UNSPECIFIED
        why = hit.explanation
        assert (why.given, why.listed) == ("深圳市宏達電子有限公司", "Shenzhen Hongda Electronics Co., Ltd.")
        assert "pinyin of 宏" in [token.rule for token in why.tokens]
        assert sum(part.weight * part.agreement for part in why.parts) == pytest.approx(hit.score, abs=1e-3)
        assert sum(part.weight for part in why.parts) == pytest.approx(1, abs=1e-4)

    @pytest.mark.parametrize(
        ("name", "kinds"),
        [
            ("Huawei", (NameKind.PERSON, NameKind.ORGANISATION)),
            ("Leung Wai Tak", (NameKind.PERSON,)),
            ("宏达贸易有限公司", (NameKind.ORGANISATION,)),
        ],
    )
    def test_a_name_whose_kind_nobody_says_is_sought_as_what_it_may_be(
        self, name: str, kinds: tuple[NameKind, ...]
    ) -> None:
        assert wire.kinds_of(name, NameKind.UNKNOWN) == kinds
        assert wire.kinds_of(name, NameKind.PERSON) == (NameKind.PERSON,)

    def test_everything_of_a_subject_is_sought(self) -> None:
        subject = screening_pb2.ScreeningSubject(
            kind=PERSON,
            names=[party_pb2.Name(text="Leung Wai Tak")],
            identifiers=[party_pb2.Identifier(scheme="hkid", value="A123456(3)")],
            addresses=[party_pb2.Address(street="1 Nathan Road", city="Hong Kong"), party_pb2.Address()],
            vehicles=["AB 1234"],
            vessels=["Ocean Star"],
            containers=["MSKU1234565"],
        )
        assert wire.party_query(subject) == PartyQuery(
            (
                ("Leung Wai Tak", NameKind.PERSON),
                ("Ocean Star", NameKind.VESSEL),
                ("1 Nathan Road, Hong Kong", NameKind.ADDRESS),
            ),
            (("hkid", "A123456(3)"), ("plate", "AB 1234"), ("iso6346", "MSKU1234565")),
        )

    @pytest.mark.parametrize(
        ("kind", "content", "subject"),
        [
            ("VESSEL", {"names": "MV Ocean Star"}, {"vessels": ["OCEAN STAR"]}),
            ("VEHICLE", {"names": "粤Z1234港"}, {"vehicles": ["粵Z·1234港"]}),
            ("VEHICLE", {"names": "AB 12"}, {"vehicles": ["AB12"]}),
            ("AIRCRAFT", {"names": "B-HUJ 123"}, {"vehicles": ["BHUJ123"]}),
            ("CONTAINER", {"names": "MSKU 123456-5"}, {"containers": ["MSKU1234565"]}),
            ("ADDRESS", {"street": "12 Nathan Rd"}, {"addresses": [{"street": "12 Nathan Road"}]}),
        ],
    )
    def test_other_kinds_are_found(self, kind: str, content: dict[str, str], subject: dict[str, object]) -> None:
        entry = watchlist_pb2.WatchlistEntry(list=LIST, id="a", revision=1)
        entry.content.kind = watchlist_pb2.WatchlistKind.Value(f"WATCHLIST_KIND_{kind}")
        if "names" in content:
            entry.content.names.add(text=content["names"])
        else:
            entry.content.addresses.add(street=content["street"])
        index = NameIndex()
        index.put(wire.record_of("cn", entry))
        hits = index.search(wire.party_query(screening_pb2.ScreeningSubject(**subject))).hits  # type: ignore[arg-type]
        assert [hit.reference.id for hit in hits] == ["a"]

    @pytest.mark.parametrize(
        ("listed", "given", "hit"),
        [
            (("8110", "hs", ""), ("811010", "hs", ""), True),
            (("811010", "hs", ""), ("8110102000", "tariff", "CN"), True),
            (("811010", "tariff", "HK"), ("81101020", "tariff", "CN"), True),  # six digits are the same everywhere
            (("81101020", "tariff", "CN"), ("8110102000", "tariff", "CN"), True),
            (("81101020", "tariff", "CN"), ("81101020", "tariff", "HK"), False),
            (("81101020", "tariff", "CN"), ("811010", "hs", ""), False),
            (("811020", "hs", ""), ("811010", "hs", ""), False),
        ],
    )
    def test_a_commodity_is_found_by_a_code_that_begins_with_the_listed_one(
        self, listed: tuple[str, str, str], given: tuple[str, str, str], hit: bool
    ) -> None:
        entry = watchlist_pb2.WatchlistEntry(list=LIST, id="a", revision=1)
        entry.content.kind = watchlist_pb2.WATCHLIST_KIND_COMMODITY
        (code, other) = (CommodityCode(code=one[0], scheme=one[1], territory=one[2]) for one in (listed, given))
        entry.content.commodities.append(code)
        index = NameIndex()
        index.put(wire.record_of("cn", entry))
        subject = screening_pb2.ScreeningSubject(commodities=[other])
        assert [one.comparison.match_class for one in index.search(wire.party_query(subject)).hits] == (
            [MatchClass.IDENTICAL] if hit else []
        )
        number = party_pb2.Identifier(scheme="hk_brn", value=given[0])
        subject = screening_pb2.ScreeningSubject(identifiers=[number])
        assert index.search(wire.party_query(subject)).hits == [], "a company's number is no commodity"

    def test_the_goods_of_an_alert_are_sought_by_their_codes(self) -> None:
        content = alert_pb2.AlertContent()
        content.goods.add(description="Ingots")
        goods = content.goods.add()
        goods.declared_codes.add(code="780110", scheme="hs")
        goods.suspected_codes.add(code="811010", scheme="hs")
        ((path, subject),) = subjects_of(content).items()
        assert path == "goods[1]"
        assert [each.code for each in subject.commodities] == ["780110", "811010"]


def test_what_entries_would_have_matched_is_counted_by_place_and_only_in_the_window(
    nodes: list[PaperNode], tmp_path: Path
) -> None:
    cn = nodes[0]
    made = screener(cn, tmp_path)
    worker = ScreeningWorker(made, MatchSearch(cn.database, made))
    now = cn.clock()
    code = CommodityCode(scheme="HS", code="811010")
    goods = {f"goods[{at}]": screening_pb2.ScreeningSubject(commodities=[code]) for at in range(3)}  # one writing
    people = {"parties[0]": party("Estimate Example Lanterns Limited")}
    recent = made.recent
    recent.remember(SourceKey(SourceKind.ALERT, "cn", "new"), 1, parties_of(goods), at_ms=now - DAY_MS)
    recent.remember(SourceKey(SourceKind.ALERT, "hk", "new"), 1, parties_of(goods), at_ms=now)
    recent.remember(SourceKey(SourceKind.ALERT, "cn", "old"), 1, parties_of(goods), at_ms=now - 40 * DAY_MS)
    recent.remember(SourceKey(SourceKind.SHIPMENT, "cn", "s"), 1, parties_of(people), at_ms=now - 2 * DAY_MS)

    def entered(entry_id: str, content: watchlist_pb2.WatchlistContent) -> watchlist_pb2.WatchlistChange:
        return watchlist_pb2.WatchlistChange(
            entered=watchlist_pb2.WatchlistEntry(list=LIST, id=entry_id, revision=1, content=content)
        )

    commodity = listed_content("Antimony", kind=watchlist_pb2.WATCHLIST_KIND_COMMODITY, commodities=[code])
    update = watchlist_pb2.WatchlistUpdate(
        changes=[
            entered("code", commodity),
            entered("firm", listed("Estimate Example Lanterns Ltd")),
            entered("none", listed("Unheard Of Example Umbrellas")),
        ]
    )
    estimate = worker.estimate("cn", update, now - 30 * DAY_MS, now)
    assert estimate == Estimate([2, 1, 0], shipments=1, alerts=2, since_ms=now - 2 * DAY_MS)
    assert made.entries == 0, "nothing of it is in force"
