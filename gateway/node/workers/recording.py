"""Opens the handler of the process that checks shipments in bulk."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial

from gateway.history.commands.record import check
from gateway.history.rpc.recording_process import CHECK
from gateway.node.workers.collection import collect_seldom
from gateway.rpc.workers.worker_main import Handlers


@contextmanager
def recording_handlers(retention_classes: Collection[str]) -> Iterator[Handlers]:
    """Opens the handler of history.rpc.recording_process; it is stateless."""
    collect_seldom()
    yield {CHECK: partial(check, retention_classes=frozenset(retention_classes).__contains__)}
