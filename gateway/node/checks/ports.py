"""Checks a port of the node: free, held by its own running gateway, or by somebody else."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.contract.ids import GatewayIdentity
from gateway.errors import ConfigurationError, GatewayError, UnauthenticatedError, UnavailableError
from gateway.node.checks.findings import Finding, Result
from gateway.node.host.port_holders import holders_of
from gateway.rpc.listener.tls_probe import PROBE_TIMEOUT_S, probe_tls_versions
from gateway.tls.certificates import authenticate, inspect_certificate
from gateway.tls.examined_connections import examining_context, presented_certificate, secured

FREE = "Nothing to do before `gateway serve`; if it should run, see its log."
HELD = "Stop that program, or choose another port in the settings."


@dataclass(frozen=True, slots=True)
class OwnGateway:
    """By what the node's own gateway is known: its identity, in a certificate of our CA."""

    identity: GatewayIdentity
    ca_pem: Callable[[], bytes]
    now: datetime

    def presents(self, pem: bytes) -> bool:
        """Whether a certificate is this gateway's."""
        try:
            peer = authenticate(
                pem,
                trust_domain=self.identity.trust_domain,
                ca_pems=[self.ca_pem()],
                revoked_fingerprints=(),
                now=self.now,
            )
        except GatewayError:
            return False
        return peer.identity == self.identity


def check_port(name: str, bind: str, own: OwnGateway) -> Finding:
    """What listens on a port of the settings."""
    host, port = dialled(bind)
    if not port:
        return Finding(name, Result.OK, f"{bind}: the system chooses a free port at the start")
    try:
        versions = probe_tls_versions(host, port)
    except UnavailableError:
        _require_free(bind)
        return Finding(name, Result.WARN, f"nobody listens on {bind}, and the port is free", FREE)
    holders = "; ".join(map(str, holders_of(port)))
    held_by = f" ({holders})" if holders else ""
    presented = _certificate_at(host, port) if versions.tls13 or versions.tls12 else b""
    if not presented:
        return Finding(name, Result.FAIL, f"another program holds {bind}{held_by}; it speaks no TLS", HELD)
    if not own.presents(presented):
        return Finding(name, Result.FAIL, f"{_somebody(presented)} holds {bind}{held_by}", HELD)
    if not versions.floor_holds:
        raise ConfigurationError(f"{bind} accepts {_spoken(versions.tls12, versions.tls13)}; only TLS 1.3 may be")
    return Finding(name, Result.OK, f"this node's gateway serves on {bind}{held_by} and speaks TLS 1.3 alone")


def dialled(address: str) -> tuple[str, int]:
    """Host and port at which a bound address is reached from here."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host), int(port)  # noqa: S104  no bind


def _require_free(bind: str) -> None:
    """Raises ConfigurationError if the port can't be bound."""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]") or "0.0.0.0"  # noqa: S104  as the node binds it
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationError(f"{bind} can't be listened on: {error.strerror or error}") from None


def _certificate_at(host: str, port: int) -> bytes:
    """The certificate, in PEM, of the program on a port, which proves to have its key; empty if there is none."""
    try:
        with secured(socket.create_connection((host, port), PROBE_TIMEOUT_S), examining_context()) as tls:
            return presented_certificate(tls)
    except OSError:
        return b""


def _somebody(pem: bytes) -> str:
    try:
        claimed = inspect_certificate(pem).identity
    except UnauthenticatedError:
        return "another program, with a certificate that isn't of a gateway,"
    return f"somebody with a certificate of {claimed}, which isn't this node's,"


def _spoken(tls12: bool, tls13: bool) -> str:
    return " and ".join(name for name, spoken in (("TLS 1.2", tls12), ("TLS 1.3", tls13)) if spoken) or "no TLS"
