"""Checks shipments that come in bulk, in a process of its own: `python -m gateway.node.recording_worker`.

The node starts it, sends it messages and is told what may be recorded, and what is refused and why
(transport.recording_process; transport.worker_process has the frames). It has no database and keeps nothing, and ends
when the node does.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import sys
from collections.abc import Callable
from typing import BinaryIO

from gateway.services.history_record import check
from gateway.transport.recording_process import encode
from gateway.transport.worker_process import DONE, FAILED, READY, frame, read_frame
from gateway.v1 import history_service_pb2 as pb

log = logging.getLogger("gateway.recording")

GC_THRESHOLD = 50_000
"""New objects that start a collection: a message's are many and all gone after it."""


def serve(incoming: BinaryIO, outgoing: BinaryIO, retention_classes: Callable[[str], bool]) -> None:
    """Answers until the node closes its end."""
    _write(outgoing, READY)
    while (asked := read_frame(incoming.read)) is not None:
        try:
            request = pb.RecordShipmentsRequest.FromString(asked[1:])
            answer = DONE + encode(check(request, retention_classes=retention_classes))
        except Exception as error:
            log.exception("records couldn't be checked")
            answer = FAILED + f"{type(error).__name__}: {error}".encode()
        _write(outgoing, asked[:1] + answer)


def _write(outgoing: BinaryIO, body: bytes) -> None:
    outgoing.write(frame(body))
    outgoing.flush()


def main() -> None:
    """Reads what to do from the first frame, and serves."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s [%(levelname)s] %(message)s [%(name)s]"
    )
    first = read_frame(sys.stdin.buffer.read)
    if first is None:
        return
    classes = frozenset(json.loads(first)["retention_classes"])
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    with contextlib.suppress(BrokenPipeError):  # the node is gone
        serve(sys.stdin.buffer, sys.stdout.buffer, classes.__contains__)


if __name__ == "__main__":
    main()
