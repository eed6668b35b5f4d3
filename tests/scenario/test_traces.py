"""One alert, one trace, two gateways: where the agreement allows it, and nowhere else."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc.aio

from gateway.client import GatewayClient
from gateway.contract.channel_options import channel_options
from gateway.node.sections.observed_settings import TraceSettings
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_service_pb2, alert_service_pb2_grpc
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.otlp import OtlpReceiver, ReceivedSpan, otlp_receiver

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
"""Trace that an own system has begun."""

OF_PUBLISHER = {"alert.publish", "alert.prepare", "alert.commit", "alert.project", "alert.watch", "alert.send"}
OF_RECIPIENT = {"alert.receive", "alert.project", "alert.watch"}

MORE = 50
"""Alerts that follow the first, each with a trace of its own: a context that comes late misses some of them."""

SECRET = "Antimony ingots declared as lead."
"""In the alert's text, and nowhere else."""


def test_a_trace_follows_an_alert_to_the_partner_that_agreed(tmp_path: Path) -> None:
    for federation in with_logs(tmp_path):
        version = federation.directory
        agreed = tuple(
            replace(agreement, extensions={"trace_context": True}) if agreement.id == "cn-hk" else agreement
            for agreement in version.agreements
        )
        federation.put_directory(replace(version, version=2, agreements=agreed))
        with otlp_receiver() as receiver:
            for node in federation.nodes.values():
                with node.config.open("a", encoding="utf-8") as config:
                    config.write(f'[traces]\nendpoint = "http://127.0.0.1:{receiver.port}"\n')
            assert federation["cn"].settings.traces == TraceSettings(endpoint=f"http://127.0.0.1:{receiver.port}")
            federation.start()
            federation.run(follow(federation, receiver))


@asynccontextmanager
async def watching(federation: Federation, *nodes: str) -> AsyncIterator[None]:
    """An officer of each node watches its alerts."""

    async def watch(client: GatewayClient) -> None:
        async for _change in client.watch():
            pass

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(federation.client(node, "officer")) for node in nodes]
        tasks = [asyncio.create_task(watch(client)) for client in clients]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def follow(federation: Federation, receiver: OtlpReceiver) -> None:
    cn = federation["cn"]
    options = channel_options(server_name=f"cn.{FEDERATION}")
    request = alert_service_pb2.PublishAlertRequest(
        request_id=str(uuid.uuid4()), recipients=["hk", "mo"], content=alert()
    )
    async with (
        watching(federation, "cn", "hk"),
        grpc.aio.secure_channel(f"127.0.0.1:{cn.local_port}", cn.credentials("publisher"), options=options) as c,
    ):
        stub = alert_service_pb2_grpc.AlertServiceStub(c)
        metadata = (("traceparent", f"00-{CALLER}-00f067aa0ba902b7-01"), ("tracestate", f"x={SECRET}"))
        answer = await stub.PublishAlert(request, metadata=metadata, timeout=60)
        for number in range(MORE):
            another = alert_service_pb2.PublishAlertRequest(
                request_id=str(uuid.uuid4()), recipients=["hk"], content=alert()
            )
            own_trace = (("traceparent", f"00-{number + 1:032x}-00f067aa0ba902b7-01"),)
            await stub.PublishAlert(another, metadata=own_trace, timeout=60)
        await federation.converged(("cn", "hk"), ("cn", "mo"))

        def spans(node: str, feed: str = origin("cn", "hk")) -> dict[str, ReceivedSpan]:
            """Spans by name, of the alert's whole and of its copy in a feed."""
            return {
                span.name: span
                for span in receiver.spans
                if span.node == node and span.trace_id == CALLER and span.attributes.get("feed.origin", feed) == feed
            }

        async def both() -> bool:
            assert (spans("cn").keys(), spans("hk").keys()) == (OF_PUBLISHER, OF_RECIPIENT)  # says which are missing
            return True

        await eventually(both, what="the spans of both gateways")

        async def own() -> bool:
            return spans("cn", origin("cn", "mo")).keys() == OF_PUBLISHER

        await eventually(own, what="the publisher's spans of the copy for mo")

    async def each() -> bool:
        receptions = {span.trace_id for span in receiver.spans if (span.node, span.name) == ("hk", "alert.receive")}
        return len(receptions) == 1 + MORE

    await eventually(each, what="a span at hk for each alert")
    publish, send, receive = spans("cn")["alert.publish"], spans("cn")["alert.send"], spans("hk")["alert.receive"]
    assert publish.parent_id == "00f067aa0ba902b7"
    assert publish.attributes == {"alert.id": answer.alert_id}
    assert (send.parent_id, receive.parent_id) == (publish.span_id, send.span_id)
    for name in ("alert.prepare", "alert.commit", "alert.project", "alert.watch"):
        assert spans("cn")[name].parent_id == publish.span_id, name
    for name in ("alert.project", "alert.watch"):
        assert spans("hk")[name].parent_id == receive.span_id, name
        assert spans("hk")[name].attributes == {"feed.origin": origin("cn", "hk"), "feed.index": 0}
    place = {"feed.origin": origin("cn", "hk"), "feed.index": 0}
    assert (send.attributes, receive.attributes) == (place, place)
    # No trace is in what is signed or stored.
    for name in ("cn", "hk"):
        stored = [path.read_bytes() for path in federation[name].data.glob("gateway.sqlite3*")]
        assert stored
        assert not any(CALLER.encode() in content for content in stored)
    # mo got the alert too, and learns nothing of the trace; nobody's spans hold what the alert says.
    assert federation["mo"].feed(origin("cn", "mo")).size == 1
    assert [span for span in receiver.spans if span.node == "mo"] == []
    assert not any(SECRET.encode() in exported for exported in receiver.raw)
