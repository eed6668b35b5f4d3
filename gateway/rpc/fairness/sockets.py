"""Counts this process's connections, and ends one whose caller may not have it.

gRPC can neither be asked for its connections nor told to end one. Its sockets are among the process's descriptors,
though, and a socket that is shut down looks to gRPC as if the caller had left.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

_DESCRIPTORS = "/dev/fd"


class Address(NamedTuple):
    """Host and port of one end; an IPv4 host is written as such even on an IPv6 socket."""

    host: str
    port: int

    @property
    def peer(self) -> str:
        """As gRPC writes it."""
        return f"ipv6:[{self.host}]:{self.port}" if ":" in self.host else f"ipv4:{self.host}:{self.port}"


class Ends(NamedTuple):
    """Both ends of a connection: this process's and the other one's."""

    own: Address
    other: Address


def open_descriptors() -> list[int]:
    """File descriptors of this process: files, sockets and the rest."""
    return [int(name) for name in os.listdir(_DESCRIPTORS)]


def open_connections(descriptors: Iterable[int]) -> list[Ends]:
    """TCP connections among descriptors. Costs some 5 µs for each."""
    return [ends for descriptor in descriptors if (ends := _ends(descriptor)) is not None]


def shut_down(peer: str) -> bool:
    """Ends the connection with a caller: what is sent after that fails on both sides, and gRPC frees what it held.

    Args:
        peer: as `ServicerContext.peer` gives it, e.g. `ipv4:127.0.0.1:40446`.

    Returns:
        Whether there was one.
    """
    address = parse_peer(peer)
    if address is None:
        return False
    for descriptor in open_descriptors():
        ends = _ends(descriptor)
        if ends is not None and ends.other == address:
            return _shut_down(descriptor, ends)
    return False


def parse_peer(peer: str) -> Address | None:
    """The address in gRPC's text for the other end; None for anything but TCP."""
    scheme, _, rest = unquote(peer).partition(":")
    host, _, port = rest.rpartition(":")
    if scheme not in ("ipv4", "ipv6") or not port.isdecimal():
        return None
    return _address(host.strip("[]"), int(port))


def _shut_down(descriptor: int, ends: Ends) -> bool:
    # gRPC may close the descriptor at any moment, and its number may then be another connection's. A duplicate stays
    # what it is.
    try:
        with socket.socket(fileno=os.dup(descriptor)) as duplicate:
            if _ends(duplicate.fileno()) != ends:
                return False
            duplicate.shutdown(socket.SHUT_RDWR)
            return True
    except OSError:  # it has ended by itself
        return False


def _ends(descriptor: int) -> Ends | None:
    """Both ends of a TCP connection; None for every other descriptor, and for one that was closed meanwhile."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return None
    try:
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        own, other = connection.getsockname(), connection.getpeername()
        return Ends(_address(own[0], own[1]), _address(other[0], other[1]))
    except OSError:  # it listens, or has ended
        return None
    finally:
        connection.detach()  # whoever opened it closes it


def _address(host: str, port: int) -> Address:
    parsed = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return Address(str(mapped or parsed), port)
