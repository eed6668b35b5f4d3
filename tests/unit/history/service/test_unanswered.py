"""Alerts that came while our feed was blocked are answered once it moves again: none is left without an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.alerts.codec import parse_event
from gateway.feed.service.states import StateCommand
from gateway.feed.tables import dispositions, feeds
from gateway.feed.tables.feeds import FeedState
from gateway.v1 import feed_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, deliver, exchange, paper_nodes

pytestmark = pytest.mark.both_databases


def answers(node: PaperNode, partner: str) -> list[tuple[int, int]]:
    """(first index, count) of each disposition in the node's own feed."""
    with node.database.read() as conn:
        feed = feeds.get(conn, node.origin(partner))
        stored = feeds.read_entries(conn, feed.id, 0, feed.size)
    found = [parse_event(entry.payload) for entry in stored]
    return [(e.disposition.index, e.disposition.count) for e in found if e.HasField("disposition")]


def test_what_came_while_blocked_is_answered_afterwards_once(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        cn.publish("hk")
        exchange(cn, hk)
        assert answers(hk, "cn") == [(0, 1)]

        hk.writer.run(StateCommand(hk.origin("cn"), FeedState.BEHIND, "not yet compared"))
        for _ in range(2):
            cn.publish("hk")
            deliver(cn, hk)
            hk.settle()
        assert answers(hk, "cn") == [(0, 1)]
        last = cn.publish("hk")

        hk.writer.run(StateCommand(hk.origin("cn"), FeedState.ACTIVE, ""))
        deliver(cn, hk)
        exchange(cn, hk)
        covered = sorted(index for first, count in answers(hk, "cn") for index in range(first, first + count))
        assert covered == [0, 1, 2, 3]
        with cn.database.read() as conn:
            feed = feeds.get(conn, cn.origin("hk"))
            outcomes = {index: dispositions.find(conn, feed.id, index) for index in range(feed.size)}
        assert all(found is not None and found.outcome == "applied" for found in outcomes.values())
        assert hk.queries.get("cn", last).deliveries[0].disposition == feed_pb2.DISPOSITION_OUTCOME_APPLIED
