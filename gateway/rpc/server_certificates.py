"""Examines a partner's server, so that a channel trusts its one certificate where the directory revokes single ones.

gRPC for Python checks no revocation in a handshake, but takes a server's certificate itself for the trust anchor:

1. Connect with TLS 1.3, and read which certificate the server has proven to have the key of.
2. It is the certificate of the partner's gateway, signed by a CA that counts; neither is expired or revoked.
3. The channel trusts this certificate alone. So it doesn't matter who answered here: who answers the channel has the
   key of a certificate that passed step 2.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.contract.ids import GatewayIdentity
from gateway.errors import DirectoryError, UnauthenticatedError, UnavailableError
from gateway.tls.certificates import authenticate, inspect_ca
from gateway.tls.credentials import TlsFiles
from gateway.tls.examined_connections import examining_context, presented_certificate, secured
from gateway.trust.rules.directory import Directory
from gateway.trust.service.partner_anchors import usable_cas

EXAMINE_S = 5.0
"""Longest wait for each step of a connection, in seconds: 64 kbit/s with a round trip of 400 ms take two."""


@dataclass(frozen=True, slots=True)
class PartnerServer:
    """Where a partner's server answers, `host:port`, and the name in its certificate; None for the host."""

    node: str
    endpoint: str
    server_name: str | None


def revokes_single_ones(directory: Directory) -> bool:
    """Whether the directory revokes certificates that aren't CAs which it names: the CAs alone don't tell."""
    cas = {inspect_ca(pem).fingerprint_sha256 for node in directory.nodes for pem in directory.tls_ca_pems(node)}
    return not directory.revoked_certificates <= cas


def examined_certificate(server: PartnerServer, directory: Directory, own: TlsFiles) -> bytes:
    """The certificate that a partner's server presents, PEM, if it counts. Not for the event loop.

    Raises:
        UnavailableError: nobody answers, or not in TLS 1.3.
        DirectoryError: the certificate doesn't count; the message says why.
    """
    pem = _presented(server, own)  # 1
    try:
        peer = authenticate(  # 2
            pem,
            trust_domain=directory.federation,
            ca_pems=usable_cas(directory, server.node),
            revoked_fingerprints=directory.revoked_certificates,
            now=datetime.now(UTC),
        )
    except UnauthenticatedError as error:
        raise DirectoryError(
            f"the server of {server.node} has a certificate that doesn't count: {error.message}"
        ) from error
    if peer.identity != GatewayIdentity(directory.federation, server.node):
        raise DirectoryError(f"the server of {server.node} has the certificate of {peer.identity}")
    return pem


def _presented(server: PartnerServer, own: TlsFiles) -> bytes:
    host, _, port = server.endpoint.rpartition(":")
    try:
        address = host.strip("[]"), int(port)
        with closing(socket.create_connection(address, EXAMINE_S)) as connection:  # first: it tells who is away
            context = examining_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(own.certificate, own.key, own.passphrase)
            with secured(connection, context, server_name=server.server_name or host) as tls:
                return presented_certificate(tls)
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{server.node} can't be reached at {server.endpoint}: {error}") from error
