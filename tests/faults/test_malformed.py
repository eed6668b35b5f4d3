"""Bytes that aren't what they should be, at both ports of a whole node: refused by size or form, and the node lives."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from gateway.client import AlertReference
from gateway.contract.channel_options import channel_options
from gateway.contract.limits import MAX_BATCH_BYTES, MAX_MESSAGE_BYTES
from gateway.rpc.calls import from_rpc_error
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2 as pb
from tests.support.federation import Federation, NodeProcess, alert, eventually, new_id, origin
from tests.support.partner import Partner, entry, refusal

UNARY = ("AlertService/PublishAlert", "AlertService/AmendAlert", "AlertService/ListAlerts")
NESTED = b"\x0b" * 100_000  # groups in groups in groups
TRUNCATED = b"\x0a\xff\xff\xff\x7f"  # a field that says it is longer than everything
CONNECTION_GONE = {"UNAVAILABLE"}
"""What a caller sees when the end comes while it still writes: gRPC doesn't say why."""

TOO_LARGE = bytes(MAX_MESSAGE_BYTES + 1)


def noise(seed: int) -> bytes:
    source = random.Random(seed)
    return bytes([0x0A]) + source.randbytes(source.randrange(1, 3_000))


async def reason_of_end(stream: Any, message: bytes) -> str:
    """Writes to a stream and reads until it ends; returns the error's reason."""
    try:
        await stream.write(message)
        while await stream.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).reason
    return "none"


@asynccontextmanager
async def raw_channel(node: NodeProcess, system: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel whose messages are whatever bytes a test wants."""
    options = [*channel_options(server_name=f"{node.name}.{FEDERATION}")]
    options = [(name, value) for name, value in options if name != "grpc.max_send_message_length"]
    options.append(("grpc.max_send_message_length", -1))
    folder = node.folder
    certificate, key, port = folder.certificate, folder.key, node.peer_port
    if system:
        certificate, key, port = folder.system_certificate(system), folder.system_key(system), node.local_port
    credentials = channel_credentials(folder.ca.read_bytes(), certificate.read_bytes(), key.read_bytes())
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
        yield channel


@pytest.mark.parametrize(
    ("message", "reasons"),
    [
        (NESTED, {"MALFORMED"}),
        (TRUNCATED, {"MALFORMED"}),
        (TOO_LARGE, {"TOO_LARGE"}),
        *((noise(seed), {"MALFORMED", "INVALID_REQUEST"}) for seed in range(8)),
    ],
    ids=["nested", "truncated", "too large", *(f"noise {seed}" for seed in range(8))],
)
def test_what_is_no_message_is_refused(running_federation: Federation, message: bytes, reasons: set[str]) -> None:
    async def run() -> None:
        async with raw_channel(running_federation["cn"], "supervisor") as channel:
            for method in UNARY:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.unary_unary(f"/gateway.v1.{method}")(message, timeout=10)
                assert from_rpc_error(caught.value).reason in reasons, method
            stream = channel.stream_stream("/gateway.v1.AlertService/PublishAlerts")()
            assert await reason_of_end(stream, message) in reasons | CONNECTION_GONE
        await still_serves(running_federation)

    running_federation.run(run())


@pytest.mark.parametrize("message", [NESTED, TRUNCATED, TOO_LARGE, noise(1), noise(2)], ids=lambda m: f"{len(m)}")
def test_what_is_no_message_of_a_partner_is_refused(running_federation: Federation, message: bytes) -> None:
    async def run() -> None:
        hk = Partner(running_federation, "hk", "cn")
        before = running_federation["cn"].feed(origin("hk", "cn"))
        for method in ("Replicate", "Fetch"):
            for opened in (False, True):
                call = hk.channel.stream_stream(f"/gateway.v1.ExchangeService/{method}")()
                if opened:
                    opening = pb.ReplicateRequest(open=pb.FeedOpening(origin=origin("hk", "cn")))
                    if method == "Fetch":
                        position = (await hk.stub.GetCheckpoint(checkpoint_of("cn", "hk"))).position
                        opening = pb.FetchRequest(
                            open=pb.FetchOpening(origin=position.origin, first_index=position.size, position=position)
                        )
                    await call.write(opening.SerializeToString())
                    await call.read()
                reason = await reason_of_end(call, message)
                expected = {"TOO_LARGE"} | CONNECTION_GONE if message is TOO_LARGE else {"MALFORMED", "INVALID_REQUEST"}
                assert reason in expected, (method, opened)
        assert running_federation["cn"].feed(origin("hk", "cn")).entries[: before.size] == before.entries
        await hk.close()
        await still_serves(running_federation)

    running_federation.run(run())


def checkpoint_of(publisher: str, recipient: str) -> pb.GetCheckpointRequest:
    return pb.GetCheckpointRequest(origin=origin(publisher, recipient))


async def still_serves(federation: Federation) -> None:
    """The whole way still works, and the node is the one that was started."""
    async with federation.client("cn", "publisher") as risk, federation.client("hk", "officer") as hk:
        published = await risk.publish(alert(), ["hk"], request_id=new_id())
        await federation.converged(("cn", "hk"))
        await eventually(lambda: hk.get_alert(AlertReference(publisher="cn", alert_id=published.alert_id)))
    assert federation["cn"].started == 1
    assert federation["cn"].process is not None
    assert federation["cn"].process.poll() is None


def test_an_alert_as_large_as_may_be_passes_and_a_larger_one_does_not(running_federation: Federation) -> None:
    from gateway.errors import InvalidRequestError, TooLargeError
    from gateway.v1 import alert_pb2

    def goods(count: int) -> alert_pb2.AlertContent:
        content = alert()
        for language in ("en", "zh-Hans", "zh-Hant", "pt"):
            content.narratives.add(language=language, text="字" * 8_192)
        for _ in range(count):
            content.rule_hits.add(rule_id="R02", explanation="x" * 1_024)
        return content

    async def run() -> None:
        async with running_federation.client("cn", "publisher") as risk:
            await risk.publish(goods(64), ["hk"])
            for _ in range(3):
                huge = goods(64)
                for hit in huge.rule_hits:
                    for number in range(64):
                        hit.inputs[f"field-{number}"] = "y" * 200
                with pytest.raises((TooLargeError, InvalidRequestError)):
                    await risk.publish(huge, ["hk"])
            await still_serves(running_federation)

    running_federation.run(run())


def test_a_batch_beyond_its_bytes_is_refused(federation: Federation) -> None:
    async def run() -> None:
        async with federation.inside("cn"):
            hk = Partner(federation, "hk", "cn")
            batch = hk.batch([entry(bytes(250_000), type_name="Unknown") for _ in range(18)])
            assert MAX_BATCH_BYTES < batch.ByteSize() < MAX_MESSAGE_BYTES
            assert (await refusal(hk.send(batch))).reason == "TOO_LARGE"
            assert federation["cn"].feed(hk.feed).size == 0
            await hk.close()

    federation.run(run())
