"""Nodes with the longest allowed names: no table, key or progress depends on how long a name is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.contract.ids import is_node_name
from gateway.feed.projection.rebuild import rebuild
from gateway.history.tables import answers
from gateway.history.tables.answers import ASKED, AnswerRow
from gateway.v1 import alert_pb2, watchlist_pb2, watchlist_service_pb2
from gateway.watchlists.commands.hits import AnswerHitCommand, ReportHitCommand
from gateway.watchlists.commands.proposals import DecideCommand, ProposeCommand
from gateway.watchlists.tables import hits as hit_rows
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, listed_content, paper_nodes
from tests.support.recording import index, record, search
from tests.support.shipments import shipment

pytestmark = pytest.mark.both_databases

_Pb = watchlist_service_pb2

PUBLISHER, RECIPIENT = "p" + "-" * 30 + "0", "r" + "-" * 30 + "1"
SYSTEM = "s" * 64


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    assert is_node_name(PUBLISHER)
    assert not is_node_name(PUBLISHER + "0"), "a longer name isn't allowed"
    names = (PUBLISHER, RECIPIENT)
    with paper_nodes(tmp_path, make_database, names, members=names) as made:
        yield made


def _principal(node: PaperNode) -> str:
    return f"spiffe://gba.customs.example/system/{node.name}/{SYSTEM}"


def _list_an_entry(node: PaperNode) -> None:
    proposed = _Pb.ProposeEntriesRequest(
        request_id=str(uuid.uuid4()),
        list="m" * 64,
        entries=[_Pb.ProposedEntry(id="E" * 64, content=listed_content(releasable_to=[RECIPIENT]))],
    )
    node.lists.check(proposed)
    response = node.writer.run(ProposeCommand(node.lists, proposed, _principal(node), SYSTEM))
    decision = _Pb.DecideProposalRequest(
        request_id=str(uuid.uuid4()), proposal_id=response.proposal_id, approve=True, remarks="seen"
    )
    assert node.writer.run(DecideCommand(node.lists, decision, _principal(node), "chief")).changes == 1


def _hit(reporter: PaperNode, owner: PaperNode) -> None:
    request = _Pb.ReportHitRequest(
        request_id=str(uuid.uuid4()),
        entry=watchlist_pb2.WatchlistReference(publisher=owner.name, list="m" * 64, id="E" * 64),
        revision=1,
        match_class=watchlist_pb2.MATCH_CLASS_IDENTICAL,
        purpose="export_control",
    )
    command = ReportHitCommand(reporter.lists, reporter.lists.agreements, request, _principal(reporter), SYSTEM)
    hit_id = reporter.writer.run(command).hit_id
    exchange(reporter, owner)
    answer = _Pb.AnswerHitRequest(
        request_id=str(uuid.uuid4()),
        reporter=reporter.name,
        hit_id=hit_id,
        outcome=watchlist_pb2.HIT_OUTCOME_CONFIRMED,
    )
    owner.writer.run(AnswerHitCommand(owner.lists, answer, _principal(owner), SYSTEM))
    exchange(reporter, owner)


def _projected(node: PaperNode) -> dict[str, list[tuple[Any, ...]]]:
    with node.database.read() as conn:
        return {one.name: sorted(tuple(row) for row in conn.execute(select(one))) for one in node.projector.tables}


def test_alerts_lists_hits_history_and_a_rebuild(nodes: list[PaperNode]) -> None:
    publisher, recipient = nodes
    alert_id = publisher.publish(RECIPIENT)
    exchange(*nodes)
    recipient.step(PUBLISHER, alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    _list_an_entry(publisher)
    exchange(*nodes)
    _hit(recipient, publisher)
    record(recipient, shipment("A"))
    index(recipient)

    (delivery,) = publisher.queries.get(PUBLISHER, alert_id).deliveries
    assert (delivery.recipient, delivery.status) == (RECIPIENT, alert_pb2.ALERT_STATUS_ACKNOWLEDGED)
    with recipient.database.read() as conn:
        assert list(watchlists.find(conn, PUBLISHER, "m" * 64, ["E" * 64])) == ["E" * 64]
    with publisher.database.read() as conn:
        assert list_progress.distribution(conn, RECIPIENT).considered == 1
        ((_, _, outcomes),) = [(*key, counted) for key, counted in hit_rows.hits_by_list(conn).items()]
        assert outcomes == {watchlist_pb2.HIT_OUTCOME_CONFIRMED: 1}
    assert [found.shipment.record_id for found in search(recipient, record_ids=["A"])] == ["A"]

    for node in nodes:
        before = _projected(node)
        assert rebuild(node.writer, report_progress=lambda _: None).answers == 0
        index(node)
        assert _projected(node) == before


def test_an_answer_about_shipments_is_kept(nodes: list[PaperNode]) -> None:
    row = AnswerRow(
        ASKED, str(uuid.uuid4()), RECIPIENT, SYSTEM, 1, 2, 3, "complete", "", 0, b"query", b"note", b"statement"
    )
    with nodes[0].database.write() as conn:
        answers.add(conn, row)
    with nodes[0].database.read() as conn:
        assert answers.find(conn, ASKED, row.query_id) == row
