"""Checks shipments that come in bulk, in a process of their own.

Checking each record against the contract's rules is two thirds of what recording costs, and in the node's process
everything else waits for the interpreter meanwhile. Small messages, and large ones while there is no process, are
checked in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from gateway.errors import GatewayError
from gateway.history.commands.record import ValidItem, check
from gateway.rpc.worker_main import Opener
from gateway.rpc.worker_process import WorkerProcess
from gateway.v1 import history_service_pb2 as pb

log = logging.getLogger(__name__)

CHECK = "check"
"""The handler; arguments: a RecordShipmentsRequest. Its result is that of history.commands.record.check."""

BULK_ITEMS = 100
"""Items of a message from which on the process is worth the way there and back."""

CHECK_TIMEOUT_S = 10.0
"""How long the process may take for a message, in seconds; then it is killed and the message checked in a thread."""

CheckedItems = tuple[list[ValidItem], list[pb.RefusedItem]]
"""The result of history.commands.record.check."""


class RecordChecks:
    """Checks messages of RecordShipments; used in one event loop."""

    def __init__(self, opener: Opener, retention_classes: Collection[str]) -> None:
        """Starts nothing.

        Args:
            opener: opens the handler CHECK in the process, given the retention classes.
            retention_classes: those that this node has.
        """
        self._retention_classes = frozenset(retention_classes)
        self.process = WorkerProcess(
            "recording", opener, (self._retention_classes,), deadlines_s={CHECK: CHECK_TIMEOUT_S}
        )

    async def check(self, request: pb.RecordShipmentsRequest, *, caller: str) -> CheckedItems:
        """Items that may be recorded, and those that are refused; see history.commands.record.check."""
        if len(request.items) >= BULK_ITEMS:
            try:
                if self.process.is_ready:
                    found: CheckedItems = await asyncio.wrap_future(self.process.call(CHECK, request, caller=caller))
                    return found
                await asyncio.to_thread(self.process.start)
            except (OSError, GatewayError) as error:
                log.warning("a large message is checked in the node: %s", error)
        return await asyncio.to_thread(check, request, retention_classes=self._retention_classes.__contains__)

    async def run(self) -> None:
        """Ends the process when it is cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self.process.stop)
