"""Messages between a node and a signer process: length-prefixed, over a pair of sockets.

A request has an operation, a key's label and a content; an answer has an outcome and a content.
"""

from __future__ import annotations

import socket
import struct
from enum import IntEnum
from typing import Final

MAX_MESSAGE_BYTES: Final = 2 << 20
"""Longest message in bytes: a note that is signed has at most 1 MiB (tlog.note)."""

_HEADER: Final = struct.Struct(">IBB")


class TokenOperation(IntEnum):
    """What a node asks for.

    FIND and GENERATE answer with the public key, SIGN with the signature; LOOK opens again what was lost. UNLOCK and
    UNLOCK_BY_ITSELF have the PIN as content; the latter isn't tried where one more wrong PIN would lock the token.
    """

    FIND = 1
    SIGN = 2
    LOOK = 3
    UNLOCK = 4
    UNLOCK_BY_ITSELF = 5
    GENERATE = 6


class TokenOutcome(IntEnum):
    """How it ended; all but DONE have a text as content."""

    DONE = 0
    LOCKED = 1
    """The token wants a PIN."""
    LOST = 2
    """The token, or a key in it, isn't there."""
    PIN_REFUSED = 3
    """The token refused the PIN."""
    PIN_UNTRIED = 4
    """One more wrong PIN would lock the token."""
    REFUSED = 5
    """The request can't be met."""


def send(end: socket.socket, code: int, label: bytes, content: bytes) -> None:
    """Sends a request, or an answer without a label; raises OSError."""
    end.sendall(_HEADER.pack(len(content), code, len(label)) + label + content)


def receive(end: socket.socket) -> tuple[int, bytes, bytes]:
    """Code, label and content; raises OSError when the other end is gone or sends something else."""
    length, code, label_length = _HEADER.unpack(_exactly(end, _HEADER.size))
    if length > MAX_MESSAGE_BYTES:
        raise OSError("a message is too long")
    data = _exactly(end, label_length + length)
    return code, data[:label_length], data[label_length:]


def _exactly(end: socket.socket, count: int) -> bytes:
    data = end.recv(count) if count else b""
    while len(data) < count:
        if not data:
            raise OSError("the other end is gone")
        more = end.recv(count - len(data))
        data = data + more if more else b""
    return data
