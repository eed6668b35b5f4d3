"""An entry at which the projector itself fails is marked and told, and holds up nothing else."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.alerts.codec import parse_event
from gateway.alerts.projection import AlertProjection
from gateway.contract.messages import to_timestamp
from gateway.feed.codec import make_entry
from gateway.feed.projection.projector import Projector
from gateway.feed.projection.registry import LoggedEntry, Registry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import dispositions as stored_defects
from gateway.feed.tables import feeds, journal
from gateway.node.forgetting import forget_alert
from gateway.trust.service.agreements import Agreements
from gateway.v1 import alert_pb2, feed_pb2
from tests.support.databases import MakeDatabase
from tests.support.machine_node import Raw
from tests.support.nodes import PaperNode, alert_content, exchange, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def undefined_priority(content: alert_pb2.AlertContent) -> None:
    content.priority = 99  # type: ignore[assignment]


def end_of_time(content: alert_pb2.AlertContent) -> None:
    content.valid_until.seconds = 2**62  # no database could keep it in milliseconds


def defective(node: PaperNode, spoil: Callable[[alert_pb2.AlertContent], None]) -> None:
    """An own entry past all checks, as a defect or an older version may have written it."""
    alert = alert_pb2.Alert(
        id=str(uuid.uuid4()), revision=1, publisher="cn", recipient="hk", content=alert_content(node.clock.now)
    )
    spoil(alert.content)
    event = alert_pb2.AlertEvent(occurred_at=to_timestamp(node.clock.now), published=alert)

    def execute(tx: Transaction) -> Any:
        entry = make_entry("AlertEvent", event.SerializeToString(), salt=bytes(32), recorded_at_ms=tx.now_ms)
        return tx.append(node.origin("hk"), entry)

    node.writer.run(Raw(execute))


def defects(node: PaperNode) -> list[tuple[str, int]]:
    with node.database.read() as conn:
        assert journal.projected_position(conn) == journal.head_position(conn), "the cursor goes on"
        return [(one.origin, one.idx) for one in stored_defects.oldest_defects(conn, 100)]


@pytest.mark.parametrize("spoil", [undefined_priority, end_of_time])
def test_a_defective_own_entry_is_marked_and_holds_up_nothing(
    nodes: list[PaperNode], spoil: Callable[[alert_pb2.AlertContent], None], caplog: pytest.LogCaptureFixture
) -> None:
    cn, hk = nodes
    before = cn.publish("hk")
    defective(cn, spoil)
    after = cn.publish("hk")
    with caplog.at_level(logging.ERROR):
        cn.settle()
    origin = cn.origin("hk").line
    assert defects(cn) == [(origin, 1)]
    assert f"entry 1 of {origin} isn't applied" in caplog.text
    exchange(cn, hk)
    for alert_id in (before, after):
        assert cn.queries.get("cn", alert_id).deliveries[0].disposition == feed_pb2.DISPOSITION_OUTCOME_APPLIED
    with cn.database.write() as conn:
        cn.projector.clear(conn)
    cn.settle()
    assert defects(cn) == [(origin, 1)]


class FailsAt(AlertProjection):
    """A projection with a defect."""

    def __init__(self, node: PaperNode, alert_id: str) -> None:
        super().__init__(Agreements(lambda: node.trust.directory), forget=forget_alert)
        self.alert_id = alert_id

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        super().apply(tx, entry)
        if isinstance(entry.event, alert_pb2.AlertEvent) and entry.event.published.id == self.alert_id:
            raise KeyError("a defect")


def test_a_partners_entry_at_which_the_projector_fails_is_answered_with_internal(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    ids = [cn.publish("hk") for _ in range(5)]
    others = [one for one in hk.projector.registry.projections if not isinstance(one, AlertProjection)]
    hk.projector = hk.writer._projector = Projector(Registry([FailsAt(hk, ids[2]), *others]))
    exchange(cn, hk)
    assert defects(hk) == [(cn.origin("hk").line, 2)]
    with hk.database.read() as conn:
        feed = feeds.get(conn, hk.origin("cn"))
        said = [parse_event(one.payload).disposition for one in feeds.read_entries(conn, feed.id, 0, feed.size)]
    told = [(one.index, one.count, one.outcome, one.reason) for one in said]
    applied, rejected = feed_pb2.DISPOSITION_OUTCOME_APPLIED, feed_pb2.DISPOSITION_OUTCOME_REJECTED
    assert told == [(0, 2, applied, ""), (2, 1, rejected, "INTERNAL"), (3, 2, applied, "")]
    assert "KeyError" not in str(said[1]), "a partner learns nothing of the inside"
    assert cn.queries.get("cn", ids[2]).deliveries[0].disposition == rejected
