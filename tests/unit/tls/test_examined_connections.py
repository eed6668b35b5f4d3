"""A look at who answers leaves no socket behind, whenever the other side ends the connection."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.tls.examined_connections import examining_context, presented_certificate, secured
from tests.support.tls_servers import server_files

WAIT_MS = 10_000


def reset(connection: socket.socket) -> None:
    """Ends a connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        own = socket.create_connection(listening.getsockname(), 5)
        return own, listening.accept()[0]


def test_a_peer_that_resets_at_once_leaves_no_socket() -> None:
    own, other = connected()
    reset(other)
    arrived = select.poll()
    arrived.register(own, select.POLLIN)
    assert arrived.poll(WAIT_MS)
    with pytest.raises(ConnectionError), secured(own, examining_context()):
        pass
    assert own.fileno() == -1


def test_a_peer_that_resets_during_the_handshake_leaves_no_socket() -> None:
    own, other = connected()

    def read_and_reset() -> None:
        other.recv(1)
        reset(other)

    thread = threading.Thread(target=read_and_reset)
    thread.start()
    with pytest.raises(OSError, match=r"reset|EOF"), secured(own, examining_context()):
        pass
    thread.join()
    assert own.fileno() == -1


def test_whoever_answers_is_seen_by_the_certificate(tmp_path: Path) -> None:
    files, (own, other) = server_files(tmp_path, "servers"), connected()

    def serve() -> None:
        with files.context().wrap_socket(other, server_side=True) as tls, suppress(OSError):  # it looks and goes
            tls.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with secured(own, examining_context(), server_name="127.0.0.1") as tls:
        pem = presented_certificate(tls)
    thread.join()
    assert ssl.PEM_cert_to_DER_cert(pem.decode()) == ssl.PEM_cert_to_DER_cert(files.certificate.read_text("ascii"))
    assert own.fileno() == -1
