"""Well-behaved callers of a node, each with one call at a time, and how they fare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc.aio

from bench import alerts
from bench.attacks.attack import HOST
from bench.nodes import NodeProcess
from bench.results import quantile
from gateway.client import GatewayClient
from gateway.client.bulk import new_request_id
from gateway.contract.channel_options import channel_options
from gateway.contract.ids import server_name
from gateway.errors import GatewayError
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.service.trial_federation import FEDERATION, NodeFolder
from gateway.v1 import exchange_service_pb2 as exchange
from gateway.v1 import exchange_service_pb2_grpc
from gateway.v1.alert_pb2 import AlertReference

GET, PUBLISH, PARTNER = "GetAlert", "PublishAlert", "partner"
"""What is measured: two local calls, and a partner's GetCheckpoint at the peer port."""

PAUSE_S = 0.05
"""Seconds after a call that failed, as a well-behaved caller waits."""

CALLERS = {GET: 2, PUBLISH: 2, PARTNER: 1}
"""Callers of each kind."""


@dataclass(frozen=True)
class Fare:
    """How one kind of caller fared: calls a second, milliseconds, and calls that failed."""

    rate: float
    p50_ms: float
    p99_ms: float
    failed: int


@dataclass
class _Record:
    times_s: list[float] = field(default_factory=list)  # of those not answered in time too
    answered: int = 0
    failed: int = 0


class Others:
    """Callers of one node, with connections that stay open from one measurement to the next."""

    def __init__(self, node: NodeProcess, *, peer_port: int, partner: NodeFolder, recipient: str) -> None:
        """`partner`: in whose name the peer port is called."""
        self._client: GatewayClient = node.client()
        self._node, self._recipient = node.name, recipient
        self._contents = alerts.contents()
        credentials = channel_credentials(
            node.folder.ca.read_bytes(), partner.certificate.read_bytes(), partner.key.read_bytes()
        )
        options = channel_options(server_name=server_name(FEDERATION, node.name))
        self._channel = grpc.aio.secure_channel(f"{HOST}:{peer_port}", credentials, options)
        self._exchange = exchange_service_pb2_grpc.ExchangeServiceStub(self._channel)
        self._origin = f"{FEDERATION}/{node.name}/{partner.path.name}/alerts"
        self._alert = AlertReference()

    async def open(self) -> None:
        """Connects, and publishes the alert that is read."""
        published = await self._client.publish(self._contents[0], [self._recipient])
        self._alert = AlertReference(publisher=self._node, alert_id=published.alert_id)
        await self._checkpoint()

    async def close(self) -> None:
        await self._client.close()
        await self._channel.close()

    async def fare(self, seconds: float) -> dict[str, Fare]:
        """Calls for some seconds. A call that isn't answered in this time counts with the time that it has waited."""
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            GET: lambda: self._client.get_alert(self._alert),
            PUBLISH: self._publish,
            PARTNER: self._checkpoint,
        }
        records = {kind: _Record() for kind in calls}
        began = time.perf_counter()
        tasks = [
            asyncio.create_task(_again(calls[kind], records[kind], began + seconds))
            for kind, count in CALLERS.items()
            for _ in range(count)
        ]
        await asyncio.gather(*tasks)
        return {kind: _fare(record, seconds) for kind, record in records.items()}

    async def _publish(self) -> None:
        content = self._contents[time.monotonic_ns() % len(self._contents)]
        await self._client.publish(content, [self._recipient], request_id=new_request_id())

    async def _checkpoint(self) -> None:
        await self._exchange.GetCheckpoint(exchange.GetCheckpointRequest(origin=self._origin), timeout=60)


async def _again(call: Callable[[], Awaitable[object]], record: _Record, end: float) -> None:
    while (began := time.perf_counter()) < end:
        try:
            async with asyncio.timeout(end - began):
                await call()
        except TimeoutError:
            record.times_s.append(time.perf_counter() - began)
        except (GatewayError, grpc.aio.AioRpcError):
            record.failed += 1
            await asyncio.sleep(PAUSE_S)
        else:
            record.answered += 1
            record.times_s.append(time.perf_counter() - began)


def _fare(record: _Record, seconds: float) -> Fare:
    times_s = record.times_s or [seconds]
    return Fare(record.answered / seconds, quantile(times_s, 0.5) * 1e3, quantile(times_s, 0.99) * 1e3, record.failed)
