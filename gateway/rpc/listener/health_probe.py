"""Checks over mutual TLS whether a partner's gateway serves."""

from __future__ import annotations

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.contract.channel_options import channel_options
from gateway.errors import UnavailableError
from gateway.rpc.listener.tls import channel_credentials
from gateway.rpc.status import from_rpc_error
from gateway.tls.credentials import TlsMaterial

PROBE_TIMEOUT_S = 5.0
"""Seconds for connecting, the handshake and the answer."""


async def require_serving(
    endpoint: str,
    material: TlsMaterial,
    *,
    ca_pem: bytes,
    server_name: str | None,
    timeout_s: float = PROBE_TIMEOUT_S,
) -> None:
    """Checks that the gateway at `endpoint` serves.

    Args:
        ca_pem: the CAs of that node alone.
        server_name: the name in its certificate, if it differs from the host.

    Raises:
        UnauthenticatedError: it refuses this node's certificate.
        UnavailableError: nothing answers, its certificate isn't the node's, or it is stopping.
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
