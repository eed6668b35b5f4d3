"""Figures counted behind the projection, beside a count by hand; on both databases, and the same after a rebuild."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.commands.following import FollowCommand, prepare_batch
from gateway.contract.findings import FindingPlace, reference_of, standing_findings
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError
from gateway.feed.projection.rebuild import rebuild
from gateway.figures.service.counting import FigureCounter
from gateway.figures.service.queries import FigureQueries
from gateway.figures.tables import counts
from gateway.v1 import alert_pb2, figure_service_pb2, figures_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes

MINUTE_MS = 60_000


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def count(node: PaperNode, offset: int = 480, *, limit: int = 500) -> int:
    """Counts everything that is projected; the number of batches."""
    counter, batches = FigureCounter(node=node.name, utc_offset_minutes=offset), 0
    while (batch := prepare_batch(node.database, [counter], limit=limit)).parts:
        assert node.writer.run(FollowCommand(batch.parts)) == [True]
        batches += 1
    return batches


def figures(node: PaperNode, offset: int = 480, hidden: Any = frozenset(), **request: Any) -> Any:
    queries = FigureQueries(node.database, utc_offset_minutes=offset, clock=node.clock)
    return queries.get(figure_service_pb2.GetFiguresRequest(**request), hidden=hidden)


def named(rows: Any) -> dict[str, int]:
    return {row.name: row.count.value for row in rows}


def close(node: PaperNode, alert: str, **closed: Any) -> None:
    closed.setdefault("outcome", alert_pb2.CLOSE_OUTCOME_CONFIRMED)
    node.step(node.name, alert, closed=alert_pb2.AlertClosed(revision=1, **closed))


def acknowledge(node: PaperNode, publisher: str, alert: str, revision: int = 1) -> None:
    node.step(publisher, alert, acknowledged=alert_pb2.AlertAcknowledged(revision=revision))


def seized(kg: float | None, element: str = "Sb", kind: Any = alert_pb2.MEASURE_KIND_SEIZED) -> alert_pb2.MeasureTaken:
    return alert_pb2.MeasureTaken(kind=kind, element=element, net_mass_kg=kg)


def find(node: PaperNode, publisher: str, alert: str, *measures: alert_pb2.MeasureTaken) -> None:
    finding = alert_pb2.AlertFinding(
        result=alert_pb2.FINDING_RESULT_CONFIRMED,
        inspected_at=to_timestamp(node.clock.now),
        revision=1,
        measures=measures,
    )
    node.step(publisher, alert, finding=finding)


def a_case(cn: PaperNode, hk: PaperNode) -> str:
    """An alert with a finding and a seizure, acknowledged after ten minutes and closed after two days."""
    alert = cn.publish("hk", typologies=["concealment", "transshipment"])
    exchange(cn, hk)
    hk.clock.forward(10 * MINUTE_MS)
    acknowledge(hk, "cn", alert)
    find(hk, "cn", alert, seized(1250.5), seized(None), seized(20, "Ga", alert_pb2.MEASURE_KIND_DETAINED))
    exchange(cn, hk)
    cn.clock.forward(2 * DAY_MS - 10 * MINUTE_MS)
    close(cn, alert, measures=[seized(0.25)])
    exchange(cn, hk)
    return alert


@pytest.mark.both_databases
def test_a_case_is_in_the_figures_of_both_sides(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    a_case(cn, hk)
    for node, direction, partner in ((cn, "SENT", "hk"), (hk, "RECEIVED", "cn")):
        count(node)
        read = figures(node)
        assert read.published.value == 1
        assert named(read.by_typology) == {"concealment": 1, "false_declaration": 1, "transshipment": 1}
        assert named(read.by_priority) == {"a": 1, "b": 0, "c": 0}
        assert named(read.by_partner) == {partner: 1}
        assert named(read.by_requested_action) == {"inspect": 1}
        assert named(read.by_ending) == {"closed_confirmed": 1}
        assert named(read.by_finding_result) == {"confirmed": 1}
        assert read.time_to_acknowledge.sample.value == read.time_to_close.sample.value == 1
        assert read.time_to_acknowledge.median_s == pytest.approx(600, rel=0.05)
        assert read.time_to_close.p90_s == pytest.approx(2 * 86_400, rel=0.05)
        assert read.uncounted == 0
        wanted = figures_pb2.FigureDirection.Value(f"FIGURE_DIRECTION_{direction}")
        assert figures(node, direction=wanted).published.value == 1
        assert figures(node, direction=3 - wanted).published.value == 0
        assert figures(node, partner="mo").published.value == 0


@pytest.mark.both_databases
def test_a_seizure_is_what_an_authority_says_and_not_what_was_asked_for(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    a_case(cn, hk)
    asked = cn.publish("hk", requested_action=alert_pb2.REQUESTED_ACTION_SEIZE)
    exchange(cn, hk)
    find(hk, "cn", asked)
    exchange(cn, hk)
    count(cn)
    read = figures(cn)
    measures = {(row.kind, row.element): row for row in read.measures}
    assert measures.keys() == {("seized", "Sb"), ("detained", "Ga")}
    antimony = measures["seized", "Sb"]
    assert (antimony.count.value, antimony.without_mass.value) == (3, 1)
    assert antimony.net_mass_kg == pytest.approx(1250.75)
    assert sum(month.seizures.value for month in read.months) == 3
    assert named(read.by_requested_action) == {"inspect": 1, "seize": 1}


@pytest.mark.both_databases
@pytest.mark.parametrize("limit", [500, 1])
def test_what_a_publisher_took_counts_once_for_all_recipients(
    tmp_path: Path, make_database: MakeDatabase, limit: int
) -> None:
    """At the closing of which each recipient has a copy; also where the copies are counted in several batches."""
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as (cn, hk, mo):
        alert = cn.publish("hk", "mo")
        for partner in (hk, mo):
            exchange(cn, partner)
        find(hk, "cn", alert, seized(1000))
        exchange(cn, hk)
        close(cn, alert, measures=[seized(250)])
        for partner in (hk, mo):
            exchange(cn, partner)
        for node in (cn, hk, mo):
            count(node, limit=limit)
        (all_,), (with_hk,) = figures(cn).measures, figures(cn, partner="hk").measures
        assert (all_.count.value, all_.net_mass_kg) == (2, 1250)
        assert sum(month.seizures.value for month in figures(cn).months) == 2
        assert (with_hk.count.value, with_hk.net_mass_kg) == (1, 1000)
        assert not figures(cn, partner="mo").measures
        assert [row.net_mass_kg for row in figures(mo).measures] == [250]
        assert named(figures(cn).by_ending) == {"closed_confirmed": 2}


@pytest.mark.both_databases
def test_a_mass_that_nobody_said_is_unknown_and_not_zero(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = cn.publish("hk")
    exchange(cn, hk)
    find(hk, "cn", alert, seized(None))
    exchange(cn, hk)
    count(cn)
    (row,) = figures(cn).measures
    assert not row.HasField("net_mass_kg")
    assert (row.count.value, row.without_mass.value) == (1, 1)


@pytest.mark.both_databases
def test_only_the_first_acknowledgement_counts(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = cn.publish("hk")
    exchange(cn, hk)
    hk.clock.forward(5 * MINUTE_MS)
    acknowledge(hk, "cn", alert)
    exchange(cn, hk)
    cn.amend(alert, 2, priority=alert_pb2.PRIORITY_B)
    exchange(cn, hk)
    hk.clock.forward(60 * MINUTE_MS)
    acknowledge(hk, "cn", alert, 2)
    exchange(cn, hk)
    count(cn)
    read = figures(cn)
    assert read.time_to_acknowledge.sample.value == 1
    assert read.time_to_acknowledge.median_s == pytest.approx(300, rel=0.05)
    assert named(read.by_priority) == {"a": 1, "b": 0, "c": 0}  # as first published


@pytest.mark.both_databases
def test_endings_and_reasons_are_counted_by_name(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    flagged, withdrawn, closed = (cn.publish("hk") for _ in range(3))
    exchange(cn, hk)
    reason = alert_pb2.FLAG_REASON_ALREADY_LEFT
    hk.step("cn", flagged, flagged=alert_pb2.AlertFlagged(revision=1, reason=reason, explanation="Sailed."))
    cn.step("cn", withdrawn, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="Wrong number"))
    close(cn, closed, outcome=alert_pb2.CLOSE_OUTCOME_UNFOUNDED)
    exchange(cn, hk)
    count(cn)
    read = figures(cn)
    assert named(read.by_flag_reason) == {"already_left": 1}
    assert named(read.by_ending) == {"withdrawn": 1, "closed_unfounded": 1}


@pytest.mark.both_databases
def test_what_came_in_many_batches_is_what_a_count_by_hand_gives(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    chance = random.Random(7)
    kinds, months = Counter[str](), Counter[str]()
    for _ in range(60):
        typology = chance.choice(["concealment", "undervaluation", "other"])
        months[f"{datetime.fromtimestamp(cn.clock.now / 1000 + 8 * 3600, UTC):%Y-%m}"] += 1
        kinds[typology] += 1
        cn.publish("hk", typologies=[typology])
        cn.clock.forward(chance.randrange(3 * DAY_MS))
    exchange(cn, hk)
    assert count(cn, limit=7) > 5
    first = f"{min(months)}-01"
    read = figures(cn, first_day=first)
    assert named(read.by_typology) == {**kinds, "false_declaration": 60}
    assert {m.month: m.priority_a.value for m in read.months if m.priority_a.value} == months
    assert read.counted_from >= first


def test_a_rebuild_counts_the_same_again(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    a_case(cn, hk)
    count(cn)
    before = figures(cn)
    with cn.database.write() as conn:
        cn.projector.clear(conn)
    emptied = figures(cn)
    assert (emptied.published.value, emptied.uncounted > 0, emptied.counted_from) == (0, True, "")
    cn.settle()
    assert figures(cn).uncounted > 0
    count(cn)
    assert figures(cn) == before


def test_days_are_cut_anew_when_the_offset_changes(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at = datetime.fromtimestamp(cn.clock.now / 1000, UTC)
    to_2330 = datetime(at.year, at.month, at.day, 23, 30, tzinfo=UTC) - at
    cn.clock.forward(round(to_2330.total_seconds() * 1000) % DAY_MS)
    cn.publish("hk")
    exchange(cn, hk)
    count(cn, offset=0)
    utc = figures(cn, offset=0).counted_from
    assert count(cn, offset=480) > 0
    read = figures(cn, offset=480)
    assert read.counted_from > utc
    assert read.published.value == 1


@pytest.mark.both_databases
def test_an_erased_step_is_told_and_not_counted_as_anything(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    cn.publish("hk")
    cn.publish("hk")
    exchange(cn, hk)
    with cn.database.write() as conn:
        conn.exec_driver_sql(
            "UPDATE entries SET payload = %s WHERE idx = 0"
            % ("x''" if cn.database.dialect == "sqlite" else "''::bytea")
        )
    count(cn)
    read = figures(cn)
    assert read.published.value == 1
    assert sum(month.erased for month in read.months) >= 1


@pytest.mark.both_databases
def test_another_replica_that_was_first_isnt_counted_twice(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    cn.publish("hk")
    exchange(cn, hk)
    counter = FigureCounter(node="cn", utc_offset_minutes=480)
    (one,), (other,) = (prepare_batch(cn.database, [counter], limit=500).parts for _ in range(2))
    assert cn.writer.run(one) is True
    assert cn.writer.run(other) is False
    assert figures(cn).published.value == 1


def test_small_numbers_are_withheld_where_that_is_asked_for(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    for priority in [alert_pb2.PRIORITY_A] * 4 + [alert_pb2.PRIORITY_B] * 2:
        cn.publish("hk", priority=priority)
    exchange(cn, hk)
    count(cn)
    read = figures(cn, least_count=3)
    by_name = {row.name: row.count for row in read.by_priority}
    assert by_name["b"].withheld
    assert by_name["a"].withheld
    assert not by_name["c"].withheld
    assert by_name["c"].value == 0
    assert read.published.value == 6
    assert all(month.priority_b.value == 0 for month in read.months)
    assert not figures(cn).by_priority[0].count.withheld


def test_a_small_number_is_no_difference_of_two_answers(tmp_path: Path, make_database: MakeDatabase) -> None:
    """All less one partner's, or all less one direction's, isn't the other's."""
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as (cn, hk, mo):
        for recipient, number in (("hk", 9), ("mo", 2)):
            for _ in range(number):
                cn.publish(recipient, requested_action=alert_pb2.REQUESTED_ACTION_INSPECT)
        for _ in range(8):
            hk.publish("cn")
        for partner in (hk, mo):
            exchange(cn, partner)
        count(cn)
        sent = figures_pb2.FIGURE_DIRECTION_SENT

        def shown(**request: Any) -> tuple[int | None, int | None]:
            read = figures(cn, least_count=5, direction=sent, **request)
            counts = (read.published, *(row.count for row in read.by_requested_action))
            return tuple(None if one.withheld else one.value for one in counts)  # type: ignore[return-value]

        assert shown() == (11, 11)
        assert shown(partner="mo") == (None, None)
        assert shown(partner="hk") == (None, None), "11 less these would be those to mo"
        both = figures(cn, least_count=5)
        assert both.published.value == 19
        assert {row.name: row.count.withheld for row in both.by_partner} == {"hk": True, "mo": True}


def test_a_sample_that_is_withheld_gives_no_quantile(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    a_case(cn, hk)
    count(cn)
    read = figures(cn, least_count=5)
    assert read.time_to_close.sample.withheld
    assert not read.time_to_close.HasField("median_s")
    assert all(part.count.withheld for part in read.time_to_close.classes)
    assert not any(row.HasField("net_mass_kg") for row in read.measures)


def test_a_period_that_is_none_is_refused(nodes: list[PaperNode]) -> None:
    with pytest.raises(InvalidRequestError):
        figures(nodes[0], first_day="2026-02-31")


def test_nothing_counted_says_so(nodes: list[PaperNode]) -> None:
    read = figures(nodes[0])
    assert (read.counted_from, read.uncounted, len(read.months)) == ("", 0, 12)
    with nodes[0].database.read() as conn:
        assert counts.progress(conn).position == 0


def test_figures_follow_what_a_finding_says_now_on_the_day_on_which_it_was_reported(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert = a_case(cn, hk)
    count(cn)
    reported = f"{datetime.fromtimestamp((hk.clock.now - 2 * DAY_MS) / 1000 + 8 * 3600, UTC):%Y-%m-%d}"
    cn.clock.forward(40 * DAY_MS)  # both nodes have one clock
    place = _finding_entry(hk, alert)
    _correct(hk, alert, place, alert_pb2.FINDING_RESULT_AS_DECLARED, seized(125))
    exchange(cn, hk)
    for node in (cn, hk):
        count(node, limit=2)  # steps and their corrections come in batches of their own too
        read = figures(node, first_day=reported, last_day=reported)
        assert named(read.by_finding_result) == {"as_declared": 1}
        of_antimony = [row for row in figures(node).measures if row.element == "Sb"]
        assert [(row.kind, row.count.value, row.net_mass_kg) for row in of_antimony] == [("seized", 2, 125.25)]
        assert sum(month.findings.value for month in figures(node, last_day=reported).months) == 1
        before = str(figures(node))
        rebuild(node.writer, report_progress=lambda _: None)
        count(node)
        assert str(figures(node)) == before
    event = alert_pb2.AlertFindingWithdrawn(finding=reference_of(_finding_entry(hk, alert)), reason="Another container")
    hk.step("cn", alert, finding_withdrawn=event)
    exchange(cn, hk)
    for node in (cn, hk):
        count(node)
        read = figures(node, least_count=3)
        assert [(row.kind, row.element) for row in read.measures] == [("seized", "Sb")]  # that of the closing
        assert not named(read.by_finding_result)
        assert figures(node).measures[0].net_mass_kg == 0.25


def _finding_entry(node: PaperNode, alert: str) -> FindingPlace:
    """The entry of the only finding that stands."""
    (found,) = standing_findings(node.queries.get("cn", alert).history)
    return found.place


def _correct(node: PaperNode, alert: str, place: FindingPlace, result: Any, *measures: alert_pb2.MeasureTaken) -> None:
    (known,) = standing_findings(node.queries.get("cn", alert).history)
    right = alert_pb2.AlertFinding(
        alert=known.finding.alert,
        result=result,
        inspected_at=known.finding.inspected_at,
        revision=1,
        measures=measures,
    )
    event = alert_pb2.AlertFindingCorrected(replaces=reference_of(place), finding=right, reason="Weighed again")
    node.step("cn", alert, finding_corrected=event)
