"""Matches: found unasked in both directions, once whatever ends in between, decided by people or by the settings."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest

from gateway.errors import (
    AgreementForbidsError,
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    PositionUnknownError,
    RequestIdReusedError,
)
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.service.quotas import DEFAULT_BOUNDS, Bound, Quotas, Stored
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import alert_pb2, match_pb2, party_pb2, screening_pb2, watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.codec.matches import Findings
from gateway.watchlists.commands.hits import HitQueries
from gateway.watchlists.commands.matches import (
    AMENDED,
    ENDED,
    ENTRY_AMENDED,
    WITHDRAWN,
    DecideMatchCommand,
    KeepFindingsCommand,
)
from gateway.watchlists.commands.proposals import ProposeCommand
from gateway.watchlists.rules.matches import ReportRule
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.service import match_search
from gateway.watchlists.service.match_queries import MatchQueries
from gateway.watchlists.service.match_search import MatchSearch
from gateway.watchlists.service.recent_parties import RecentParties
from gateway.watchlists.service.screening import Screener
from gateway.watchlists.tables import matches
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, listed_content, paper_nodes
from tests.support.recording import KEPT_MS, index, purge_command, record
from tests.support.shipments import shipment
from tests.unit.watchlists.commands.test_proposals import _version

LIST = "minerals"
PERSON, ORGANISATION = watchlist_pb2.WATCHLIST_KIND_PERSON, watchlist_pb2.WATCHLIST_KIND_ORGANISATION
RULES = {("cn", LIST): ReportRule("export_control")}
HAN, LATIN = "示例稀土有限公司", "Shili Xitu Co., Ltd."


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        made[0].policies[LIST] = ListPolicy(four_eyes=False)
        yield made


@dataclass
class Desk:
    """A node with its search for matches, as the process and its node run it; `restart` is a new process."""

    node: PaperNode
    folder: Path
    rules: dict[tuple[str, str], ReportRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        screener = Screener(self.node.database, self.folder / f"{self.node.name}.index", thresholds={})
        screener.start()
        self.screener, self.search = screener, MatchSearch(self.node.database, screener)

    def cursors(self) -> dict[str, int]:
        with self.node.database.read() as conn:
            return matches.positions(conn)

    def find(self) -> Findings:
        """One step, with its findings as they cross the pipe; nothing is kept."""
        self.node.settle()
        step = self.search.step(self.cursors(), at_ms=self.node.clock())
        found: Findings = ForkingPickler.loads(ForkingPickler.dumps(step))
        return found

    def keep(self, findings: Findings) -> dict[str, int]:
        return self.node.writer.run(KeepFindingsCommand(self.node.lists, self.rules, findings, self.node.quotas))  # type: ignore[no-any-return]

    def run(self) -> None:
        """Looks until there is nothing left to find."""
        while (found := self.find()).has_findings or found.before != found.after:
            self.keep(found)

    def matches(self, text: str = "") -> list[match_pb2.Match]:
        return list(MatchQueries(self.node.database).list(match_pb2.ListMatchesRequest(filter=text)).matches)

    def statuses(self) -> list[tuple[str, str, str]]:
        """(entry, given, status) of all matches, the oldest first."""
        names = {number: name.removeprefix("MATCH_STATUS_").lower() for name, number in match_pb2.MatchStatus.items()}
        return [(m.hit.entry.id, m.hit.explanation.given, names[m.status]) for m in reversed(self.matches())]

    def decide(self, match_id: str, **decision: object) -> match_pb2.DecideMatchResponse:
        request = match_pb2.DecideMatchRequest(request_id=str(uuid.uuid4()), match_id=match_id, **decision)  # type: ignore[arg-type]
        command = DecideMatchCommand(self.node.lists, request, "system/x/desk", "desk")
        return self.node.writer.run(command)  # type: ignore[no-any-return]


def subject(*names: str, **more: object) -> alert_pb2.Subject:
    made = alert_pb2.Subject(**more)  # type: ignore[arg-type]
    for name in names:
        made.parties.add(role=5).names.add(text=name)
    return made


def enter(
    node: PaperNode,
    entry_id: str,
    name: str,
    kind: watchlist_pb2.WatchlistKind.ValueType = ORGANISATION,
    *,
    revision: int = 0,
    **content: object,
) -> None:
    entry = pb.ProposedEntry(
        id=entry_id, revision=revision, content=listed_content(name, kind=kind, releasable_to=["hk"], **content)
    )
    _propose(node, pb.ProposeEntriesRequest(entries=[entry]))


def withdraw(node: PaperNode, entry_id: str, revision: int) -> None:
    gone = pb.ProposedWithdrawal(id=entry_id, revision=revision, reason="cleared")
    _propose(node, pb.ProposeEntriesRequest(withdrawals=[gone]))


def _propose(node: PaperNode, request: pb.ProposeEntriesRequest) -> None:
    request.request_id, request.list = str(uuid.uuid4()), LIST
    node.lists.check(request)
    node.writer.run(ProposeCommand(node.lists, request, f"system/{node.name}/x", "x"))
    node.settle()


def hits(node: PaperNode) -> list[tuple[str, str, list[str], str]]:
    """(reporter, entry, names told, case) of all hits that a node knows."""
    node.settle()
    listed = HitQueries(node.database).list(pb.ListHitsRequest()).hits
    return [
        (one.reporter, one.hit.entry.id, [name.text for name in one.hit.subject.names], one.hit.case_reference)
        for one in listed
    ]


@pytest.fixture
def hk(nodes: list[PaperNode], tmp_path: Path) -> Desk:
    return Desk(nodes[1], tmp_path)


class TestForward:
    def test_an_alerts_party_in_another_script_is_a_match(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        alert_id = cn.publish("hk", subject=subject("Placeholder Fruit Trading Limited", LATIN))
        exchange(*nodes)
        hk.run()
        (match,) = hk.matches()
        source = match.source
        assert (source.kind, source.publisher, source.id) == (match_pb2.MATCH_SOURCE_KIND_ALERT, "cn", alert_id)
        assert (source.revision, source.field, match.backward) == (1, "subject.parties[1]", False)
        assert [name.text for name in match.subject.names] == [LATIN]
        assert (match.hit.entry.publisher, match.hit.entry.id) == ("cn", "company")
        assert (match.hit.explanation.given, match.hit.explanation.listed) == (LATIN, HAN)
        assert match.hit.explanation.because
        assert match.status == match_pb2.MATCH_STATUS_OPEN
        assert hits(hk.node) == []

    def test_an_alert_whose_id_says_no_time_is_screened_and_stops_no_other(
        self, nodes: list[PaperNode], hk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        with monkeypatch.context() as chosen:
            chosen.setattr(cn.publisher, "new_id", lambda: str(uuid.uuid4()))
            cn.publish("hk", subject=subject(LATIN))
        cn.publish("hk", subject=subject(HAN))
        exchange(*nodes)
        hk.run()
        assert hk.statuses() == [("company", LATIN, "open"), ("company", HAN, "open")]
        hk.restart()
        enter(cn, "other", LATIN)
        exchange(*nodes)
        hk.run()
        assert ("other", LATIN, "open") in hk.statuses()

    def test_own_alerts_are_screened_once_for_all_their_copies(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        desk = Desk(cn, tmp_path)
        desk.run()
        cn.publish("hk", "mo", subject=subject(LATIN))
        exchange(*nodes)
        desk.run()
        assert desk.statuses() == [("company", LATIN, "open")]

    def test_containers_and_plates_are_matched_too(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        box = [party_pb2.Identifier(scheme="iso6346", value="CSQU3054383")]
        enter(cn, "box", "", watchlist_pb2.WATCHLIST_KIND_CONTAINER, names=[], identifiers=box)
        exchange(*nodes)
        hk.run()
        cn.publish("hk", subject=subject())
        exchange(*nodes)
        hk.run()
        assert [(m.source.field, m.hit.match_class) for m in hk.matches()] == [
            ("subject.equipment[0]", watchlist_pb2.MATCH_CLASS_IDENTICAL)
        ]

    def test_an_amendment_that_leaves_the_party_is_nothing_new(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        alert_id = cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        (first,) = hk.matches()
        hk.decide(first.match_id, dismiss=match_pb2.MatchDismissal(reason="another one"))
        cn.amend(alert_id, 2, subject=subject("Placeholder Fruit Trading Limited", LATIN))
        exchange(*nodes)
        hk.run()
        assert hk.statuses() == [("company", LATIN, "dismissed")]
        cn.amend(alert_id, 3, subject=subject(HAN, LATIN))
        exchange(*nodes)
        hk.run()
        assert hk.statuses() == [("company", LATIN, "dismissed"), ("company", HAN, "open")]

    @pytest.mark.both_databases
    def test_what_an_alert_no_longer_names_holds_no_longer(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        alert_id = cn.publish("hk", subject=subject(LATIN))
        other = cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        cn.amend(alert_id, 2, subject=subject("Placeholder Fruit Trading Limited"))
        cn.step("cn", other, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="wrong"))
        exchange(*nodes)
        hk.run()
        assert {m.reason for m in hk.matches("status = superseded")} == {AMENDED, WITHDRAWN}
        cn.amend(alert_id, 3, subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        (again,) = hk.matches("status = open")
        assert (again.source.id, again.source.revision, again.reason) == (alert_id, 3, "")


class TestBackward:
    def test_a_new_entry_finds_what_came_before(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "other", "陳大文", PERSON)
        exchange(*nodes)
        hk.run()
        alert_id = cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        assert hk.matches() == []
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        (match,) = hk.matches()
        assert (match.source.id, match.backward, match.hit.entry.id) == (alert_id, True, "company")
        assert (match.hit.explanation.given, match.hit.explanation.listed) == (LATIN, HAN)

    def test_alerts_before_the_first_list_are_found_by_it(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        ids = {cn.publish("hk", subject=subject(LATIN)) for _ in range(3)}
        exchange(*nodes)
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.restart()
        hk.run()
        assert {(m.source.id, m.backward) for m in hk.matches()} == {(alert_id, True) for alert_id in ids}

    def test_the_parties_of_before_are_read_again_at_a_start(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "other", "陳大文", PERSON)
        alert_id = cn.publish("hk", subject=subject("Placeholder Fruit Trading Limited"))
        gone = cn.publish("hk", subject=subject(LATIN))
        cn.amend(alert_id, 2, subject=subject(LATIN))
        cn.step("cn", gone, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="wrong"))
        exchange(*nodes)
        hk.run()
        hk.restart()
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        assert [(m.source.id, m.source.revision) for m in hk.matches()] == [(alert_id, 2)]

    def test_new_parties_dont_wait_for_those_of_before(
        self, nodes: list[PaperNode], hk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A start with much to remember: one alert is read in a step, and entries wait until all are."""
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        for number in range(3):
            cn.publish("hk", subject=subject(f"Placeholder Fruit {number} Limited"))
        exchange(*nodes)
        hk.run()
        hk.restart()
        monkeypatch.setattr(match_search, "REMEMBER_S", 0.0)
        cn.publish("hk", subject=subject(LATIN))
        enter(cn, "fruit", "Placeholder Fruit 0 Limited")
        exchange(*nodes)
        first = hk.find()
        hk.keep(first)
        assert (hk.statuses(), first.more) == ([("company", LATIN, "open")], True)
        while (found := hk.find()).more:
            hk.keep(found)
        hk.run()
        assert "Placeholder Fruit 0 Limited" in {m.hit.explanation.given for m in hk.matches("id = fruit")}

    @pytest.mark.both_databases
    def test_what_an_entry_no_longer_says_holds_no_longer(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        for name in ("a", "b", "c"):
            enter(cn, name, HAN)
        exchange(*nodes)
        cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        enter(cn, "a", "陳大文", PERSON, revision=1)
        withdraw(cn, "b", 1)
        enter(cn, "c", HAN, revision=1, reason="more is known")
        exchange(*nodes)
        hk.run()
        found = {m.hit.entry.id: (m.status, m.reason, m.hit.revision) for m in hk.matches()}
        superseded, still_open = match_pb2.MATCH_STATUS_SUPERSEDED, match_pb2.MATCH_STATUS_OPEN
        assert found == {
            "a": (superseded, ENTRY_AMENDED, 1),
            "b": (superseded, ENDED, 1),
            "c": (still_open, "", 2),
        }

    @pytest.mark.both_databases
    def test_an_identifier_found_either_way_is_one_match(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        plates = [party_pb2.Identifier(scheme="cn_cross_border_plate", value="粤Z1234港")]
        truck = watchlist_pb2.WATCHLIST_KIND_VEHICLE
        enter(cn, "truck", "", truck, names=[], identifiers=plates)
        exchange(*nodes)
        hk.run()
        lorry = alert_pb2.Subject()
        lorry.means.add(mode=4).registrations.add(scheme="cn_cross_border_plate", value="粵Z 1234 港")
        cn.publish("hk", subject=lorry)
        exchange(*nodes)
        hk.run()
        enter(cn, "truck", "", truck, names=[], identifiers=plates, revision=1)
        exchange(*nodes)
        hk.run()
        (match,) = hk.matches()
        assert (match.backward, match.hit.revision) == (False, 2)

    def test_a_party_given_with_a_reference_is_a_source(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        hk.run()
        given = screening_pb2.ScreeningSubject(reference="D-17/consignee", names=[party_pb2.Name(text=LATIN)])
        hk.screener.screen([given], at_ms=hk.node.clock())
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        (match,) = hk.matches("source = screened AND source_id = D-17/consignee")
        assert (match.source.publisher, match.source.field, match.backward) == ("", "", True)


class TestOnce:
    def test_found_and_not_kept_is_found_again(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        cn.publish("hk", subject=subject(LATIN))
        enter(cn, "twin", HAN)
        exchange(*nodes)
        assert len(hk.find().matches) >= 2
        hk.restart()  # killed between search and commit
        assert hk.matches() == []
        hk.run()
        assert {m.hit.entry.id for m in hk.matches()} == {"company", "twin"}

    def test_the_same_findings_twice_are_kept_once(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        found = hk.find()
        assert hk.keep(found) == found.after
        (match,) = hk.matches()
        assert hk.keep(found) == found.after, "they began where the cursors no longer are"
        hk.keep(replace(found, before=found.after))
        assert hk.matches() == [match]

    def test_every_party_meets_every_entry_wherever_the_process_ends(self, nodes: list[PaperNode], hk: Desk) -> None:
        """Alerts and entries come by turns; after each the process is killed before or after its step is kept."""
        cn = nodes[0]
        names = [f"示例{number}稀土有限公司" for number in "一二三四五六"]
        for turn, name in enumerate(names):
            for what in (("entry", "alert"), ("alert", "entry"))[turn % 2]:
                if what == "entry":
                    enter(cn, f"e{turn}", name)
                else:
                    cn.publish("hk", subject=subject(name))
                exchange(*nodes)
                found = hk.find()
                if (turn + (what == "alert")) % 3 == 0:
                    hk.keep(found)
                if turn % 2:
                    hk.restart()
        hk.run()
        found_pairs = {(m.hit.entry.id, m.hit.explanation.given) for m in hk.matches("class = identical")}
        assert found_pairs == {(f"e{turn}", name) for turn, name in enumerate(names)}
        again = Desk(hk.node, hk.folder)
        again.run()
        assert len(again.matches()) == len(hk.matches())

    def test_a_rebuild_keeps_decisions_and_finds_nothing_twice(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        for _ in range(3):
            cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        first, second, _ = hk.matches()
        hk.decide(first.match_id, dismiss=match_pb2.MatchDismissal(reason="another one"))
        hk.decide(second.match_id, confirm=match_pb2.MatchConfirmation(purpose="export_control"))
        hk.node.settle()
        before = hk.matches()
        overtaken = hk.find()
        rebuild(hk.node.writer, report_progress=lambda _: None)
        hk.keep(replace(overtaken, matches=before))
        assert hk.matches() == before
        hk.restart()
        hk.run()
        assert hk.matches() == before
        enter(cn, "twin", HAN)
        exchange(*nodes)
        hk.run()
        assert len(hk.matches("id = twin")) == 3

    def test_after_a_rebuild_the_parties_of_before_are_read_again(self, nodes: list[PaperNode], hk: Desk) -> None:
        """What was held and is applied by a newer version is among them."""
        cn = nodes[0]
        enter(cn, "company", HAN)
        alert_id = cn.publish("hk", subject=subject("Placeholder Fruit Limited"))
        exchange(*nodes)
        hk.run()
        hk.screener.recent = RecentParties()  # as if it hadn't been applied then
        rebuild(hk.node.writer, report_progress=lambda _: None)
        enter(cn, "fruit", "Placeholder Fruit Limited")
        exchange(*nodes)
        hk.run()
        assert [m.source.id for m in hk.matches("id = fruit")] == [alert_id]

    @pytest.mark.both_databases
    def test_while_projections_are_built_again_nothing_is_sought(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        with hk.node.database.write() as conn:
            matches.move_positions(conn, {"alert": 1_000_000})
        hk.restart()
        cursors = hk.cursors()
        assert hk.search.step(cursors, at_ms=hk.node.clock()) == Findings(cursors, cursors)


class TestShipments:
    def _listed(self, nodes: list[PaperNode], tmp_path: Path) -> Desk:
        cn = nodes[0]
        enter(cn, "company", HAN)
        desk = Desk(cn, tmp_path)
        desk.run()
        return desk

    def _record(self, node: PaperNode, record_id: str, name: str) -> None:
        party = party_pb2.Party(role=5, names=[party_pb2.Name(text=name)])
        record(node, shipment(record_id, parties=[party], retention_class="short"))
        index(node)

    @pytest.mark.both_databases
    def test_they_are_a_source_like_alerts(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn, desk = nodes[0], self._listed(nodes, tmp_path)
        self._record(cn, "R-1", LATIN)
        desk.run()
        (match,) = desk.matches("source = shipment")
        assert (match.source.publisher, match.source.id, match.source.field) == ("cn", "R-1", "parties[0]")
        self._record(cn, "R-1", "Placeholder Fruit Limited")
        enter(cn, "fruit", "Placeholder Fruit Limited")
        desk.restart()
        desk.run()
        assert [(m.reason, m.hit.entry.id) for m in desk.matches("status = superseded")] == [(AMENDED, "company")]
        (later,) = desk.matches("status = open")
        assert (later.source.revision, later.hit.entry.id) == (2, "fruit")

    @pytest.mark.both_databases
    def test_what_was_found_in_them_goes_with_them_and_no_number_comes_twice(
        self, nodes: list[PaperNode], tmp_path: Path
    ) -> None:
        cn, desk = nodes[0], self._listed(nodes, tmp_path)
        self._record(cn, "R-1", LATIN)
        desk.run()
        seen = MatchQueries(cn.database).changes(0)[0]
        assert len(seen.changes) == 1
        enter(cn, "twin", HAN)
        found = desk.find()
        assert [match.source.id for match in found.matches] == ["R-1"]
        cn.clock.forward(KEPT_MS["short"] + 2 * DAY_MS)
        cn.writer.run(purge_command(cn))
        assert desk.matches() == []
        desk.keep(found)
        assert desk.matches() == [], "the search still knew whom the record named"
        assert MatchQueries(cn.database).changes(seen.position)[0].position == seen.position
        self._record(cn, "R-2", LATIN)
        desk.run()
        after = MatchQueries(cn.database).changes(seen.position)[0]
        assert {match.source.id for match in after.changes} == {"R-2"}


class TestDecisions:
    @pytest.fixture
    def match(self, nodes: list[PaperNode], hk: Desk) -> match_pb2.Match:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        (found,) = hk.matches()
        return found

    def test_a_confirmed_match_is_a_hit_that_its_owner_knows(
        self, nodes: list[PaperNode], hk: Desk, match: match_pb2.Match
    ) -> None:
        confirm = match_pb2.MatchConfirmation(purpose="export_control", case_reference="HK-1")
        response = hk.decide(match.match_id, confirm=confirm)
        assert response.match.status == match_pb2.MATCH_STATUS_CONFIRMED
        assert (response.match.decided_by, response.entry.origin.split("/")[1:]) == ("desk", ["hk", "cn", "watchlist"])
        exchange(*nodes)
        assert hits(nodes[0]) == hits(hk.node) == [("hk", "company", [LATIN], "HK-1")]
        (hit,) = HitQueries(nodes[0].database).list(pb.ListHitsRequest()).hits
        assert hit.hit.hit_id == response.match.hit_id
        with pytest.raises(IllegalTransitionError, match="confirmed"):
            hk.decide(match.match_id, dismiss=match_pb2.MatchDismissal(reason="no"))
        (counted,) = HitQueries(hk.node.database).statistics().lists
        assert (counted.hits, counted.open_matches, counted.dismissed_matches) == (1, 0, 0)

    def test_a_dismissed_one_is_told_to_nobody_and_may_be_reconsidered(
        self, nodes: list[PaperNode], hk: Desk, match: match_pb2.Match
    ) -> None:
        hk.decide(match.match_id, dismiss=match_pb2.MatchDismissal(reason="other address"))
        exchange(*nodes)
        assert hits(nodes[0]) == []
        (dismissed,) = hk.matches("status = dismissed")
        assert (dismissed.reason, dismissed.decided_by) == ("other address", "desk")
        (counted,) = HitQueries(hk.node.database).statistics().lists
        assert (counted.hits, counted.open_matches, counted.dismissed_matches) == (0, 0, 1)
        hk.decide(match.match_id, confirm=match_pb2.MatchConfirmation(purpose="export_control", without_subject=True))
        exchange(*nodes)
        assert hits(nodes[0]) == [("hk", "company", [], "")]

    def test_what_the_agreement_forbids_stays_open(
        self, nodes: list[PaperNode], hk: Desk, match: match_pb2.Match
    ) -> None:
        _let(hk.node, "hk-cn", frozenset({FieldClass.COMMERCIAL}))
        with pytest.raises(InvalidRequestError):
            hk.decide(match.match_id, confirm=match_pb2.MatchConfirmation(purpose="export_control"))
        _let(hk.node, "hk-cn", None)
        with pytest.raises(AgreementForbidsError):
            hk.decide(match.match_id, confirm=match_pb2.MatchConfirmation(purpose="export_control"))
        assert hk.statuses() == [("company", LATIN, "open")]

    def test_a_decision_sent_again_is_the_same(self, hk: Desk, match: match_pb2.Match) -> None:
        request = match_pb2.DecideMatchRequest(
            request_id=str(uuid.uuid4()),
            match_id=match.match_id,
            confirm=match_pb2.MatchConfirmation(purpose="export_control"),
        )
        command = DecideMatchCommand(hk.node.lists, request, "system/x/desk", "desk")
        assert hk.node.writer.run(command) == hk.node.writer.run(command)
        assert len(hits(hk.node)) == 1
        request.confirm.case_reference = "X"
        with pytest.raises(RequestIdReusedError):
            hk.node.writer.run(command)

    @pytest.mark.both_databases
    def test_whoever_may_not_see_the_list_finds_no_match(self, hk: Desk, match: match_pb2.Match) -> None:
        hidden = frozenset({("cn", LIST)})
        queries = MatchQueries(hk.node.database)
        assert list(queries.list(match_pb2.ListMatchesRequest(), hidden=hidden).matches) == []
        assert list(queries.changes(0, hidden=hidden)[0].changes) == []
        request = match_pb2.DecideMatchRequest(
            request_id=str(uuid.uuid4()), match_id=match.match_id, dismiss=match_pb2.MatchDismissal(reason="no")
        )
        command = DecideMatchCommand(hk.node.lists, request, "system/x/y", "y", hidden)
        with pytest.raises(NotFoundError):
            hk.node.writer.run(command)

    def test_an_ended_entrys_match_cant_be_confirmed(
        self, nodes: list[PaperNode], hk: Desk, match: match_pb2.Match
    ) -> None:
        withdraw(nodes[0], "company", 1)
        exchange(*nodes)
        with pytest.raises(NotFoundError):
            hk.decide(match.match_id, confirm=match_pb2.MatchConfirmation(purpose="export_control"))
        hk.run()
        with pytest.raises(IllegalTransitionError, match="superseded"):
            hk.decide(match.match_id, dismiss=match_pb2.MatchDismissal(reason="no"))


class TestReportedByItself:
    def _meet(self, nodes: Sequence[PaperNode], hk: Desk) -> None:
        enter(nodes[0], "company", HAN)
        exchange(*nodes)
        nodes[0].publish("hk", subject=subject(HAN, LATIN))
        exchange(*nodes)
        hk.rules = dict(RULES)
        hk.run()
        exchange(*nodes)

    def test_an_identical_match_is_reported_and_no_other(self, nodes: list[PaperNode], hk: Desk) -> None:
        self._meet(nodes, hk)
        assert hk.statuses() == [("company", HAN, "confirmed"), ("company", LATIN, "open")]
        assert hits(nodes[0]) == [("hk", "company", [HAN], "")]
        (match,) = hk.matches("status = confirmed")
        assert (match.decided_by, match.reason) == ("gateway", "")

    def test_without_the_party_where_the_agreement_doesnt_let_it_go(self, nodes: list[PaperNode], hk: Desk) -> None:
        _let(hk.node, "hk-cn", frozenset({FieldClass.COMMERCIAL}))
        self._meet(nodes, hk)
        assert hits(nodes[0]) == [("hk", "company", [], "")]
        (match,) = hk.matches("status = confirmed")
        assert match.reason.startswith("reported without the party")

    def test_it_stays_open_and_says_why_where_the_agreement_forbids(self, nodes: list[PaperNode], hk: Desk) -> None:
        _let(hk.node, "hk-cn", None)
        self._meet(nodes, hk)
        assert hits(nodes[0]) == []
        (match,) = hk.matches("class = identical")
        assert match.status == match_pb2.MATCH_STATUS_OPEN
        assert match.reason.startswith("not reported: no agreement lets hk send")

    def test_on_an_own_entry_it_is_a_hit_of_ones_own(self, nodes: list[PaperNode], tmp_path: Path) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        desk = Desk(cn, tmp_path, rules=dict(RULES))
        cn.publish("mo", subject=subject(HAN))
        desk.run()
        exchange(*nodes)
        assert hits(cn) == [("cn", "company", [HAN], "")]
        assert hits(nodes[1]) == []


class TestReading:
    def test_a_watch_sees_each_match_and_each_decision(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        for _ in range(5):
            cn.publish("hk", subject=subject(LATIN))
        exchange(*nodes)
        hk.run()
        queries = MatchQueries(hk.node.database)
        first = queries.changes(0)[0]
        assert (len(first.changes), len({m.match_id for m in first.changes})) == (5, 5)
        assert list(queries.changes(first.position)[0].changes) == []
        hk.decide(first.changes[1].match_id, dismiss=match_pb2.MatchDismissal(reason="no"))
        after = queries.changes(first.position)[0]
        assert [(m.match_id, m.status) for m in after.changes] == [
            (first.changes[1].match_id, match_pb2.MATCH_STATUS_DISMISSED)
        ]
        assert len(queries.changes(0)[0].changes) == 5
        with pytest.raises(PositionUnknownError):
            queries.changes(after.position + 1)[0]

    @pytest.mark.both_databases
    def test_pages_and_filters(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        for name in (LATIN, HAN, LATIN, HAN, LATIN):
            cn.publish("hk", subject=subject(name))
        exchange(*nodes)
        hk.run()
        queries, token, seen = MatchQueries(hk.node.database), "", []
        while True:
            page = queries.list(match_pb2.ListMatchesRequest(page_size=2, page_token=token))
            seen += [m.match_id for m in page.matches]
            token = page.next_page_token
            if not token:
                break
        assert seen == sorted(seen, reverse=True)
        assert len(set(seen)) == 5
        for text, count in (
            ("status = open AND class = identical", 2),
            ("class = compatible", 3),
            ("publisher = cn AND list = minerals AND id = company", 5),
            ("publisher = mo", 0),
            (f"source = alert AND source_id = {hk.matches()[0].source.id}", 1),
        ):
            assert len(hk.matches(text)) == count, text
        for wrong in ("status = undecided", "class = sure", "source = rumour", "score = 1"):
            with pytest.raises(InvalidRequestError):
                hk.matches(wrong)


def _let(node: PaperNode, agreement: str, classes: frozenset[FieldClass] | None) -> None:
    """Another version of the directory: the agreement with other classes of fields, or without it."""
    kept = [one for one in node.trust.directory.agreements if one.id != agreement or classes is not None]
    changed = [replace(one, field_classes=classes) if one.id == agreement else one for one in kept]
    node.trust = _version(node.trust, agreements=tuple(changed))


def test_matches_that_a_partner_makes_count_in_its_quota_and_end_there(nodes: list[PaperNode], hk: Desk) -> None:
    cn = nodes[0]
    hk.node.quotas = Quotas({**DEFAULT_BOUNDS, Stored.MATCHES: Bound(items=2, bytes=1_000_000)})
    enter(cn, "a", HAN)
    exchange(*nodes)
    hk.run()
    for _ in range(3):
        cn.publish("hk", subject=subject(HAN))
    hk.node.publish("mo", subject=subject(HAN))  # an own alert counts for nobody
    exchange(*nodes)
    hk.run()
    assert len(hk.matches()) == 3
    with hk.node.database.read() as conn:
        (used,) = [one for one in hk.node.quotas.today(conn, hk.node.clock.now) if one.stored is Stored.MATCHES]
    assert (used.partner, used.items, used.share) == ("cn", 2, 1)
    assert used.bytes > 100
    hk.run()
    assert len(hk.matches()) == 3, "what was refused isn't tried again and again"


def test_an_entry_of_a_partner_that_matches_earlier_parties_counts_too(nodes: list[PaperNode], hk: Desk) -> None:
    cn = nodes[0]
    hk.node.quotas = Quotas({**DEFAULT_BOUNDS, Stored.MATCHES: Bound(items=1, bytes=1_000_000)})
    enter(cn, "b", "Placeholder Unrelated Limited")
    for _ in range(2):
        hk.node.publish("mo", subject=subject(HAN))
    exchange(*nodes)
    hk.run()
    enter(cn, "a", HAN)
    exchange(*nodes)
    hk.run()
    assert [match.backward for match in hk.matches()] == [True]
