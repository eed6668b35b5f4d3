"""What processes of the node's own have in common on their side: being told what to do, and answering."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from gateway.errors import InvalidRequestError
from gateway.rpc.worker_process import DONE, FAILED, READY, frame, read_frame, refusal

Answer = Callable[[bytes, bytes], bytes]
"""From the letter of a question and what it asks to what its kind gives."""


def told() -> dict[str, Any] | None:
    """Has the process log to standard error, and reads what it is to do; None when the node is gone already."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s [%(levelname)s] %(message)s [%(name)s]"
    )
    first = read_frame(sys.stdin.buffer.read)
    return None if first is None else json.loads(first)


def write_frame(outgoing: BinaryIO, body: bytes) -> None:
    """Sends a body to the node at once."""
    outgoing.write(frame(body))
    outgoing.flush()


def serve(answer: Answer, *, log: logging.Logger, failed: str) -> None:
    """Answers one question after the other until the node closes its end, or is gone.

    Args:
        answer: may raise InvalidRequestError, which refuses a question; whatever else it raises fails that one alone.
        log, failed: where that is told, and how.
    """
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    try:
        write_frame(outgoing, READY)
        while (asked := read_frame(incoming.read)) is not None:
            write_frame(outgoing, asked[:1] + _answered(answer, asked, log, failed))
    except BrokenPipeError:
        pass  # the node is gone


def _answered(answer: Answer, asked: bytes, log: logging.Logger, failed: str) -> bytes:
    try:
        return DONE + answer(asked[:1], asked[1:])
    except InvalidRequestError as error:
        return refusal(error)
    except Exception as error:
        log.exception(failed)
        return FAILED + f"{type(error).__name__}: {error}".encode()
