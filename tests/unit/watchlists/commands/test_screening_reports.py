"""Reports of changed verdicts: one for each change of a list, which names what became a hit, ceased or was regraded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import NotFoundError
from gateway.v1 import match_pb2, party_pb2, watchlist_pb2
from gateway.watchlists.commands import screening_reports as commands
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.service.screening_reports import ScreeningReportQueries
from gateway.watchlists.tables import screening_reports
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, paper_nodes
from tests.support.recording import index, record
from tests.support.shipments import shipment
from tests.unit.watchlists.commands.test_matches import HAN, LATIN, LIST, Desk, enter, subject, withdraw

IDENTICAL = watchlist_pb2.MATCH_CLASS_IDENTICAL


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        made[0].policies[LIST] = ListPolicy(four_eyes=False)
        yield made


@pytest.fixture
def hk(nodes: list[PaperNode], tmp_path: Path) -> Desk:
    return Desk(nodes[1], tmp_path)


def end(desk: Desk) -> None:
    """What the node does once nothing more is left to compare."""
    desk.keep(replace(desk.find(), ends_reports=True))


def reports(desk: Desk, **asked: object) -> list[match_pb2.ScreeningReport]:
    queries = ScreeningReportQueries(desk.node.database, node=desk.node.name)
    return list(queries.list(match_pb2.ListScreeningReportsRequest(**asked)).reports)  # type: ignore[arg-type]


def newest(desk: Desk) -> match_pb2.ScreeningReport:
    return reports(desk, number=reports(desk)[0].number)[0]


def counts(report: match_pb2.ScreeningReport) -> tuple[int, int, int]:
    return report.became, report.ceased, report.regraded


@pytest.mark.both_databases
class TestOneReport:
    def test_of_a_new_entry_names_what_was_screened_before(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        alert_id = cn.publish("hk", subject=subject(HAN))
        exchange(*nodes)
        hk.run()
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        assert reports(hk) == []  # further changes may come
        end(hk)
        report = newest(hk)
        assert (report.publisher, report.list, counts(report)) == ("cn", LIST, (1, 0, 0))
        (verdict,) = report.verdicts
        (match,) = hk.matches()
        assert (verdict.source.id, verdict.entry.id, verdict.match_id) == (alert_id, "company", match.match_id)
        assert (verdict.class_before, verdict.class_after) == (0, IDENTICAL)

    def test_a_withdrawn_entry_ends_the_verdicts_of_open_and_confirmed_matches(
        self, nodes: list[PaperNode], hk: Desk
    ) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        published = {cn.publish("hk", subject=subject(HAN)) for _ in range(2)}
        exchange(*nodes)
        hk.run()
        end(hk)
        assert reports(hk) == []  # the alerts were new, not the list's change
        hk.decide(hk.matches()[0].match_id, confirm=match_pb2.MatchConfirmation(purpose="export_control"))
        withdraw(cn, "company", 1)
        exchange(*nodes)
        hk.run()
        end(hk)
        report = newest(hk)
        assert counts(report) == (0, 2, 0)
        assert {verdict.source.id for verdict in report.verdicts} == published
        assert {(verdict.class_before, verdict.class_after) for verdict in report.verdicts} == {(IDENTICAL, 0)}

    def test_what_is_as_before_again_at_the_end_is_not_reported(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        cn.publish("hk", subject=subject(HAN))
        exchange(*nodes)
        hk.run()
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        withdraw(cn, "company", 1)
        exchange(*nodes)
        hk.run()
        end(hk)
        assert reports(hk) == []

    def test_an_entry_amended_to_another_writing_regrades(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        cn.publish("hk", subject=subject(HAN))
        exchange(*nodes)
        hk.run()
        enter(cn, "company", LATIN, revision=1)
        exchange(*nodes)
        hk.run()
        end(hk)
        report = newest(hk)
        (verdict,) = report.verdicts
        assert verdict.class_before == IDENTICAL
        assert verdict.class_after > IDENTICAL
        assert counts(report) == (0, 0, 1)

    def test_a_change_that_matches_nothing_makes_none(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        cn.publish("hk", subject=subject(HAN))
        enter(cn, "fruit", "Placeholder Fruit Limited")
        exchange(*nodes)
        hk.run()
        end(hk)
        with hk.node.database.read() as conn:
            assert screening_reports.last_number(conn) == 0


class TestBounds:
    def test_beyond_the_named_ones_verdicts_are_counted(
        self, nodes: list[PaperNode], hk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(commands, "MOST_LINES", 2)
        cn = nodes[0]
        for _ in range(3):
            cn.publish("hk", subject=subject(HAN))
        exchange(*nodes)
        hk.run()
        enter(cn, "company", HAN)
        exchange(*nodes)
        hk.run()
        end(hk)
        report = newest(hk)
        assert (report.became, len(report.verdicts)) == (3, 2)

    @pytest.mark.both_databases
    def test_lines_go_with_their_record_and_reports_after_ninety_days(
        self, nodes: list[PaperNode], tmp_path: Path
    ) -> None:
        cn = nodes[0]
        desk = Desk(cn, tmp_path)
        party = party_pb2.Party(role=5, names=[party_pb2.Name(text=HAN)])
        record(cn, shipment("R-verdict", parties=[party], retention_class="short"))
        index(cn)
        desk.run()
        enter(cn, "company", HAN)
        desk.run()
        end(desk)
        first = newest(desk)
        assert [verdict.source.id for verdict in first.verdicts] == ["R-verdict"]
        with cn.database.write() as conn:
            screening_reports.forget_sources(conn, screening_reports.SourceKind.SHIPMENT, ["R-verdict"])
        assert (newest(desk).became, list(newest(desk).verdicts)) == (1, [])
        with cn.database.write() as conn:
            screening_reports.put(conn, [screening_reports.ReportRow(first.number + 1, "cn", LIST, 1, 0, 1)])
            screening_reports.end(conn, [first.number + 1], cn.clock())
            screening_reports.forget_before(conn, cn.clock() + 1)
        assert [report.number for report in reports(desk)] == [first.number + 1]  # numbers aren't reused

    def test_hidden_lists_and_other_lists_are_left_out(self, nodes: list[PaperNode], hk: Desk) -> None:
        cn = nodes[0]
        cn.publish("hk", subject=subject(HAN))
        enter(cn, "company", HAN)
        exchange(*nodes)
        with hk.node.database.write() as conn:
            screening_reports.put(conn, [screening_reports.ReportRow(7, "cn", LIST, 1, 2, 1)])
        queries = ScreeningReportQueries(hk.node.database, node="hk")
        with pytest.raises(NotFoundError):
            queries.list(match_pb2.ListScreeningReportsRequest(number=7), hidden=frozenset({("cn", LIST)}))
        assert reports(hk, list="minerals") == []  # an own list of that name
        assert [report.number for report in reports(hk, list="cn/minerals")] == [7]
