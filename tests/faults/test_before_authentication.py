"""A caller that TLS lets in and the node refuses: whatever it calls, the reply is the same and says nothing."""

from __future__ import annotations

import grpc.aio
import pytest

from gateway.contract.channel_options import channel_options
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.codec.permissions import load_permissions
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.federation import Federation

METHODS = [
    *load_permissions(),
    "/grpc.health.v1.Health/Other",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/gateway.v1.AlertService/Nothing",
    "/x",
    "/gateway.v1.AlertService/" + "x" * 4_000,
]
REQUESTS = [b"", b"\xff\xff\xff"]


def channel_of(federation: Federation, name: str, system: str, port: int) -> grpc.aio.Channel:
    folder = federation.folder.node(name)
    certificate = folder.system_certificate(system) if system else folder.certificate
    key = folder.system_key(system) if system else folder.key
    ca = federation["cn"].folder.ca.read_bytes()
    credentials = channel_credentials(ca, certificate.read_bytes(), key.read_bytes())
    options = channel_options(server_name=f"cn.{FEDERATION}")
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options)


@pytest.mark.parametrize(("port", "name", "system"), [("local_port", "cn", ""), ("peer_port", "hk", "publisher")])
def test_no_method_says_anything_to_a_caller_without_identity(
    federation: Federation, port: str, name: str, system: str
) -> None:
    async def run() -> None:
        answers = set()
        async with (
            federation.inside("cn") as node,
            channel_of(federation, name, system, getattr(node, port)) as channel,
        ):
            for method in METHODS:
                for request in REQUESTS:
                    answers.add(await refusal(channel, method, request))
        ((code, details),) = answers
        assert code is grpc.StatusCode.UNAUTHENTICATED
        assert details is not None
        assert "Traceback" not in details
        assert len(details) < 100

    federation.run(run())


async def refusal(channel: grpc.aio.Channel, method: str, request: bytes) -> tuple[grpc.StatusCode, str | None]:
    """Status and text of an answer; asked again when the connection was ended, which is no answer."""
    while True:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(method)(request, timeout=10)
        if caught.value.code() is not grpc.StatusCode.UNAVAILABLE:
            return caught.value.code(), caught.value.details()


def test_health_is_listed_to_an_operator(federation: Federation) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    async def run() -> None:
        async with (
            federation.inside("cn") as node,
            channel_of(federation, "cn", "operator", node.local_port) as operator,
            channel_of(federation, "cn", "publisher", node.local_port) as publisher,
        ):
            listed = await health_pb2_grpc.HealthStub(operator).List(health_pb2.HealthListRequest(), timeout=10)
            assert listed.statuses["gateway.v1.AlertService"].status == health_pb2.HealthCheckResponse.SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await health_pb2_grpc.HealthStub(publisher).List(health_pb2.HealthListRequest(), timeout=10)
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED

    federation.run(run())
