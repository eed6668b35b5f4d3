"""Who doesn't get in, on real listeners with real TLS: nothing of a refused call reaches a handler."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from gateway.contract.channel_options import channel_options
from gateway.errors import UnauthenticatedError
from gateway.rpc.calls import from_rpc_error
from gateway.rpc.listener.server import Listener
from gateway.rpc.listener.tls import channel_credentials
from gateway.rpc.listener.tls_probe import TlsVersions, probe_tls_versions
from gateway.tls.certificates import inspect_ca
from gateway.trust.rules.audit import AuditResult
from tests.support.federation import free_port
from tests.support.listeners import (
    SERVICE,
    Credentials,
    Federation,
    RunningNode,
    at_node,
    call,
    gateway_of,
    now,
    system_of,
)
from tests.support.programs import Program


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


async def refused(channel: grpc.aio.Channel, method: str = "Unary") -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, method=method, seconds=3)
    return caught.value


async def refused_by_handshake(node: RunningNode, who: Credentials, listener: Listener) -> None:
    assert (await refused(node.channel(who, listener))).code() is grpc.StatusCode.UNAVAILABLE
    assert node.handlers.handled == 0
    assert node.events() == []


async def refused_by_interceptor(node: RunningNode, who: Credentials, listener: Listener, reason: str) -> None:
    error = await refused(node.channel(who, listener))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")
    status = rpc_status.from_call(error)
    info = ErrorInfo()
    assert [detail.Unpack(info) for detail in status.details] == [True]
    assert (info.reason, dict(info.metadata)) == ("UNAUTHENTICATED", {})  # a bare reply; the log has the rest
    assert isinstance(from_rpc_error(error), UnauthenticatedError)
    assert node.handlers.handled == 0
    (event,) = node.events()
    assert (event.result, event.reason, event.method) == (AuditResult.DENY, "UNAUTHENTICATED", f"/{SERVICE}/Unary")
    assert event.principal.startswith("unverified:")
    assert reason in event.detail


# Who gets in


def test_a_partner_and_an_own_system_are_admitted_each_at_its_listener(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        partner, desk = federation.issue(gateway_of("hk")), federation.issue(system_of("cn", "risk-desk"))
        assert await call(node.channel(partner, node.peer)) == b"gateway/hk x"
        assert await call(node.channel(desk, node.local)) == b"system/cn/risk-desk x"
        assert [(one.principal, one.result) for one in node.events()] == [
            ("gateway/hk", AuditResult.ALLOW),
            ("system/cn/risk-desk", AuditResult.ALLOW),
        ]

    at_node(federation, test)


# The TLS floor


def test_tls_1_2_is_refused_even_with_a_good_certificate(federation: Federation) -> None:
    partner = federation.issue(gateway_of("hk"))

    def connect(port: int, version: ssl.TLSVersion) -> str | None:
        context = ssl.create_default_context(cadata=federation.cas["cn"].certificate_pem.decode())
        context.load_cert_chain(partner.files.certificate, partner.files.key)
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", port), 3) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
        ):
            return encrypted.version()

    async def test(node: RunningNode) -> None:
        for listener in (node.peer, node.local):
            assert await asyncio.to_thread(connect, listener.port, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
            with pytest.raises(OSError, match=r"EOF|reset|alert"):
                await asyncio.to_thread(connect, listener.port, ssl.TLSVersion.TLSv1_2)
            assert await asyncio.to_thread(probe_tls_versions, "127.0.0.1", listener.port) == TlsVersions(False, True)

    at_node(federation, test)


@contextmanager
def stdlib_server(own: Credentials, partner_ca: bytes, version: ssl.TLSVersion) -> Iterator[int]:
    """A server with the right certificate that speaks one TLS version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.files.certificate, own.files.key)
    context.load_verify_locations(cadata=partner_ca.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    plain, _ = listening.accept()
                    plain.settimeout(2)
                    with context.wrap_socket(plain, server_side=True) as encrypted:
                        encrypted.recv(1)
                except OSError:
                    continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join()


def test_our_own_client_does_not_speak_tls_1_2_either(federation: Federation) -> None:
    own, partner = federation.issue(gateway_of("cn")), federation.issue(gateway_of("hk"))

    async def ready(port: int) -> bool:
        credentials = channel_credentials(federation.cas["cn"].certificate_pem, partner.certificate, partner.key)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=channel_options()) as channel:
            state = channel.get_state(try_to_connect=True)
            while state in (grpc.ChannelConnectivity.IDLE, grpc.ChannelConnectivity.CONNECTING):
                await channel.wait_for_state_change(state)
                state = channel.get_state()
            return state is grpc.ChannelConnectivity.READY

    with stdlib_server(own, federation.cas["hk"].certificate_pem, ssl.TLSVersion.TLSv1_2) as port:
        assert probe_tls_versions("127.0.0.1", port) == TlsVersions(True, False)
        assert not asyncio.run(asyncio.wait_for(ready(port), 10))


# Refused by the handshake


def test_no_client_certificate(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        for listener in (node.peer, node.local):
            credentials = grpc.ssl_channel_credentials(federation.cas["cn"].certificate_pem)
            async with grpc.aio.secure_channel(f"127.0.0.1:{listener.port}", credentials) as channel:
                assert (await refused(channel)).code() is grpc.StatusCode.UNAVAILABLE
        assert node.handlers.handled == 0

    at_node(federation, test)


def test_no_tls_at_all(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{node.peer.port}") as channel:
            assert (await refused(channel)).code() is grpc.StatusCode.UNAVAILABLE

    at_node(federation, test)


def test_a_ca_that_nobody_named(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        partner = federation.issue(gateway_of("hk"), ca=federation.foreign_ca("hk"))
        desk = federation.issue(system_of("cn", "risk-desk"), ca=federation.foreign_ca("cn"))
        await refused_by_handshake(node, partner, node.peer)
        await refused_by_handshake(node, desk, node.local)

    at_node(federation, test)


@pytest.mark.parametrize("days_ago", [40, -2])
def test_an_expired_certificate_and_one_of_the_future(federation: Federation, days_ago: int) -> None:
    at = now() - timedelta(days=days_ago)

    async def test(node: RunningNode) -> None:
        await refused_by_handshake(node, federation.issue(gateway_of("hk"), at=at), node.peer)
        await refused_by_handshake(node, federation.issue(system_of("cn", "risk-desk"), at=at), node.local)

    at_node(federation, test)


def test_the_listeners_have_separate_trust_anchors(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        await refused_by_handshake(node, federation.issue(gateway_of("hk")), node.local)
        await refused_by_handshake(node, federation.issue(system_of("cn", "risk-desk")), node.peer)

    at_node(federation, test)


def test_a_client_does_not_talk_to_a_server_of_another_node(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        desk = federation.issue(system_of("cn", "risk-desk"))
        assert (await refused(node.channel(desk, node.local, node="hk"))).code() is grpc.StatusCode.UNAVAILABLE

    at_node(federation, test)


def test_a_system_cannot_pose_as_the_server(federation: Federation) -> None:
    desk = federation.issue(system_of("cn", "risk-desk"))

    async def test(port: int) -> None:
        credentials = channel_credentials(federation.cas["cn"].certificate_pem, desk.certificate, desk.key)
        options = channel_options(server_name="127.0.0.1")
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
            assert (await refused(channel)).code() is grpc.StatusCode.UNAVAILABLE

    with stdlib_server(desk, federation.cas["cn"].certificate_pem, ssl.TLSVersion.TLSv1_3) as port:
        asyncio.run(asyncio.wait_for(test(port), 10))


# Refused by the interceptor, though the handshake accepts them


def test_another_partners_ca_cannot_speak_for_a_node(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        forged = federation.forge("mo", gateway_of("hk").uri, claimed=gateway_of("hk"))
        await refused_by_interceptor(node, forged, node.peer, "isn't signed by a CA of node hk")

    at_node(federation, test)


def test_a_partner_cannot_pose_as_this_node_itself(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        forged = federation.forge("hk", gateway_of("cn").uri, claimed=gateway_of("cn"))
        await refused_by_interceptor(node, forged, node.peer, "claims to be this node itself")

    at_node(federation, test)


def test_a_partners_system_cannot_use_the_peer_port(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        await refused_by_interceptor(node, federation.issue(system_of("hk", "risk-desk")), node.peer, "is a system")

    at_node(federation, test)


def test_the_own_gateway_cannot_use_the_local_port(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        await refused_by_interceptor(node, federation.issue(gateway_of("cn")), node.local, "is a gateway")

    at_node(federation, test)


def test_a_system_that_the_settings_do_not_name(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        stranger = federation.issue(system_of("cn", "stranger"))
        await refused_by_interceptor(node, stranger, node.local, "the settings name no system 'stranger'")

    at_node(federation, test)


def test_the_own_ca_cannot_speak_for_another_nodes_system(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        forged = federation.forge("cn", system_of("hk", "risk-desk").uri, claimed=system_of("hk", "risk-desk"))
        await refused_by_interceptor(node, forged, node.local, "is a system of another node")

    at_node(federation, test)


@pytest.mark.parametrize(
    ("uris", "reason"),
    [
        ((), "exactly one URI SAN"),
        ((gateway_of("hk").uri, gateway_of("mo").uri), "exactly one URI SAN"),
        (("spiffe://other.example/gateway/hk",), "isn't of federation"),
        (("https://test.customs.example/gateway/hk",), "certificate:"),
        (("spiffe://test.customs.example/gateway/hk/",), "certificate:"),
        ((gateway_of("xx").uri,), "the directory names no node 'xx'"),
    ],
)
def test_a_certificate_without_exactly_one_proper_identity(
    federation: Federation, uris: tuple[str, ...], reason: str
) -> None:
    async def test(node: RunningNode) -> None:
        await refused_by_interceptor(node, federation.forge("hk", *uris, claimed=gateway_of("hk")), node.peer, reason)

    at_node(federation, test)


def test_a_revoked_certificate(federation: Federation) -> None:
    partner = federation.issue(gateway_of("hk"))
    federation.change(revoked_certificates=frozenset({partner.fingerprint}))

    async def test(node: RunningNode) -> None:
        await refused_by_interceptor(node, partner, node.peer, "is revoked")
        assert await call(node.channel(federation.issue(gateway_of("hk")), node.peer)) == b"gateway/hk x"

    at_node(federation, test)


def test_revocation_and_expiry_also_end_open_connections(federation: Federation) -> None:
    partner, desk = federation.issue(gateway_of("hk")), federation.issue(system_of("cn", "risk-desk"))

    async def test(node: RunningNode) -> None:
        peer, local = node.channel(partner, node.peer), node.channel(desk, node.local)
        await call(peer)
        await call(local)
        stream = peer.stream_stream(f"/{SERVICE}/Both")()
        await stream.write(b"1")
        assert await stream.read() == b"gateway/hk 1"
        federation.change(revoked_certificates=frozenset({partner.fingerprint}))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(stream.read(), 5)
        assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")
        assert (await refused(peer)).code() is grpc.StatusCode.UNAUTHENTICATED
        await call(local)
        node.clock.ahead = timedelta(days=31)
        assert (await refused(local)).code() is grpc.StatusCode.UNAUTHENTICATED
        details = [one.detail for one in node.events() if one.result is AuditResult.DENY]
        assert len(details) == 3
        assert "is revoked" in details[0]
        assert "is revoked" in details[1]
        assert "expired" in details[2]

    at_node(federation, test)


def test_a_node_that_leaves_the_directory_is_out_and_a_new_ca_is_in(federation: Federation) -> None:
    partner, old = federation.issue(gateway_of("mo")), federation.issue(gateway_of("hk"))

    async def test(node: RunningNode) -> None:
        leaving = node.channel(partner, node.peer)
        await call(leaving)
        new_ca = federation.foreign_ca("hk")
        changed = replace(federation.directory.nodes["hk"], tls_ca_pems=(new_ca.certificate_pem.decode(),))
        federation.change(nodes={"cn": federation.directory.nodes["cn"], "hk": changed})
        assert (await refused(leaving)).code() is grpc.StatusCode.UNAUTHENTICATED
        assert await call(node.channel(federation.issue(gateway_of("hk"), ca=new_ca), node.peer)) == b"gateway/hk x"
        assert (await refused(node.channel(old, node.peer))).code() is grpc.StatusCode.UNAVAILABLE

    at_node(federation, test)


def test_a_revoked_ca_is_refused_in_the_handshake(federation: Federation) -> None:
    partner, other = federation.issue(gateway_of("hk")), federation.issue(gateway_of("mo"))
    revoked = inspect_ca(federation.cas["hk"].certificate_pem).fingerprint_sha256

    async def test(node: RunningNode) -> None:
        await call(node.channel(partner, node.peer))
        node.events()
        federation.change(revoked_certificates=frozenset({revoked}))
        assert (await refused(node.channel(partner, node.peer))).code() is grpc.StatusCode.UNAVAILABLE
        assert node.events() == []  # no call came that far
        assert await call(node.channel(other, node.peer)) == b"gateway/mo x"

    at_node(federation, test)


def test_an_expired_directory_shuts_partners_out_and_lets_operators_in(federation: Federation) -> None:
    federation.change(expires_at=now() - timedelta(days=31))

    async def test(node: RunningNode) -> None:
        await refused_by_interceptor(node, federation.issue(gateway_of("hk")), node.peer, "expired")
        desk = federation.issue(system_of("cn", "risk-desk"))
        assert await call(node.channel(desk, node.local)) == b"system/cn/risk-desk x"

    at_node(federation, test)


# Known, and not allowed


@pytest.mark.parametrize("system", ["harbour", "nothing"])
def test_a_wrong_role(federation: Federation, system: str) -> None:
    async def test(node: RunningNode) -> None:
        error = await refused(node.channel(federation.issue(system_of("cn", system)), node.local))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert node.handlers.handled == 0
        (event,) = node.events()
        assert (event.principal, event.result, event.reason) == (
            f"system/cn/{system}",
            AuditResult.DENY,
            "PERMISSION_DENIED",
        )

    at_node(federation, test)


def test_a_method_that_is_served_but_has_no_row(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        desk = federation.issue(system_of("cn", "risk-desk"))
        error = await refused(node.channel(desk, node.local), "Unlisted")
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert node.handlers.handled == 0

    at_node(federation, test)


def test_a_method_that_is_not_served(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        desk = federation.issue(system_of("cn", "risk-desk"))
        channel = node.channel(desk, node.local)
        for method in ("Missing", "Missing2", "Missing3"):
            assert (await refused(channel, method)).code() is grpc.StatusCode.UNIMPLEMENTED
        event, others = node.events()  # equal denials count together, whatever name the caller makes up
        assert (event.method, event.reason, event.occurrences) == ("(unknown)", "METHOD_UNKNOWN", 1)
        assert (others.method, others.reason, others.occurrences) == ("(unknown)", "METHOD_UNKNOWN", 2)
        assert f"/{SERVICE}/Missing" in event.detail
        stranger = node.channel(federation.issue(system_of("cn", "stranger")), node.local)
        assert (await refused(stranger, "Missing")).code() is grpc.StatusCode.UNAUTHENTICATED

    at_node(federation, test)


def test_health_answers_whoever_may_connect_and_is_not_recorded(federation: Federation) -> None:
    async def test(node: RunningNode) -> None:
        for who, listener in ((gateway_of("hk"), node.peer), (system_of("cn", "harbour"), node.local)):
            stub = health_pb2_grpc.HealthStub(node.channel(federation.issue(who), listener))
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=3)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            watch = stub.Watch(health_pb2.HealthCheckRequest(service="absent"))
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            watch.cancel()
        assert node.events() == []

    at_node(federation, test)


# Certificates change without a restart


def served_certificate(federation: Federation, port: int, who: Credentials) -> bytes:
    context = ssl.create_default_context(cadata=federation.cas["cn"].certificate_pem.decode())
    context.load_cert_chain(who.files.certificate, who.files.key)
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), 3) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
    ):
        return ssl.DER_cert_to_PEM_cert(encrypted.getpeercert(binary_form=True) or b"").encode()


def replace_files(old: Credentials, new: Credentials) -> None:
    os.replace(new.files.key, old.files.key)
    os.replace(new.files.certificate, old.files.certificate)


def test_new_handshakes_get_the_new_certificate_and_old_connections_live(federation: Federation) -> None:
    own, partner = federation.issue(gateway_of("cn")), federation.issue(gateway_of("hk"))
    renewed = federation.issue(gateway_of("cn"))
    first, second = own.certificate, renewed.certificate

    async def test(node: RunningNode) -> None:
        channel = node.channel(partner, node.peer)
        stream = channel.stream_stream(f"/{SERVICE}/Both")()
        await stream.write(b"1")
        assert await stream.read() == b"gateway/hk 1"
        assert await asyncio.to_thread(served_certificate, federation, node.peer.port, partner) == first
        replace_files(own, renewed)
        assert await asyncio.to_thread(served_certificate, federation, node.peer.port, partner) == second
        await stream.write(b"2")
        assert await stream.read() == b"gateway/hk 2"
        assert node.source.generation == 2

    at_node(federation, test, own=own)


@pytest.mark.parametrize("broken", [b"", b"-----BEGIN CERTIFICATE-----\nMII", None])
def test_a_broken_new_certificate_keeps_the_old_and_says_so_once(
    federation: Federation, broken: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    own, partner = federation.issue(gateway_of("cn")), federation.issue(gateway_of("hk"))
    first = own.certificate

    async def test(node: RunningNode) -> None:
        if broken is None:
            own.files.certificate.unlink()
        else:
            own.files.certificate.write_bytes(broken)
        for _ in range(3):
            assert await asyncio.to_thread(served_certificate, federation, node.peer.port, partner) == first
        errors = [record.__dict__["error"] for record in caplog.records if record.levelname == "ERROR"]
        assert [str(own.files.certificate) in error for error in errors] == [True]
        replacement = federation.issue(gateway_of("cn"))
        second = replacement.certificate
        replace_files(own, replacement)
        assert await asyncio.to_thread(served_certificate, federation, node.peer.port, partner) == second

    at_node(federation, test, own=own)


# The key exchange


OPENSSL_WITH_ML_KEM = (3, 5)


@pytest.fixture
def openssl() -> str:
    """The command, in a version that has ML-KEM."""
    found = str(Program("openssl").require())
    version = subprocess.run([found, "version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, version.split()[1].split(".")[:2])) < OPENSSL_WITH_ML_KEM:
        pytest.skip("needs the command openssl from 3.5 on, which has ML-KEM")
    return found


def test_listeners_take_a_key_exchange_that_withstands_quantum_computers(federation: Federation, openssl: str) -> None:
    """What is recorded on the line today stays secret when quantum computers come: X25519MLKEM768."""
    partner = federation.issue(gateway_of("hk"))

    def negotiated(port: int) -> str:
        files = ["-cert", partner.files.certificate, "-key", partner.files.key]
        command = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-groups", "X25519MLKEM768", "-alpn", "h2"]
        ended = subprocess.run([*command, *files], input=b"", capture_output=True, timeout=30, check=False)
        return ended.stdout.decode("utf-8", "replace")

    async def test(node: RunningNode) -> None:
        for listener in (node.peer, node.local):
            said = await asyncio.to_thread(negotiated, listener.port)
            assert "Negotiated TLS1.3 group: X25519MLKEM768" in said

    at_node(federation, test)


def test_a_node_offers_partners_that_key_exchange(federation: Federation, openssl: str, tmp_path: Path) -> None:
    own, partner = federation.issue(gateway_of("cn")), federation.issue(gateway_of("hk"))
    port, log = free_port(), tmp_path / "server.log"
    files = ["-cert", own.files.certificate, "-key", own.files.key]
    command = [openssl, "s_server", "-accept", f"127.0.0.1:{port}", "-groups", "X25519MLKEM768", "-alpn", "h2", *files]

    async def connect() -> None:
        credentials = channel_credentials(federation.cas["cn"].certificate_pem, partner.certificate, partner.key)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=channel_options()) as channel:
            while b"CIPHER is" not in log.read_bytes():
                channel.get_state(try_to_connect=True)
                await asyncio.sleep(0.1)

    with log.open("wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
    try:
        asyncio.run(asyncio.wait_for(connect(), 60))
    finally:
        server.kill()
        server.communicate()
    assert b"CIPHER is TLS_" in log.read_bytes()  # the handshake ended well, by the one group that the server has
