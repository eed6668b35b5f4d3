"""Opens the handler of the process that checks shipments in bulk."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial

from gateway.history.commands.record import check
from gateway.history.rpc.recording_process import CHECK
from gateway.rpc.workers.worker_main import Handlers

CHECKS_GC_THRESHOLD = 50_000
"""New objects before a garbage collection: a recorded message makes many, all short-lived."""


@contextmanager
def recording_handlers(retention_classes: Collection[str]) -> Iterator[Handlers]:
    """Opens the handler of history.rpc.recording_process; it is stateless."""
    gc.freeze()
    gc.set_threshold(CHECKS_GC_THRESHOLD)
    yield {CHECK: partial(check, retention_classes=frozenset(retention_classes).__contains__)}
