"""A small federation with real certificates, and listeners with real TLS on 127.0.0.1, for tests of who is admitted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.contract.channel_options import channel_options
from gateway.contract.ids import GatewayIdentity, SystemIdentity
from gateway.rpc.authentication import Authenticator, LocalPort, PeerPort
from gateway.rpc.call_policy import CallPolicy
from gateway.rpc.calls import OpenStreams, RunningCalls, current_call
from gateway.rpc.fairness.caller_connections import PARTNER_CONNECTIONS, AbandonedCalls, CallerConnections, Disconnector
from gateway.rpc.fairness.limits import CallerLimits, default_limits
from gateway.rpc.fairness.pacing import CallPacer
from gateway.rpc.interceptors import AuthInterceptor
from gateway.rpc.listener.options import PortLimits, peer_limits
from gateway.rpc.listener.server import Listener, build_server
from gateway.rpc.listener.tls import channel_credentials, server_credentials
from gateway.tls.certificates import Identity, inspect_certificate
from gateway.tls.credentials import TlsFiles, TlsSource
from gateway.tls.private_keys import load_tls_key_pem
from gateway.trust.pki.issuance import CertificateAuthority, create_ca, create_request
from gateway.trust.rules.audit import AuditEntry
from gateway.trust.rules.directory import Authority, Directory, FederationNode
from gateway.trust.rules.permissions import Permission, PermissionTable, Role
from gateway.trust.service.audit_queue import AuditQueue
from gateway.trust.service.partner_anchors import PartnerAnchors

FEDERATION = "test.customs.example"
SERVICE = "test.Handlers"
SYSTEMS = {
    "risk-desk": frozenset({Role.PUBLISHER}),
    "harbour": frozenset({Role.OFFICER}),
    "nothing": frozenset[Role](),
}


LIMITS = peer_limits(64)
"""What each port of a listener takes."""


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Clock:
    """The time, and how far a test has moved it."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self.ahead


@dataclass(frozen=True)
class Credentials:
    """Someone's certificate and key in files."""

    files: TlsFiles
    identity: Identity

    @property
    def certificate(self) -> bytes:
        return self.files.certificate.read_bytes()

    @property
    def key(self) -> bytes:
        return self.files.key.read_bytes()

    @property
    def fingerprint(self) -> str:
        return inspect_certificate(self.certificate).fingerprint_sha256


class Federation:
    """CAs of cn, hk and mo, what they sign, and the directory that names them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cas = {node: self._ca(node, f"{node}-ca") for node in ("cn", "hk", "mo")}
        self.directory = Directory(
            federation=FEDERATION,
            version=1,
            issued_at=now() - timedelta(days=1),
            expires_at=now() + timedelta(days=365),
            grace_days=30,
            threshold=2,
            authorities={node: Authority(node, "", {"en": node}) for node in self.cas},
            nodes={node: self._node(node) for node in self.cas},
        )

    def _ca(self, node: str, name: str) -> CertificateAuthority:
        path = self.folder / f"{name}.key"
        return create_ca(node=node, federation=FEDERATION, key_path=path, now=now() - timedelta(days=700))

    def _node(self, node: str) -> FederationNode:
        ca = self.cas[node].certificate_pem.decode()
        return FederationNode(node, (), (ca,), None, (), ())

    def change(self, **changes: Any) -> None:
        """Put the next version of the directory into force."""
        self.directory = replace(self.directory, version=self.directory.version + 1, **changes)

    def foreign_ca(self, node: str) -> CertificateAuthority:
        """A CA that says it is a node's and that nobody named."""
        return self._ca(node, f"foreign-{node}-{len(list(self.folder.iterdir()))}")

    def issue(
        self, identity: Identity, *, ca: CertificateAuthority | None = None, at: datetime | None = None, days: int = 30
    ) -> Credentials:
        """A certificate as the product's own CA issues it."""
        server = isinstance(identity, GatewayIdentity)
        files = self._files()
        addresses = ["127.0.0.1"] if server else []
        request = create_request(identity, key_path=files.key, ip_addresses=addresses)
        authority = ca or self.cas[identity.node]
        pem = authority.issue(request, identity=identity, ip_addresses=addresses, now=at or now(), days=days)
        files.certificate.write_bytes(pem)
        return Credentials(files, identity)

    def forge(
        self, signer: str, *uris: str, claimed: Identity, usages: tuple[x509.ObjectIdentifier, ...] = ()
    ) -> Credentials:
        """A certificate that the product's CA would refuse to sign, signed with the key of `signer`'s CA."""
        files = self._files()
        key = ec.generate_private_key(ec.SECP256R1())
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        files.key.chmod(0o600)
        ca = x509.load_pem_x509_certificate(self.cas[signer].certificate_pem)
        ca_key = serialization.load_pem_private_key(load_tls_key_pem(self.folder / f"{signer}-ca.key"), None)
        assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")]))
            .issuer_name(ca.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() - timedelta(days=1))
            .not_valid_after(now() + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages or (ExtendedKeyUsageOID.CLIENT_AUTH,)), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        files.certificate.write_bytes(builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return Credentials(files, claimed)

    def _files(self) -> TlsFiles:
        number = len(list(self.folder.iterdir()))
        return TlsFiles(certificate=self.folder / f"{number}.pem", key=self.folder / f"{number}.key")


def gateway_of(node: str) -> GatewayIdentity:
    return GatewayIdentity(FEDERATION, node)


def system_of(node: str, name: str) -> SystemIdentity:
    return SystemIdentity(FEDERATION, node, name)


PERMISSIONS: Mapping[str, Permission] = {
    f"/{SERVICE}/Unary": Permission(frozenset({Role.PUBLISHER}), peers=True),
    f"/{SERVICE}/ServerStream": Permission(frozenset({Role.PUBLISHER}), peers=True),
    f"/{SERVICE}/ClientStream": Permission(frozenset({Role.PUBLISHER}), peers=True),
    f"/{SERVICE}/Both": Permission(frozenset({Role.PUBLISHER}), peers=True),
    f"/{SERVICE}/Written": Permission(frozenset({Role.PUBLISHER}), peers=True),
    "/grpc.health.v1.Health/Check": Permission(frozenset(Role), peers=True),
    "/grpc.health.v1.Health/Watch": Permission(frozenset(Role), peers=True),
    # And no row for /test.Handlers/Unlisted, which is served.
}

Behaviour = Callable[[bytes], Awaitable[bytes]]


async def echo(request: bytes) -> bytes:
    return current_call().principal.id.encode() + b" " + request


def _parsed(request: bytes) -> bytes:
    return request


class RecordingHandlers:
    """Methods of all kinds that do what `behaviour` does, and a blocking one."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = echo
        self.handled = 0

    async def unary(self, request: bytes, context: Any) -> bytes:
        self.handled += 1
        return await self.behaviour(request)

    async def server_stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self.handled += 1
        for part in request.split(b","):
            yield await self.behaviour(part)

    async def client_stream(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        self.handled += 1
        return await self.behaviour(b",".join([request async for request in requests]))

    async def both(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        self.handled += 1
        async for request in requests:
            yield await self.behaviour(request)

    async def written(self, request: bytes, context: Any) -> None:
        self.handled += 1
        await context.write(await self.behaviour(request))

    def blocking(self, request: bytes, context: Any) -> bytes:
        self.handled += 1
        return request

    def register(self, server: grpc.aio.Server) -> None:
        def handler(kind: Any, function: Any) -> Any:
            return kind(function, request_deserializer=_parsed, response_serializer=None)

        server.add_registered_method_handlers(
            SERVICE,
            methods := {
                "Unary": handler(grpc.unary_unary_rpc_method_handler, self.unary),
                "Blocking": handler(grpc.unary_unary_rpc_method_handler, self.blocking),
                "Unlisted": handler(grpc.unary_unary_rpc_method_handler, self.unary),
                "ServerStream": handler(grpc.unary_stream_rpc_method_handler, self.server_stream),
                "ClientStream": handler(grpc.stream_unary_rpc_method_handler, self.client_stream),
                "Both": handler(grpc.stream_stream_rpc_method_handler, self.both),
                "Written": handler(grpc.unary_stream_rpc_method_handler, self.written),
            },
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))


@dataclass
class RunningNode:
    """Node cn with both listeners."""

    federation: Federation
    handlers: RecordingHandlers
    audit: AuditQueue
    clock: Clock
    source: TlsSource
    peer: Listener
    local: Listener
    unary_calls: tuple[RunningCalls, ...]
    streams: tuple[OpenStreams, ...]
    """Of the peer and of the local port."""
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    def channel(self, who: Credentials, listener: Listener, *, node: str = "cn") -> grpc.aio.Channel:
        ca = self.federation.cas[node].certificate_pem
        credentials = channel_credentials(ca, who.certificate, who.key)
        channel = grpc.aio.secure_channel(f"127.0.0.1:{listener.port}", credentials, options=channel_options())
        self.channels.append(channel)
        return channel

    def events(self) -> list[AuditEntry]:
        self.audit.flush()
        return self.audit.drain()


@asynccontextmanager
async def running_node(
    federation: Federation,
    *,
    limits: Callable[[Any], Any] = default_limits,
    recheck_s: float = 0.05,
    own: Credentials | None = None,
    permissions: Mapping[str, Permission] = PERMISSIONS,
    connections: PortLimits = LIMITS,
    caller_connections: int = PARTNER_CONNECTIONS,
) -> AsyncIterator[RunningNode]:
    """Node cn with a peer and a local listener; everything is closed at the end."""
    own = own or federation.issue(gateway_of("cn"))
    handlers, audit, clock, disconnector = RecordingHandlers(), AuditQueue(), Clock(), Disconnector()
    pacer, abandoned = CallPacer(), AbandonedCalls()
    interceptors: list[AuthInterceptor] = []

    def own_ca() -> bytes:
        return "".join(federation.directory.tls_ca_pems("cn")).encode()

    def listener(port: PeerPort | LocalPort, source: TlsSource, admitted: Callable[[], bytes] = bytes) -> Listener:
        policy = CallPolicy(
            authenticator=Authenticator(port=port, directory=lambda: federation.directory, clock=clock),
            permissions=PermissionTable(permissions),
            limits=CallerLimits(limits),
            connections=CallerConnections(caller_connections, disconnector),
            disconnector=disconnector,
            pacer=pacer,
            abandoned=abandoned,
            audit=audit.record,
            time_ms=lambda: int(clock().timestamp() * 1000),
        )
        interceptors.append(AuthInterceptor(policy, recheck_s=recheck_s))
        return build_server(
            bind="127.0.0.1:0",
            credentials=server_credentials(source, admitted_anchors=admitted),
            limits=connections,
            interceptors=interceptors[-1:],
            services={SERVICE: handlers.register},
        )

    peer_source = TlsSource(
        own.files,
        identity=own.identity,
        trust_anchors=PartnerAnchors(lambda: federation.directory, own="cn"),
        clock=now,
    )
    local_source = TlsSource(own.files, identity=own.identity, trust_anchors=own_ca, clock=now)
    admitted = PartnerAnchors(lambda: federation.directory, own="cn", without=abandoned.shut_out_nodes)
    peer = listener(PeerPort("cn"), peer_source, admitted)
    local = listener(LocalPort("cn", SYSTEMS), local_source)
    await peer.start()
    await local.start()
    calls = tuple(interceptor.unary_calls for interceptor in interceptors)
    streams = tuple(interceptor.streams for interceptor in interceptors)
    node = RunningNode(federation, handlers, audit, clock, peer_source, peer, local, calls, streams)
    try:
        yield node
    finally:
        for channel in node.channels:
            await channel.close()
        await asyncio.gather(peer.stop(0), local.stop(0))


def at_node(
    federation: Federation, test: Callable[[RunningNode], Awaitable[None]], *, within_s: float = 30.0, **options: Any
) -> None:
    """Runs a test at node cn; `options` are those of `running_node`."""

    async def run() -> None:
        async with running_node(federation, **options) as node:
            await test(node)

    asyncio.run(asyncio.wait_for(run(), within_s))


async def call(channel: grpc.aio.Channel, request: bytes = b"x", method: str = "Unary", seconds: float = 5.0) -> bytes:
    """One unary call of the test service."""
    return await channel.unary_unary(f"/{SERVICE}/{method}")(request, timeout=seconds)
