"""Probes which TLS versions a port accepts: sends a ClientHello and looks for a ServerHello.

A whole handshake is ambiguous: a TLS 1.2 server that demands a client certificate ends it with an alert too.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass

from gateway.errors import ConfigurationError, UnavailableError

PROBE_TIMEOUT_S = 3.0
"""Seconds for connecting and for the answer: three slow round trips."""

_HANDSHAKE_RECORD, _SERVER_HELLO = 0x16, 0x02
_ANSWER_BYTES = 6  # record header (5) and handshake type (RFC 8446 sections 5.1 and 4)


@dataclass(frozen=True, slots=True)
class TlsVersions:
    """Versions that a port accepts."""

    tls12: bool
    tls13: bool

    @property
    def floor_holds(self) -> bool:
        """Whether the port accepts TLS 1.3 and refuses TLS 1.2."""
        return self.tls13 and not self.tls12


def probe_tls_versions(host: str, port: int, *, timeout_s: float = PROBE_TIMEOUT_S) -> TlsVersions:
    """Tries TLS 1.2 and TLS 1.3 on a port; blocks. Raises UnavailableError if nothing answers."""
    return TlsVersions(
        tls12=_accepts(ssl.TLSVersion.TLSv1_2, host, port, timeout_s),
        tls13=_accepts(ssl.TLSVersion.TLSv1_3, host, port, timeout_s),
    )


def require_tls13_only(host: str, port: int, *, timeout_s: float = PROBE_TIMEOUT_S) -> None:
    """Raises ConfigurationError unless the port speaks TLS 1.3 only, UnavailableError if nothing answers."""
    versions = probe_tls_versions(host, port, timeout_s=timeout_s)
    if versions.tls12:
        raise ConfigurationError(f"{host}:{port} accepts TLS 1.2; this build of gRPC doesn't hold the TLS floor")
    if not versions.tls13:
        raise ConfigurationError(f"{host}:{port} doesn't speak TLS 1.3")


def _accepts(version: ssl.TLSVersion, host: str, port: int, timeout_s: float) -> bool:
    try:
        connection = socket.create_connection((host, port), timeout_s)
    except OSError as error:
        raise UnavailableError(f"{host}:{port}: {error.strerror or error}") from error
    with connection:
        try:
            connection.sendall(_client_hello(version))
            answer = _receive(connection, _ANSWER_BYTES)
        except OSError:  # reset or silence refuses the version
            return False
    return len(answer) == _ANSWER_BYTES and answer[0] == _HANDSHAKE_RECORD and answer[5] == _SERVER_HELLO


def _client_hello(version: ssl.TLSVersion) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Only a greeting is sent, so the server's certificate doesn't matter.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


def _receive(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count and (part := connection.recv(count - len(received))):
        received += part
    return received
