"""Connections of this process, by descriptor."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.rpc.fairness.sockets import Address, open_connections, open_descriptors, parse_peer, shut_down


class Pair:
    """A connection within this process."""

    def __init__(self, stack: ExitStack, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = stack.enter_context(socket.create_server((host, 0), family=family))
        self.outgoing = stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
        accepted, _ = listener.accept()
        self.incoming = stack.enter_context(accepted)
        self.port: int = listener.getsockname()[1]

    @property
    def peer(self) -> str:
        """The caller's address as gRPC writes it."""
        host, port = self.outgoing.getsockname()[:2]
        return f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_is_ended_on_both_sides_and_no_other_one(stack: ExitStack, host: str) -> None:
    try:
        hostile, good = Pair(stack, host), Pair(stack, host)
    except OSError:
        assert host == "::1", "this machine has no IPv4"
        return
    assert shut_down(hostile.peer)
    assert hostile.outgoing.recv(1) == b""
    assert hostile.incoming.recv(1) == b""
    good.outgoing.sendall(b"x")
    assert good.incoming.recv(1) == b"x"


def test_its_owner_still_closes_the_descriptor(stack: ExitStack) -> None:
    pair = Pair(stack)
    descriptor = pair.incoming.fileno()
    shut_down(pair.peer)
    os.fstat(descriptor)
    before = len(open_descriptors())
    pair.incoming.close()
    assert len(open_descriptors()) == before - 1


def test_what_is_not_there_is_not_ended(stack: ExitStack) -> None:
    pair = Pair(stack)
    peer = pair.peer
    pair.outgoing.close()
    pair.incoming.close()
    assert not shut_down(peer)
    assert not shut_down("unix:/tmp/socket")


def test_both_ends_of_connections_are_told(stack: ExitStack) -> None:
    pair = Pair(stack)
    own, other = Address("127.0.0.1", pair.port), Address(*pair.outgoing.getsockname())
    assert {(own, other), (other, own)} <= {tuple(ends) for ends in open_connections(open_descriptors())}


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:40446", Address("127.0.0.1", 40446)),
        ("ipv6:%5B::1%5D:40446", Address("::1", 40446)),
        ("ipv6:[::ffff:10.0.0.7]:1", Address("10.0.0.7", 1)),
        ("ipv6:%5Bfe80::1%25eth0%5D:2", Address("fe80::1", 2)),
        ("unix:/run/socket", None),
        ("ipv4:127.0.0.1:", None),
        ("", None),
    ],
)
def test_addresses_as_grpc_writes_them(peer: str, address: Address | None) -> None:
    assert parse_peer(peer) == address
    if address is not None:
        assert parse_peer(address.peer) == address
