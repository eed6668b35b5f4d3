"""A port that somebody else holds isn't the node's: it is said who holds it, as far as that shows."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.contract.ids import GatewayIdentity
from gateway.errors import ConfigurationError
from gateway.node.checks.findings import Result
from gateway.node.checks.ports import OwnGateway, check_port
from gateway.node.host.port_holders import holders_of
from tests.support.federation import free_port
from tests.support.tls_servers import server_files
from tests.unit.tls.test_examined_connections import reset

OWN = OwnGateway(GatewayIdentity("gba.customs.example", "cn"), ca_pem=bytes, now=datetime.now(UTC))


@pytest.fixture
def held() -> Iterator[int]:
    """A port on which this process listens and hangs up."""
    with socket.create_server(("127.0.0.1", free_port())) as listening:

        def hang_up() -> None:
            while True:
                try:
                    listening.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_another_programs_port_fails_and_names_the_process(held: int) -> None:
    finding = check_port("Peer port", f"127.0.0.1:{held}", OWN)
    assert finding.result is Result.FAIL
    assert f"process {os.getpid()}" in finding.detail
    assert "it speaks no TLS" in finding.detail
    assert [holder.pid for holder in holders_of(held)] == [os.getpid()]


def test_a_port_that_resets_once_it_was_probed_speaks_no_tls(tmp_path: Path) -> None:
    """It answers the probes of both versions, and ends the connection on which its certificate is asked for."""
    context = server_files(tmp_path, "servers").context()

    def answer(listening: socket.socket) -> None:
        for _version in range(2):
            with listening.accept()[0] as plain, suppress(OSError), context.wrap_socket(plain, server_side=True):
                pass
        reset(listening.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=(listening,))
        thread.start()
        finding = check_port("Peer port", f"127.0.0.1:{listening.getsockname()[1]}", OWN)
        thread.join()
    assert finding.result is Result.FAIL
    assert "it speaks no TLS" in finding.detail


def test_a_free_port_is_free_and_one_that_cant_be_bound_fails() -> None:
    port = free_port()
    finding = check_port("Peer port", f"127.0.0.1:{port}", OWN)
    assert (finding.result, holders_of(port)) == (Result.WARN, [])
    assert "nobody listens" in finding.detail
    with pytest.raises(ConfigurationError, match="can't be listened on: Cannot assign requested address"):
        check_port("Peer port", f"192.0.2.1:{port}", OWN)
