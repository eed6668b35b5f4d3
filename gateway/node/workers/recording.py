"""Checks shipments that come in bulk, in a process of its own: `python -m gateway.node.workers.recording`.

The node starts it, sends it messages and is told what may be recorded, and what is refused and why
(history.rpc.recording_process; rpc.worker_process has the frames). It has no database and keeps nothing, and ends
when the node does.
"""

from __future__ import annotations

import gc
import logging

from gateway.history.commands.record import check
from gateway.history.rpc.recording_process import encode
from gateway.node.workers.process import serve, told
from gateway.v1 import history_service_pb2 as pb

log = logging.getLogger("gateway.recording")

GC_THRESHOLD = 50_000
"""New objects that start a collection: a message's are many and all gone after it."""


def main() -> None:
    """Reads what to do from the first frame, and serves."""
    todo = told()
    if todo is None:
        return
    classes = frozenset(todo["retention_classes"])
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)

    def answer(_: bytes, body: bytes) -> bytes:
        request = pb.RecordShipmentsRequest.FromString(body)
        return encode(check(request, retention_classes=classes.__contains__))

    serve(answer, log=log, failed="records couldn't be checked")


if __name__ == "__main__":
    main()
