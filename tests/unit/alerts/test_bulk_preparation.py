"""Alerts that another process prepared are those that the node would have prepared, and what it can't do it leaves."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.alerts.commands.bulk_preparation import FEWEST_ALERTS, AlertPreparation, BulkPublisher
from gateway.alerts.commands.publish_command import PublishCommand
from gateway.alerts.commands.publishing import PreparedAlert
from gateway.errors import GatewayError, InvalidRequestError
from gateway.feed.codec import check_entry
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_pb2, alert_service_pb2, feed_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, alert_content, exchange, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def message(cn: PaperNode) -> alert_service_pb2.PublishAlertsRequest:
    alerts = [
        alert_service_pb2.PublishAlertRequest(
            request_id=str(uuid.uuid4()), recipients=["hk"], content=alert_content(cn.clock.now)
        )
        for _ in range(FEWEST_ALERTS)
    ]
    alerts[3].content.ClearField("legal_basis")
    alerts[5].recipients[:] = ["xx"]
    alerts[7].content.derived_from.add(publisher="hk", alert_id=str(uuid.uuid4()))
    alerts[9].content.evidence.add(sha256=bytes(32), media_type="image/jpeg", size_bytes=1)
    return alert_service_pb2.PublishAlertsRequest(alerts=alerts)


def comparable(prepared: PreparedAlert | GatewayError) -> object:
    """All that isn't drawn at random or read from the clock."""
    if isinstance(prepared, GatewayError):
        return type(prepared), prepared.message
    events = []
    for origin, entry in prepared.entries:
        check_entry(feed_pb2.Entry(header=entry.header, salt=entry.salt, payload=entry.payload))
        event = alert_pb2.AlertEvent.FromString(entry.payload)
        event.ClearField("occurred_at")
        event.published.ClearField("published_at")
        assert event.published.id == prepared.alert_id
        event.published.ClearField("id")
        events.append((origin, event, entry.follows, entry.after))
    refusal = prepared.refusal and (type(prepared.refusal), prepared.refusal.message)
    releases = prepared.releases if not prepared.derived_from else None
    return replace(prepared, entries=(), alert_id="", refusal=None, releases=len), releases, events, refusal


def test_another_process_prepares_what_the_node_would(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alerts, request = AlertPreparation(cn.publisher, lambda: cn.trust.directory, cn.clock), message(cn)
    packed = alerts.pack(request, "risk-engine")
    assert packed is not None
    compact = BulkPublisher(FEDERATION, "cn")(*packed)
    assert [at for at, one in enumerate(compact) if one is None] == [3, 5, 7]
    finished = alerts.finish(request, "risk-engine", compact)
    here = alerts.here(request, "risk-engine")
    assert list(map(comparable, finished)) == list(map(comparable, here))
    results = cn.writer.run(PublishCommand(finished, principal="system/cn/risk-engine"))
    published = [one.alert_id for one in results if not isinstance(one, GatewayError)]
    assert len(published) == FEWEST_ALERTS - 3
    exchange(cn, hk)
    assert all(hk.queries.get("cn", alert_id).alert.content.legal_basis for alert_id in published)
    assert isinstance(results[3], InvalidRequestError)


def test_a_persons_alerts_and_few_ones_stay_in_the_node(nodes: list[PaperNode]) -> None:
    cn, _ = nodes
    alerts, request = AlertPreparation(cn.publisher, lambda: cn.trust.directory, cn.clock), message(cn)
    assert alerts.pack(request, "person/li.wei") is None
    del request.alerts[1:]
    assert alerts.pack(request, "risk-engine") is None


def test_a_changed_directory_goes_with_the_next_call(nodes: list[PaperNode]) -> None:
    cn, _ = nodes
    directory = [cn.trust.directory]
    alerts, request = AlertPreparation(cn.publisher, lambda: directory[0], cn.clock), message(cn)
    elsewhere = BulkPublisher(FEDERATION, "cn")
    first = alerts.pack(request, "risk-engine")
    assert first is not None
    assert elsewhere(*first)[0] is not None
    directory[0] = replace(directory[0], agreements=())
    second = alerts.pack(request, "risk-engine")
    assert second is not None
    assert elsewhere(*second) == [None] * FEWEST_ALERTS
