"""Makes gRPC credentials of servers and channels from TLS material."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from gateway.tls.credentials import TlsMaterial, TlsSource, split_trust_anchors
from gateway.tls.floor import require_floor


def server_credentials(source: TlsSource, *, admitted_anchors: Callable[[], bytes] = bytes) -> grpc.ServerCredentials:
    """Server credentials that demand a client certificate and read `source` at each handshake.

    Open connections keep their credentials; their age is bounded (options).

    Args:
        source: certificate, key and trust anchors.
        admitted_anchors: those of them that count now, PEM; all while this is empty.

    Raises:
        ConfigurationError: the TLS floor isn't set.
    """
    require_floor()
    in_force = source.current(), b""
    state = [in_force]

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        now = source.current(), admitted_anchors()
        if now[0] is state[0][0] and now[1] == state[0][1]:
            return None
        state[0] = now
        return _server_configuration(*now)

    return grpc.dynamic_ssl_server_credentials(
        _server_configuration(*in_force),
        fetch,  # type: ignore[arg-type]  # the stubs omit None, gRPC's documentation for "no change"
        require_client_authentication=True,
    )


def channel_credentials(ca: bytes, cert: bytes, key: bytes) -> grpc.ChannelCredentials:
    """Credentials for one channel; new credentials need a new channel.

    Args:
        ca: PEM of the target node's CAs alone, so that the handshake proves which node answers.
        cert, key: own, PEM.

    Raises:
        ConfigurationError: the TLS floor isn't set, or `ca` holds anything but CA certificates.
    """
    require_floor()
    split_trust_anchors(ca)
    return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)


def pinned_credentials(server: bytes, cert: bytes, key: bytes) -> grpc.ChannelCredentials:
    """Credentials for one channel to a server that must present this very certificate.

    Args:
        server: PEM, examined before.
        cert, key: own, PEM.

    Raises:
        ConfigurationError: the TLS floor isn't set.
    """
    require_floor()
    return grpc.ssl_channel_credentials(root_certificates=server, private_key=key, certificate_chain=cert)


def _server_configuration(material: TlsMaterial, anchors: bytes) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key_pem, material.certificate_pem)], root_certificates=anchors or material.trust_anchors_pem
    )
