"""Opens the handlers of a process of the pool that prepares what comes in bulk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.alerts.commands.bulk_preparation import BulkPublisher
from gateway.alerts.projection import AlertProjection
from gateway.feed.projection.look_ahead import EntryCheck
from gateway.node.workers.collection import collect_seldom
from gateway.rpc.workers.worker_main import Handlers
from gateway.watchlists.commands.imports import CHECK_ROWS, check_rows
from gateway.watchlists.projection import ListProjection

PREPARE_ALERTS = "prepare_alerts"
CHECK_ENTRIES = "check_entries"
HANDLERS = (PREPARE_ALERTS, CHECK_ROWS, CHECK_ENTRIES)


@contextmanager
def preparation_handlers(federation: str, node: str) -> Iterator[Handlers]:
    """Opens the handlers of a process; they are pure."""
    collect_seldom()
    yield {
        PREPARE_ALERTS: BulkPublisher(federation, node),
        CHECK_ROWS: check_rows,
        CHECK_ENTRIES: EntryCheck(
            {one.channel: one for kind in (AlertProjection, ListProjection) for one in kind.formats},
            {**AlertProjection.prepare, **ListProjection.prepare},
        ),
    }
