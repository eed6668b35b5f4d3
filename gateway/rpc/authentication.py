"""Authenticates a call by its TLS certificate, and finds the person in whose name its system calls.

The code carries the numbers of the steps, audit events their names:

1. *connection*. It speaks TLS 1.3, in case the floor fails.
2. *certificate*. Exactly one, of the federation's form: P-256, one URI SAN, a canonical SPIFFE id.
3. *port*. Peer port: the gateway of *another* node in the directory, which hasn't outlived its grace period. Local
   port: a system of *this* node in the settings, which give its roles.
4. *trust*. The certificate is of this federation and signed by a CA of the node that it names; neither it nor the CA
   is expired or revoked. The handshake can't ensure this: on the peer port it trusts all partners' CAs alike, it
   checks no revocation, and a stream outlives it by hours.

A certificate that passed is cached. Its validity is checked on every call; the rest after `REMEMBERED_S`, and when the
directory or what restricts it changes.

With the metadata `gateway-person` a system calls in a person's name:

5. *console*. The system signs persons in: it has the role console, and so none of its own.
6. *assertion*. This node signed it, for this certificate, and it is in force.
7. *session*. It lasts, began through this system, and its person isn't disabled. The person's roles count from here on.
8. *approval*. For a method that needs one and a person who has a passkey: `gateway-approval` answers a question that
   was asked in this session for this method and these bytes, and that nobody has answered before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, Protocol

from gateway.contract.ids import GatewayIdentity, SystemIdentity
from gateway.contract.person_metadata import APPROVAL_KEY, PERSON_KEY
from gateway.errors import GatewayError, SessionEndedError, UnauthenticatedError
from gateway.tls.certificates import AuthenticatedPeer, Identity, PeerCertificate, authenticate, inspect_certificate
from gateway.trust.rules.directory import Directory, Validity
from gateway.trust.rules.permissions import Principal, PrincipalKind, Role

MAX_REMEMBERED = 4_096
"""Certificates in the cache, about 8 MB: more than a federation's gateways and a node's systems."""

REMEMBERED_S = 60
"""Seconds until a cached certificate is checked in full, which notices the end of its CA."""

_TLS_VERSION, _PEER_CERTIFICATE = "ssl_tls_version", "x509_pem_cert"
_TLS13 = [b"TLSv1.3"]


class TlsContext(Protocol):
    """The part of `grpc.aio.ServicerContext` that authentication reads."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Properties of the connection."""


class Port(Protocol):
    """Decides which identities may use a listener; pure and immutable."""

    def admit(self, claimed: Identity, fingerprint: str, directory: Directory, now: datetime) -> Principal:
        """Raises UnauthenticatedError."""


@dataclass(frozen=True, slots=True)
class PeerPort:
    """Admits gateways of the other nodes in the directory."""

    own_node: str

    def admit(self, claimed: Identity, fingerprint: str, directory: Directory, now: datetime) -> Principal:
        if not isinstance(claimed, GatewayIdentity):
            raise UnauthenticatedError(f"port: {claimed} is a system; the peer port is for partner gateways")
        if claimed.node == self.own_node:
            raise UnauthenticatedError(f"port: {claimed} claims to be this node itself")
        if claimed.node not in directory.nodes:
            former = directory.why_no_member(claimed.node)
            raise UnauthenticatedError(f"port: {former or f'the directory names no node {claimed.node!r}'}")
        if directory.validity(now) is Validity.EXPIRED:
            raise UnauthenticatedError(f"port: version {directory.version} of the directory expired, grace and all")
        return Principal(PrincipalKind.PEER, claimed.node, "", frozenset(), fingerprint)


@dataclass(frozen=True, slots=True)
class LocalPort:
    """Admits systems in the settings, under an expired directory too, so that operators can renew it."""

    own_node: str
    systems: Mapping[str, frozenset[Role]] = field(hash=False)

    def admit(self, claimed: Identity, fingerprint: str, directory: Directory, now: datetime) -> Principal:
        if not isinstance(claimed, SystemIdentity):
            raise UnauthenticatedError(f"port: {claimed} is a gateway; the local port is for this node's systems")
        if claimed.node != self.own_node:
            raise UnauthenticatedError(f"port: {claimed} is a system of another node")
        roles = self.systems.get(claimed.name)
        if roles is None:
            raise UnauthenticatedError(f"port: the settings name no system {claimed.name!r}")
        return Principal(PrincipalKind.SYSTEM, claimed.node, claimed.name, roles, fingerprint)


@dataclass(frozen=True, slots=True)
class _CachedPrincipal:
    principal: Principal
    pem: bytes
    directory: Directory
    not_before: datetime
    not_after: datetime
    until: datetime


class Authenticator:
    """Runs the steps for one listener, on the event loop's thread."""

    def __init__(self, *, port: Port, directory: Callable[[], Directory], clock: Callable[[], datetime]) -> None:
        self._port = port
        self._directory = directory
        self._clock = clock
        self._by_pem: dict[bytes, _CachedPrincipal] = {}
        self._by_fingerprint: dict[str, _CachedPrincipal] = {}

    def authenticate(self, context: TlsContext) -> Principal:
        """Runs steps 1 to 4.

        Raises:
            UnauthenticatedError: its message is for the audit log alone; `metadata["claimed"]` is unverified.
        """
        properties = context.auth_context()
        versions = list(properties.get(_TLS_VERSION, ()))
        if versions != _TLS13:  # 1
            raise UnauthenticatedError(f"connection: the connection isn't TLS 1.3 but {versions}")
        certificates = list(properties.get(_PEER_CERTIFICATE, ()))
        if len(certificates) != 1:  # 2
            raise UnauthenticatedError(f"certificate: {len(certificates)} peer certificates instead of one")
        return self._principal_of(certificates[0])

    def recheck(self, principal: Principal) -> Principal:
        """Runs steps 2 to 4 again for an open stream; the roles may have changed. Raises UnauthenticatedError."""
        remembered = self._by_fingerprint.get(principal.certificate_fingerprint)
        if remembered is None:
            raise UnauthenticatedError("certificate: the certificate is no longer remembered")
        return self._principal_of(remembered.pem)

    def certificate_ends(self) -> dict[str, datetime]:
        """When the certificates of callers end, by principal id: the latest one of each that was seen here lately."""
        ends: dict[str, datetime] = {}
        for known in self._by_pem.values():
            caller = known.principal.id
            ends[caller] = max(known.not_after, ends.get(caller, known.not_after))
        return ends

    def forget(self) -> None:
        """Runs all steps again at each certificate's next call: what the port admits has changed."""
        for pem, known in self._by_pem.items():
            stale = replace(known, until=datetime.min.replace(tzinfo=UTC))
            self._by_pem[pem] = self._by_fingerprint[known.principal.certificate_fingerprint] = stale

    def _principal_of(self, pem: bytes) -> Principal:
        directory, now = self._directory(), self._clock()
        known = self._by_pem.get(pem)
        if known is None or known.directory is not directory or now >= known.until:
            return self._checked(pem, directory, now).principal
        if not known.not_before <= now <= known.not_after:  # 4: the part that changes with time
            _refuse("trust: the certificate isn't valid now", known.principal.id)
        return known.principal

    def _checked(self, pem: bytes, directory: Directory, now: datetime) -> _CachedPrincipal:
        stated = _stated(pem)  # 2
        claimed = stated.identity
        try:
            principal = self._port.admit(claimed, stated.fingerprint_sha256, directory, now)  # 3
            peer = _trusted(pem, claimed.node, directory, now)  # 4
        except UnauthenticatedError as error:
            _refuse(error.message, str(claimed))
        return self._remember(pem, principal, peer, directory, now)

    def _remember(
        self, pem: bytes, principal: Principal, peer: AuthenticatedPeer, directory: Directory, now: datetime
    ) -> _CachedPrincipal:
        remembered = _CachedPrincipal(
            principal=principal,
            pem=pem,
            directory=directory,
            not_before=peer.certificate.not_before,
            not_after=peer.certificate.not_after,
            until=now + timedelta(seconds=REMEMBERED_S),
        )
        if len(self._by_pem) >= MAX_REMEMBERED and pem not in self._by_pem:
            oldest = self._by_pem.pop(next(iter(self._by_pem)))
            self._by_fingerprint.pop(oldest.principal.certificate_fingerprint, None)
        self._by_pem[pem] = remembered
        self._by_fingerprint[principal.certificate_fingerprint] = remembered
        return remembered


def _stated(pem: bytes) -> PeerCertificate:
    try:
        return inspect_certificate(pem)
    except UnauthenticatedError as error:
        raise UnauthenticatedError(f"certificate: {error.message}") from error


def _trusted(pem: bytes, node: str, directory: Directory, now: datetime) -> AuthenticatedPeer:
    try:
        return authenticate(
            pem,
            trust_domain=directory.federation,
            ca_pems=directory.own_ca_pems(node),  # the port has refused former partners
            revoked_fingerprints=directory.revoked_certificates,
            now=now,
        )
    except GatewayError as error:  # an unreadable CA too: callers learn nothing of the configuration
        raise UnauthenticatedError(f"trust: {error.message}") from error


def _refuse(reason: str, claimed: str) -> NoReturn:
    raise UnauthenticatedError(reason, metadata={"claimed": claimed})


class PersonCalls(Protocol):
    """Decides about calls in a person's name; on the event loop's thread."""

    def identify(self, assertion: str, system: Principal) -> Principal:
        """Steps 5 and 6: the person, who has no roles yet. Raises SessionEndedError."""

    async def recheck(self, principal: Principal, system: Principal) -> Principal:
        """Step 7, and again for an open stream; the roles may have changed. Raises SessionEndedError."""

    async def approve(self, principal: Principal, method: str, approval: str, request: bytes) -> bool:
        """Step 8: whether the request is approved; False also where the person has no passkey.

        Raises:
            ApprovalRequiredError: the approval isn't one, or (when it is empty) one is needed.
        """

    async def needs_approval(self, principal: Principal) -> bool:
        """Whether the person has a passkey to approve by."""


class NoPersons:
    """A node whose settings know no persons."""

    def identify(self, assertion: str, system: Principal) -> Principal:
        raise SessionEndedError("console: this node knows no persons; its settings lack [persons]")

    async def recheck(self, principal: Principal, system: Principal) -> Principal:
        raise SessionEndedError("console: this node knows no persons; its settings lack [persons]")

    async def approve(self, principal: Principal, method: str, approval: str, request: bytes) -> bool:
        return False

    async def needs_approval(self, principal: Principal) -> bool:
        return False


class DeferredPersonCalls:
    """Stands in the ports, which are built before what they call; knows no persons before `start`."""

    def __init__(self) -> None:
        self._calls: PersonCalls = NoPersons()

    def start(self, calls: PersonCalls) -> None:
        """Calls in a person's name are admitted from now on."""
        self._calls = calls

    def identify(self, assertion: str, system: Principal) -> Principal:
        return self._calls.identify(assertion, system)

    async def recheck(self, principal: Principal, system: Principal) -> Principal:
        return await self._calls.recheck(principal, system)

    async def approve(self, principal: Principal, method: str, approval: str, request: bytes) -> bool:
        return await self._calls.approve(principal, method, approval, request)

    async def needs_approval(self, principal: Principal) -> bool:
        return await self._calls.needs_approval(principal)


def assertion_in(metadata: Any) -> str:
    """The assertion that a call carries; empty without one."""
    return _value(metadata, PERSON_KEY)


def approval_in(metadata: Any) -> str:
    """The approval that a call carries; empty without one."""
    return _value(metadata, APPROVAL_KEY)


def _value(metadata: Any, key: str) -> str:
    values = [value for name, value in metadata or () if name == key]
    if len(values) > 1:
        raise SessionEndedError(f"assertion: the call carries {key} {len(values)} times")
    return values[0] if values and isinstance(values[0], str) else ""
