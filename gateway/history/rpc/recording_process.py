"""Checks shipments that come in bulk, in a worker process.

The check is two thirds of the cost of recording, and would block the node's interpreter. Without a process, a thread
checks them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection

from gateway.errors import GatewayError
from gateway.history.commands.record import ValidItem, check
from gateway.rpc.workers.worker_main import Opener
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.v1 import history_service_pb2 as pb

log = logging.getLogger(__name__)

CHECK = "check"
"""Handler of a RecordShipmentsRequest."""

BULK_ITEMS = 100
"""Fewest items worth the process's round trip."""

CHECK_TIMEOUT_S = 10.0
"""Then the process is killed, and a thread checks the message."""

CheckedItems = tuple[list[ValidItem], list[pb.RefusedItem]]
"""The result of history.commands.record.check."""


class RecordChecks:
    """Checks messages of RecordShipments; used in one event loop."""

    def __init__(
        self, opener: Opener, retention_classes: Collection[str], *, members: Callable[[], Collection[str]]
    ) -> None:
        """`members`: of the federation, which a release list may name."""
        self._members = members
        self._retention_classes = frozenset(retention_classes)
        self.process = WorkerProcess(
            "recording", opener, (self._retention_classes,), deadlines_s={CHECK: CHECK_TIMEOUT_S}
        )

    async def check(self, request: pb.RecordShipmentsRequest, *, caller: str) -> CheckedItems:
        members = tuple(self._members())
        if len(request.items) >= BULK_ITEMS:
            try:
                if self.process.is_ready:
                    checking = self.process.call(CHECK, request, members, caller=caller)
                    checked: CheckedItems = await asyncio.wrap_future(checking)
                    return checked
                await asyncio.to_thread(self.process.start)
            except (OSError, GatewayError) as error:
                log.warning("a large message is checked in the node: %s", error)
        return await asyncio.to_thread(check, request, members, retention_classes=self._retention_classes.__contains__)

    async def run(self) -> None:
        """Ends the process on cancellation."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self.process.stop)
