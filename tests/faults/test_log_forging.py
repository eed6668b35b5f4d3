"""A log that strangers and partners can't write in: real node processes, real handshakes, real errors of a partner."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress

import grpc.aio
import pytest

from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import feed_pb2
from tests.support.federation import Federation, alert, eventually
from tests.support.hostile_text import is_harmless
from tests.support.partner import Partner, recipient

FORGED = "\n2026-01-01T00:00:00Z [critical ] the key was stolen\x1b[2J\x1b[31m"
HANDSHAKES = 150


def client_hello(name: bytes) -> bytes:
    """A real TLS ClientHello that asks for a server of this name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    placeholder = "a" * len(name)
    session = context.wrap_bio(incoming, outgoing, server_hostname=placeholder)
    with suppress(ssl.SSLWantReadError):
        session.do_handshake()
    return outgoing.read().replace(placeholder.encode(), name)


def strange_connections(port: int) -> None:
    """Handshakes under a hostile name, begun ones and broken ones, and bytes that are no TLS."""
    hostile = FORGED.encode()
    for number in range(HANDSHAKES):
        with socket.create_connection(("127.0.0.1", port), 5) as stranger, suppress(OSError):
            if number % 3 == 0:
                stranger.sendall(hostile * 10)
            else:
                stranger.sendall(client_hello(hostile))
                if number % 3 == 1:
                    stranger.sendall(b"\x15\x03\x03\x00\x02\x02\x28" + hostile)
            stranger.settimeout(2)
            stranger.recv(4096)


@pytest.mark.parametrize("form", ["text", "json"])
def test_strangers_write_nothing_into_a_nodes_log(federation: Federation, form: str) -> None:
    node = federation["cn"]
    node.config.write_text(f'log_format = "{form}"\n' + node.config.read_text("utf-8"), "utf-8")
    node.start()
    before = len(node.log.splitlines())
    for port in (node.peer_port, node.local_port):
        strange_connections(port)
    node.wait_ready()  # it still serves
    log = node.log
    assert "stolen" not in log
    assert is_harmless(log, allowed="\n")
    assert len(log.splitlines()) - before < 20  # of 300 connections: what its links say meanwhile
    node.stop()


def test_a_partners_errors_stay_on_their_lines(federation: Federation) -> None:
    node = federation["cn"]
    node.start()

    async def run() -> None:
        async with recipient(federation, "hk", feed_pb2.FeedPosition()) as hk:
            hk.refusal = FORGED * 30
            async with federation.client("cn", "publisher") as risk:
                await risk.publish(alert(), ["hk"])

            async def told() -> bool:
                return node.log.count("no. ") >= 2

            await eventually(told, what="the partner's error in the log")

    federation.run(run())
    node.stop()
    lines = [line for line in node.log.splitlines() if "stolen" in line]
    assert lines
    assert all(line.startswith("20") and "] link " in line for line in lines)
    assert is_harmless(node.log, allowed="\n")


def test_a_partner_floods_no_log(federation: Federation) -> None:
    """Calls that fail each in its own way leave a bounded number of lines."""
    node = federation["cn"]
    node.start()
    before = len(node.log.splitlines())

    async def run() -> None:
        hk = Partner(federation, "hk", "cn")

        async def fail(number: int) -> None:
            with suppress(grpc.aio.AioRpcError):
                await hk.stub.GetCheckpoint(pb.GetCheckpointRequest(origin=f"{number}{FORGED}"))
            with suppress(grpc.aio.AioRpcError):
                await hk.channel.unary_unary(f"/x/{number}\u202e")(b"")

        for first in range(0, 600, 30):
            await asyncio.gather(*map(fail, range(first, first + 30)))
        await hk.close()

    federation.run(run())
    node.stop()
    assert "stolen" not in node.log
    assert len(node.log.splitlines()) - before < 250
