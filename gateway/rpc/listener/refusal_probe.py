"""Sends a gateway what it must refuse, and tells how it answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.contract.channel_options import channel_options
from gateway.errors import Kind
from gateway.rpc.calls import from_rpc_error
from gateway.v1 import alert_service_pb2, alert_service_pb2_grpc, exchange_service_pb2, feed_pb2
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub

ANSWER_S: Final = 5.0
"""Seconds for the connection, the handshake and the answer of each try."""

NOTHING_HELD: Final = "the partner holds nothing that could be sent again"

NO_REFUSAL: Final = frozenset({Kind.DEADLINE_EXCEEDED, Kind.INTERNAL, Kind.RESOURCE_EXHAUSTED})
"""Errors that say nothing about what was tried. UNAVAILABLE does: TLS ends a connection without a word."""


@dataclass(frozen=True, slots=True)
class TryResult:
    """How a gateway answered.

    Attributes:
        refused: None where neither an answer nor a refusal came.
        detail: the reason code of the refusal, or what came instead.
    """

    refused: bool | None
    detail: str


Try = Callable[[grpc.aio.Channel], Awaitable[TryResult]]
"""Something to try over a connection."""


@dataclass(frozen=True, slots=True)
class PartnerPort:
    """A partner's peer port.

    Attributes:
        server_name: the name in its certificate, if it differs from the host.
        ca_pem: the CAs of that node alone.
    """

    endpoint: str
    server_name: str | None
    ca_pem: bytes

    async def attempt(self, what: Try, *, key_pem: bytes | None, certificate_pem: bytes | None) -> TryResult:
        """Tries something over a connection with these credentials, None for none."""
        credentials = grpc.ssl_channel_credentials(self.ca_pem, key_pem, certificate_pem)
        options = channel_options(server_name=self.server_name)
        async with grpc.aio.secure_channel(self.endpoint, credentials, options=options) as channel:
            try:
                return await what(channel)
            except grpc.aio.AioRpcError as error:
                refusal = from_rpc_error(error)
                return TryResult(None if refusal.kind in NO_REFUSAL else True, refusal.reason)
            except asyncio.InvalidStateError:  # the stream ended while it was written to
                return TryResult(None, "the stream ended")


async def health(channel: grpc.aio.Channel) -> TryResult:
    """The call that every caller with a good certificate may make."""
    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=ANSWER_S)
    return TryResult(False, "it serves")


async def method_of_own_systems(channel: grpc.aio.Channel) -> TryResult:
    """A call that only the gateway's own systems may make."""
    stub = alert_service_pb2_grpc.AlertServiceStub(channel)
    await stub.ListAlerts(alert_service_pb2.ListAlertsRequest(), timeout=ANSWER_S)
    return TryResult(False, "its alerts were listed")


def query(data: bytes, note: bytes) -> Try:
    """A query for shipment history, as bytes with its signed note."""

    async def run(channel: grpc.aio.Channel) -> TryResult:
        request = exchange_service_pb2.QueryHistoryRequest(query=data, note=note, reads_unindexed=True)
        answer = await ExchangeServiceStub(channel).QueryHistory(request, timeout=ANSWER_S).read()
        return TryResult(None if answer is grpc.aio.EOF else False, "it was answered")

    return run


def stream_of(origin: str) -> Try:
    """A stream for sending a feed, opened and ended."""

    async def run(channel: grpc.aio.Channel) -> TryResult:
        stream = ExchangeServiceStub(channel).Replicate(timeout=ANSWER_S)
        await _open(stream, origin)
        stream.cancel()
        return TryResult(False, f"a stream of {origin} was opened")

    return run


def replay_of(origin: str) -> Try:
    """The first batch of a feed that the partner holds, once more.

    The batch is the partner's own copy. It may refuse it, or answer with the receipt of before; a receipt for another
    size would mean that it stored the batch again.
    """

    async def run(channel: grpc.aio.Channel) -> TryResult:
        stub = ExchangeServiceStub(channel)
        batch = await _first_batch(stub, origin)
        if batch is None:
            return TryResult(None, NOTHING_HELD)
        end = batch.first_index + len(batch.entries)
        stream = stub.Replicate(timeout=ANSWER_S)
        await _open(stream, origin)
        await stream.write(exchange_service_pb2.ReplicateRequest(batch=batch))
        answer = await stream.read()
        stream.cancel()
        if not isinstance(answer, exchange_service_pb2.ReplicateResponse):
            return TryResult(None, "the stream ended")
        if answer.receipt.size != end:
            return TryResult(False, f"a batch that ends at {end} got a receipt for {answer.receipt.size}")
        return TryResult(True, f"nothing was stored, the receipt for {end} was given again")

    return run


async def _first_batch(stub: ExchangeServiceStub, origin: str) -> feed_pb2.Batch | None:
    stream = stub.Fetch(timeout=ANSWER_S)
    opening = exchange_service_pb2.FetchOpening(origin=origin, until_current=True)
    await stream.write(exchange_service_pb2.FetchRequest(open=opening))
    try:
        while isinstance(response := await stream.read(), exchange_service_pb2.FetchResponse):
            if response.WhichOneof("message") == "batch":
                return response.batch
    finally:
        stream.cancel()
    return None


async def _open(
    stream: grpc.aio.StreamStreamCall[exchange_service_pb2.ReplicateRequest, exchange_service_pb2.ReplicateResponse],
    origin: str,
) -> None:
    """Waits for the position with which a stream begins; raises AioRpcError when it is refused."""
    await stream.write(exchange_service_pb2.ReplicateRequest(open=exchange_service_pb2.FeedOpening(origin=origin)))
    await stream.read()
