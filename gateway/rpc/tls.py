"""Makes gRPC credentials of servers and channels from TLS material."""

from __future__ import annotations

import grpc

from gateway.tls.credentials import TlsMaterial, TlsSource, split_trust_anchors
from gateway.tls.floor import require_floor


def server_credentials(source: TlsSource) -> grpc.ServerCredentials:
    """Server credentials that demand a client certificate and read `source` at each handshake.

    Open connections keep their credentials; their age is bounded (options).

    Raises:
        ConfigurationError: the TLS floor isn't set.
    """
    require_floor()
    in_force = source.current()
    state = [in_force]

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        material = source.current()
        if material is state[0]:
            return None
        state[0] = material
        return _server_configuration(material)

    return grpc.dynamic_ssl_server_credentials(
        _server_configuration(in_force),
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


def _server_configuration(material: TlsMaterial) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.key_pem, material.certificate_pem)], root_certificates=material.trust_anchors_pem
    )
