"""Projections can be dropped and are built again the same, and nothing is answered twice."""

from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.alerts.tables.schema import alerts as alerts_table
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.tables import dispositions, feeds, journal
from gateway.feed.tables.schema import dispositions as dispositions_table
from tests.support.databases import MakeDatabase
from tests.support.histories import random_history
from tests.support.nodes import NODES, PaperNode, deliver, exchange, paper_nodes


def dump(node: PaperNode) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the projections."""
    with node.database.read() as conn:
        return {
            table.name: sorted(tuple(row) for row in conn.execute(select(table))) for table in node.projector.tables
        } | {"cursor": [(journal.projected_position(conn),)]}


def sizes(node: PaperNode) -> dict[str, int]:
    with node.database.read() as conn:
        return {feed.origin.line: feed.size for feed in feeds.list_all(conn)}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rebuilt_state_is_equal_after_a_random_history(
    tmp_path: Path, make_database: MakeDatabase, seed: int
) -> None:
    with paper_nodes(tmp_path, make_database, NODES) as nodes:
        history = random_history(nodes, seed, steps=70)
        assert len(history) > 5
        for node in nodes:
            before, sizes_before, steps = dump(node), sizes(node), list[int]()
            assert len(before["alert_events"]) > 10
            assert before["dispositions"]
            report = rebuild(node.writer, report_progress=steps.append)
            assert dump(node) == before
            assert sizes(node) == sizes_before
            assert (report.entries, report.answers) == (sum(sizes_before.values()), 0)
            assert sum(steps) == report.entries


def test_what_was_tampered_with_in_projections_is_made_right(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        cn.publish("hk")
        exchange(cn, hk)
        before = dump(hk)
        with hk.database.write() as conn:
            conn.execute(alerts_table.update().values(status="closed", priority="C"))
            conn.execute(dispositions_table.delete())
        assert dump(hk) != before
        rebuild(hk.writer, report_progress=lambda _: None)
        assert dump(hk) == before


def test_an_answer_that_could_not_be_sent_before_is_sent_once(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        cn.publish("hk")
        exchange(cn, hk)
        with hk.database.write() as conn:
            answering = feeds.get(conn, hk.origin("cn"))
            feeds.set_state(conn, answering.id, feeds.FeedState.BEHIND, reason="restored", since=1)
        cn.publish("hk")
        deliver(cn, hk)
        hk.settle()
        assert sizes(hk)[hk.origin("cn").line] == 1
        with hk.database.write() as conn:
            feeds.set_state(conn, answering.id, feeds.FeedState.ACTIVE, reason="", since=2)
        assert rebuild(hk.writer, report_progress=lambda _: None).answers == 1
        assert rebuild(hk.writer, report_progress=lambda _: None).answers == 0
        exchange(cn, hk)
        with cn.database.read() as conn:
            own = feeds.get(conn, cn.origin("hk"))
            outcomes = [dispositions.find(conn, own.id, index) for index in range(2)]
        assert [found and found.outcome for found in outcomes] == ["applied", "applied"]


def test_an_empty_database_rebuilds_to_nothing(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database, ["cn"]) as (cn,):
        report = rebuild(cn.writer, report_progress=lambda _: None)
        assert (report.entries, report.answers) == (0, 0)
