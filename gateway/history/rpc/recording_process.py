"""The process that checks shipments which come in bulk, as RecordShipments uses it.

Checking each record against the contract's rules is two thirds of what recording costs, and in the node's own process
everything else waits for the interpreter meanwhile. Small messages, and large ones while there is no process, are
checked here.
"""

from __future__ import annotations

import asyncio
import logging
import marshal
from collections.abc import Collection, Sequence
from typing import Any

from gateway.errors import GatewayError
from gateway.history.commands.record import ValidItem, check
from gateway.rpc.worker_process import WorkerProcess
from gateway.v1 import history_service_pb2 as pb

log = logging.getLogger(__name__)

MODULE = "gateway.node.workers.recording"

CHECK = b"C"
"""The question: a RecordShipmentsRequest, serialised; answered as `encode` has it."""

WHAT = "the process that checks records"

BULK_ITEMS = 100
"""Items of a message from which on the process is worth the way there and back."""

CHECK_TIMEOUT_S = 10.0
"""How long the process may take for a message, in seconds; then it is ended and the message checked here."""

START_S = 10.0
"""How long a stop waits for a process that is just being started, in seconds."""

CheckedItems = tuple[list[ValidItem], list[pb.RefusedItem]]
"""As history.commands.record.check gives it."""


class RecordChecks:
    """Checks messages of RecordShipments; used in one event loop."""

    def __init__(self, retention_classes: Collection[str]) -> None:
        """Starts nothing.

        Args:
            retention_classes: those that this node has.
        """
        self._retention_classes = frozenset(retention_classes)
        self._process: WorkerProcess | None = None
        self._starting: asyncio.Task[None] | None = None

    async def check(self, request: pb.RecordShipmentsRequest) -> CheckedItems:
        """Items that may be recorded, and those that are refused; see history.commands.record.check."""
        if len(request.items) >= BULK_ITEMS:
            process = self._process
            if process is not None:
                try:
                    async with asyncio.timeout(CHECK_TIMEOUT_S):
                        return decode(await process.ask(CHECK + request.SerializeToString()))
                except (OSError, GatewayError) as error:
                    log.warning("%s: %s", WHAT, error or "no answer in time")
                    await self._end(process)
            elif self._starting is None:
                self._starting = asyncio.create_task(self._start(), name="starting what checks records")
        return await asyncio.to_thread(check, request, retention_classes=self._retention_classes.__contains__)

    async def run(self) -> None:
        """Ends the process when it is cancelled itself."""
        try:
            await asyncio.Event().wait()
        finally:
            if self._starting is not None:
                await asyncio.wait([self._starting], timeout=START_S)  # else the process would be left behind
            if self._process is not None:
                await self._end(self._process)

    async def _start(self) -> None:
        try:
            settings = {"retention_classes": sorted(self._retention_classes)}
            process = await WorkerProcess.start(MODULE, settings, what=WHAT)
            try:
                await process.ready()
            except BaseException:
                await process.end()
                raise
            self._process = process
        except (OSError, asyncio.IncompleteReadError) as error:
            log.warning("%s can't be started: %s", WHAT, error)
        finally:
            self._starting = None

    async def _end(self, process: WorkerProcess) -> None:
        if self._process is process:  # else another one runs already
            self._process = None
        await process.end()


def encode(found: CheckedItems) -> bytes:
    """What was checked, for the node."""
    good, refused = found
    return marshal.dumps((list(map(tuple, good)), pb.RecordShipmentsResponse(refused=refused).SerializeToString()))


def decode(data: bytes) -> CheckedItems:
    """The inverse of `encode`; of bytes that the node's own process made."""
    items, refused = marshal.loads(data)  # noqa: S302  own process, same interpreter
    rows: Sequence[tuple[Any, ...]] = items
    return list(map(ValidItem._make, rows)), list(pb.RecordShipmentsResponse.FromString(refused).refused)
