"""What a partner may say is large: no answer to an own system grows with it beyond what a message holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.alerts.rules.hits import HITS_BYTES, best_hits
from gateway.contract.limits import MAX_MESSAGE_BYTES
from gateway.contract.messages import to_timestamp
from gateway.v1 import alert_pb2, alert_service_pb2, goods_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, paper_nodes

pytestmark = pytest.mark.both_databases

Pb = alert_service_pb2
NARRATIVES = [alert_pb2.Narrative(language="zh-Hant", text="\N{CJK UNIFIED IDEOGRAPH-754C}" * 8192) for _ in range(7)]
"""About 170 KiB."""
ROOM = MAX_MESSAGE_BYTES - 64 * 1024


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def test_pages_and_watches_give_large_alerts_over_several_messages(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    ids = [hk.publish("cn", narratives=NARRATIVES) for _ in range(40)]
    exchange(cn, hk)
    queries = cn.queries

    watched, position = [], 0
    while (response := queries.changes(position)[0]).changes:
        assert response.ByteSize() < ROOM
        watched += [change.alert.alert_id for change in response.changes]
        position = response.position
    assert watched == ids

    listed, request = [], Pb.ListAlertsRequest(page_size=1000)
    while True:
        page = queries.list(request)
        assert page.ByteSize() < ROOM
        listed += [summary.alert.id for summary in page.alerts]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert listed == ids[::-1]


def test_an_alert_can_be_read_whatever_its_recipient_has_said_of_it(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    goods = [goods_pb2.GoodsItem(description="\N{CJK UNIFIED IDEOGRAPH-754C}" * 1024) for _ in range(60)]
    for number in range(40):
        finding = alert_pb2.AlertFinding(
            result=alert_pb2.FINDING_RESULT_INCONCLUSIVE,
            inspected_at=to_timestamp(hk.clock.now),
            remarks=f"no. {number}",
            goods_found=goods,
        )
        hk.step("cn", alert_id, finding=finding)
    exchange(cn, hk)
    response = cn.queries.get("cn", alert_id)
    assert response.ByteSize() < ROOM
    said = [change.event.finding.remarks for change in response.history if change.event.HasField("finding")]
    assert said == [f"no. {number}" for number in range(40)][-len(said) :]
    assert len(said) > 5
    assert response.older_steps == 41 - len(response.history)
    assert response.alert.id == alert_id


def test_of_too_many_hits_each_party_keeps_its_best() -> None:
    hits = []
    for party in range(64):
        for number in range(20):
            hit = Pb.AlertHit(field=f"subject.parties[{party}]")
            hit.hit.score = 1 - number / 100
            hit.hit.explanation.because = "\N{CJK UNIFIED IDEOGRAPH-754C}" * 1024
            hits.append(hit)
    kept = best_hits(hits)
    assert sum(hit.ByteSize() for hit in kept) <= HITS_BYTES
    assert {hit.field for hit in kept if hit.hit.score == 1} == {hit.field for hit in hits}
    assert kept == [hit for hit in hits if hit in kept]
    assert best_hits(hits[:100]) == hits[:100]
    assert best_hits([]) == []
