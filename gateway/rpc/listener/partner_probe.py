"""Checks over mutual TLS whether a partner's gateway serves, and reads its clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.contract.channel_options import channel_options
from gateway.contract.messages import clipped_moment, to_ms
from gateway.errors import UnavailableError
from gateway.rpc.calls import from_rpc_error
from gateway.rpc.listener.tls import channel_credentials
from gateway.tls.credentials import TlsMaterial
from gateway.v1 import exchange_service_pb2, exchange_service_pb2_grpc

PROBE_TIMEOUT_S = 5.0
"""Seconds for connecting, the handshake and each answer."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How far another clock is ahead of ours; `uncertainty` is half of the time that the answer took."""

    ahead: timedelta
    uncertainty: timedelta


async def probe_partner(
    endpoint: str,
    material: TlsMaterial,
    *,
    ca_pem: bytes,
    server_name: str | None,
    feed: str,
    clock: Callable[[], datetime],
    timeout_s: float = PROBE_TIMEOUT_S,
) -> ClockReading | None:
    """Checks that the gateway at `endpoint` serves; returns its clock, None if it doesn't tell (older versions).

    Args:
        ca_pem: the CAs of that node alone.
        server_name: the name in its certificate, if it differs from the host.
        feed: any feed between the two nodes.

    Raises:
        UnauthenticatedError: it refuses this node's certificate.
        UnavailableError: nothing answers, its certificate isn't the node's, or it doesn't serve.
        GatewayError: any other answer.
    """
    credentials = channel_credentials(ca_pem, material.certificate_pem, material.key_pem)
    options = channel_options(server_name=server_name)
    async with grpc.aio.secure_channel(endpoint, credentials, options=options) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise UnavailableError(f"the gateway at {endpoint} answers but doesn't serve")
        return await _read_clock(channel, feed, clock, timeout_s)


async def _read_clock(
    channel: grpc.aio.Channel, feed: str, clock: Callable[[], datetime], timeout_s: float
) -> ClockReading | None:
    stub = exchange_service_pb2_grpc.ExchangeServiceStub(channel)
    asked_at = clock()
    try:
        answer = await stub.GetCheckpoint(exchange_service_pb2.GetCheckpointRequest(origin=feed), timeout=timeout_s)
    except grpc.aio.AioRpcError:
        return None
    answered = clock()
    if not answer.HasField("answered_at"):
        return None
    uncertainty = (answered - asked_at) / 2
    unix_ms = to_ms(answer.answered_at)
    theirs = clipped_moment(unix_ms) + timedelta(milliseconds=unix_ms % 1000)
    return ClockReading(theirs - (asked_at + uncertainty), uncertainty)
