"""`gateway doctor --partner`: what a partner refuses is tried live, a gap is seen, and nothing stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gateway.client import GatewayClient
from gateway.v1 import alert_service_pb2, alert_service_pb2_grpc
from gateway.v1.node_service_pb2 import LINK_STATE_CONNECTED
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, feed, origin, with_logs

TRIES = [
    "Serves this node",
    "Old TLS",
    "No certificate",
    "Wrong CA",
    "Wrong role",
    "Wrong publisher",
    "Wrong signer",
    "Replay",
]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("refusals")):
        made.start("cn", "hk")
        yield made


def tried(nodes: Federation, *, code: int) -> dict[str, dict[str, Any]]:
    """Findings of `gateway doctor --partner hk` at cn, by check."""
    findings = Cli(nodes, "cn").json("", "doctor", "--partner", "hk", code=code)
    return {found["check"]: found for found in findings}


def stored(nodes: Federation) -> object:
    """All that hk holds of cn, and of its own for cn."""
    return [nodes["hk"].feed(feed(*pair).line) for pair in (("cn", "hk"), ("hk", "cn"))]


def test_a_sound_partner_refuses_everything_and_keeps_nothing(nodes: Federation) -> None:
    first = tried(nodes, code=3)
    assert list(first) == TRIES
    assert {name for name, found in first.items() if found["result"] == "unknown"} == {"Replay"}  # hk holds nothing yet

    async def publish() -> None:
        async with nodes.client("cn", "publisher") as client:
            await client.publish(alert(), ["hk"])
        await nodes.converged(("cn", "hk"))
        await eventually(answered, what="hk's answer at cn")

    async def answered() -> bool:
        return all(nodes[name].feed(origin("hk", "cn")).size for name in ("hk", "cn"))

    nodes.run(publish())
    before = stored(nodes)
    findings = tried(nodes, code=0)
    assert {name: found["result"] for name, found in findings.items()} == dict.fromkeys(TRIES, "ok")
    assert "nothing was stored" in findings["Replay"]["detail"]
    assert stored(nodes) == before

    async def undisturbed() -> None:
        async with nodes.client("hk", "operator") as hk, nodes.client("hk", "auditor") as auditor:
            await eventually(lambda: links_up(hk), what="links that the tries left alone")
            status = await hk.node.status()
            assert [alarm.code for alarm in status.alarms if alarm.code != "PARTNER_UNREACHABLE"] == []
            denied = [event async for event in auditor.evidence.audit_events(filter="result = deny")]
            assert {event.principal for event in denied if "cn" in event.principal}, "refusals are in the audit log"

    nodes.run(undisturbed())


async def links_up(operator: GatewayClient) -> bool:
    """Whether the streams that the partner's gateway opened are shown, and not the ended ones of the tries."""
    incoming = [link for link in await operator.node.links() if (link.partner, link.direction) == ("cn", "in")]
    return bool(incoming) and all(link.state == LINK_STATE_CONNECTED for link in incoming)


def test_a_partner_that_is_not_in_the_directory_is_named(nodes: Federation) -> None:
    result = Cli(nodes, "cn").run("", "doctor", "--partner", "hx", code=1)
    assert "the directory names no partner 'hx'; it names hk, mo" in result.output


class Lenient(alert_service_pb2_grpc.AlertServiceServicer):
    """Lists its alerts to everybody."""

    def ListAlerts(self, request: object, context: object) -> alert_service_pb2.ListAlertsResponse:
        return alert_service_pb2.ListAlertsResponse()


def test_a_partner_that_takes_everybody_is_seen(nodes: Federation) -> None:
    """A server with hk's certificate that asks for none and checks no role, as a wrong proxy would be."""
    folder = nodes["hk"].folder
    server = grpc.server(ThreadPoolExecutor(4))
    checks = health.HealthServicer()
    checks.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    alert_service_pb2_grpc.add_AlertServiceServicer_to_server(Lenient(), server)
    pair = [(folder.key.read_bytes(), folder.certificate.read_bytes())]
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
    server.start()
    config = nodes["cn"].config
    text = config.read_text()
    try:
        endpoint = nodes["cn"].settings.links["hk"].endpoint
        config.write_text(text.replace(endpoint, f"127.0.0.1:{port}"))
        findings = tried(nodes, code=1)
    finally:
        config.write_text(text)
        server.stop(None).wait()
    failed = {name for name, found in findings.items() if found["result"] == "fail"}
    assert failed == {"No certificate", "Wrong CA", "Wrong role"}
    assert "their gateway takes what it must refuse" in findings["Wrong role"]["way_out"]
