"""TLS over a connection to whoever answers there, whose certificate is examined afterwards instead of trusted."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator


def examining_context() -> ssl.SSLContext:
    """A client's context for HTTP/2 that takes any certificate: who only looks says what it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


@contextlib.contextmanager
def secured(
    connection: socket.socket, context: ssl.SSLContext, *, server_name: str | None = None
) -> Iterator[ssl.SSLSocket]:
    """TLS over a connection, which is closed in every case.

    One that the other side has ended is told apart first: `wrap_socket` would raise, and leave a socket of it open.

    Args:
        server_name: sent in the greeting.

    Raises:
        OSError: there is no TLS with the other side; ssl.SSLError and ConnectionError are of this kind.
    """
    with contextlib.closing(connection):
        try:
            connection.getpeername()
        except OSError as error:
            raise ConnectionResetError(error.errno, error.strerror) from None
        with context.wrap_socket(connection, server_hostname=server_name) as tls:
            yield tls


def presented_certificate(tls: ssl.SSLSocket) -> bytes:
    """The other side's certificate in PEM, whose key it has proven to have; empty without one."""
    der = tls.getpeercert(binary_form=True)
    return ssl.DER_cert_to_PEM_cert(der).encode() if der else b""
