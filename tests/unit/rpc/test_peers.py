"""Connections to partners trust the CAs that count now: with real TLS, and revocations without a new number."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.errors import DirectoryError, UnavailableError
from gateway.tls.certificates import inspect_ca, inspect_certificate
from gateway.trust.rules.directory import Directory
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import exchange_service_pb2_grpc
from tests.support.federation import Federation
from tests.support.partner import peers_of, serving


class Answering(exchange_service_pb2_grpc.ExchangeServiceServicer):
    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        return pb.GetCheckpointResponse()


class Cn:
    """cn's channels, with a directory that a test changes."""

    def __init__(self, nodes: Federation) -> None:
        self.directory: Directory = nodes.directory
        self.peers = peers_of(nodes, "cn", lambda: self.directory)

    async def ask(self) -> None:
        stub = await self.peers.stub("hk")
        await stub.GetCheckpoint(pb.GetCheckpointRequest(origin="any"), timeout=30, wait_for_ready=True)


def test_a_revoked_ca_counts_for_connections_that_this_node_opens(tmp_path: Path) -> None:
    async def run(nodes: Federation) -> None:
        async with serving(nodes, "hk", Answering()):
            cn = Cn(nodes)
            await cn.ask()
            basis = cn.peers.basis()
            (pem,) = cn.directory.tls_ca_pems("hk")
            cn.directory = replace(cn.directory, revoked_certificates=frozenset({inspect_ca(pem).fingerprint_sha256}))
            assert cn.peers.basis() != basis, "links open again"
            with pytest.raises(DirectoryError, match="every CA of hk is revoked"):
                await cn.ask()
            other = replace(cn.directory.nodes["hk"], tls_ca_pems=(pem, *cn.directory.tls_ca_pems("mo")))
            cn.directory = replace(cn.directory, nodes={**cn.directory.nodes, "hk": other})
            stub = await cn.peers.stub("hk")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GetCheckpoint(pb.GetCheckpointRequest(origin="any"), timeout=30)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE, "the handshake fails"
            cn.directory = replace(cn.directory, revoked_certificates=frozenset())
            await cn.ask()
            await cn.peers.close()

    with Federation(tmp_path) as nodes:  # of which none starts
        nodes.run(run(nodes))


def test_what_is_revoked_during_an_examination_counts_for_whoever_asks_then(tmp_path: Path) -> None:
    async def run(nodes: Federation) -> None:
        fingerprint = inspect_certificate(nodes["hk"].folder.certificate.read_bytes()).fingerprint_sha256
        async with serving(nodes, "hk", Answering()):
            cn = Cn(nodes)
            cn.directory = replace(cn.directory, revoked_certificates=frozenset({"aa" * 32}))
            before = asyncio.create_task(cn.ask())
            await asyncio.sleep(0)  # its examination begins
            cn.directory = replace(cn.directory, revoked_certificates=frozenset({fingerprint}))
            for refused in await asyncio.gather(cn.ask(), before, return_exceptions=True):
                assert isinstance(refused, DirectoryError)
                assert "step 9 revocation" in refused.message
            await cn.peers.close()

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))


def test_a_servers_revoked_certificate_is_refused_and_its_new_one_is_taken(tmp_path: Path) -> None:
    async def run(nodes: Federation) -> None:
        folder = nodes["hk"].folder
        stolen, stolen_key = folder.certificate.read_bytes(), folder.key.read_bytes()
        async with serving(nodes, "hk", Answering()):
            cn = Cn(nodes)
            await cn.ask()
            revoked = frozenset({inspect_certificate(stolen).fingerprint_sha256})
            cn.directory = replace(cn.directory, revoked_certificates=revoked)
            for _ in range(2):
                with pytest.raises(DirectoryError, match="step 9 revocation"):
                    await cn.ask()
        nodes.renew_certificate("hk")
        async with serving(nodes, "hk", Answering()):
            await asyncio.gather(*(cn.ask() for _ in range(5)))
            assert await cn.peers.connected("hk", within_s=30)
        await cn.peers.renew("hk")
        with pytest.raises(UnavailableError, match="can't be reached"):
            await cn.ask()
        async with serving(nodes, "hk", Answering()):
            await cn.ask()
        folder.certificate.write_bytes(stolen)
        folder.key.write_bytes(stolen_key)
        async with serving(nodes, "hk", Answering()):  # a thief's, after the true one was examined
            stub = await cn.peers.stub("hk")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GetCheckpoint(pb.GetCheckpointRequest(origin="any"), timeout=30)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        await cn.peers.close()

    with Federation(tmp_path) as nodes:
        nodes.run(run(nodes))
