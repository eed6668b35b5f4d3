"""Checks of bulk messages in a process of their own: the same as here, whatever becomes of the process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from gateway.history.codec import shipments as wire
from gateway.history.commands.record import check
from gateway.history.rpc.recording_process import BULK_ITEMS, CHECK, CheckedItems, RecordChecks
from gateway.node.workers.recording import recording_handlers
from gateway.rpc.workers.worker_main import Opener
from gateway.v1 import history_service_pb2 as pb
from tests.support.federation import eventually
from tests.support.shipments import items, shipment
from tests.support.worker_handlers import never_open

ROOT = Path(__file__).parents[4]
CLASSES = frozenset({"standard"})
PATIENCE_S = 60
"""How long a process may take to start or end, in seconds: a start is two seconds of computing."""


MEMBERS = ("cn", "hk")


def message(count: int = BULK_ITEMS) -> pb.RecordShipmentsRequest:
    """Shipments, of which three break rules: one the contract's, two this node's."""
    request = items(*(shipment(f"R{at}") for at in range(count)))
    request.items[3].shipment.equipment[0].id = "x" * 400
    request.items[5].shipment.retention_class = "unknown"
    request.items[7].shipment.releasable_to.nodes.extend(["hk", "sg"])
    request.items[9].shipment.releasable_to.nodes.append("hk")
    return request


def agrees(found: CheckedItems, request: pb.RecordShipmentsRequest) -> None:
    """The same items and the same faults as checked here; salts are new each time."""
    good, refused = found
    expected, expected_refused = check(request, MEMBERS, retention_classes=CLASSES.__contains__)
    assert refused == expected_refused
    assert [one.error.violations[0].field for one in refused] == [
        "shipment.equipment[0].id",
        "shipment.retention_class",
        "shipment.releasable_to.nodes[1]",
    ]
    assert [(one.record_id, one.kind, one.content) for one in good] == [
        (one.record_id, one.kind, one.content) for one in expected
    ]
    assert len({one.salt for one in good}) == len(good)
    assert all(one.digest == wire.salted_digest(one.salt, one.content) for one in good)


@asynccontextmanager
async def checking(opener: Opener = recording_handlers) -> AsyncIterator[RecordChecks]:
    checks = RecordChecks(opener, CLASSES, members=lambda: MEMBERS)
    running = asyncio.create_task(checks.run())
    await asyncio.sleep(0)
    try:
        yield checks
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def started(checks: RecordChecks) -> int:
    """Waits for the process; its id."""

    async def runs() -> bool:
        return checks.process.is_ready

    await eventually(runs, within_s=PATIENCE_S, what="the process")
    assert checks.process.pid is not None
    return checks.process.pid


def test_large_messages_are_checked_in_a_process_small_ones_here() -> None:
    async def main() -> None:
        async with checking() as checks:
            agrees(await checks.check(message(BULK_ITEMS - 1), caller="a"), message(BULK_ITEMS - 1))
            assert checks.process.pid is None
            agrees(await checks.check(message(), caller="a"), message())  # before there is a process
            pid = await started(checks)
            for found in await asyncio.gather(*(checks.check(message(500), caller="a") for _ in range(3))):
                agrees(found, message(500))
            os.kill(pid, 0)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(main())


def test_a_killed_process_costs_no_message_and_is_replaced() -> None:
    async def main() -> None:
        async with checking() as checks:
            await checks.check(message(), caller="a")
            pid = await started(checks)
            os.kill(pid, signal.SIGSTOP)
            asked = [asyncio.create_task(checks.check(message(), caller="a")) for _ in range(3)]
            await asyncio.sleep(0.05)
            os.kill(pid, signal.SIGKILL)
            for one in asked:
                agrees(await one, message())
            await checks.check(message(), caller="a")
            assert await started(checks) != pid
            agrees(await checks.check(message(), caller="a"), message())

    asyncio.run(main())


def test_a_process_that_does_not_answer_is_ended_and_its_message_checked_in_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        async with checking() as checks:
            monkeypatch.setitem(checks.process._deadlines_s, CHECK, 0.5)
            await checks.check(message(), caller="a")
            pid = await started(checks)
            os.kill(pid, signal.SIGSTOP)
            agrees(await checks.check(message(), caller="a"), message())

            async def ended() -> bool:
                return not psutil.pid_exists(pid)

            await eventually(ended, within_s=PATIENCE_S, what="the end of the process")
            assert checks.process.pid != pid

    asyncio.run(main())


def test_without_a_process_everything_is_checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    async def main() -> None:
        async with checking(never_open) as checks:
            for _ in range(2):
                agrees(await checks.check(message(), caller="a"), message())

                async def ended() -> bool:
                    return checks.process.pid is None

                await eventually(ended, within_s=PATIENCE_S, what="the end of the process")

    asyncio.run(main())
