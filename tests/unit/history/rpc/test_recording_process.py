"""Checks of bulk messages in a process of their own: the same as here, whatever becomes of the process."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.history.codec import shipments as wire
from gateway.history.commands.record import check
from gateway.history.rpc import recording_process
from gateway.history.rpc.recording_process import BULK_ITEMS, CheckedItems, RecordChecks, decode, encode
from gateway.v1 import history_service_pb2 as pb
from tests.support.federation import eventually
from tests.support.shipments import items, shipment

CLASSES = frozenset({"standard"})


def message(count: int = BULK_ITEMS) -> pb.RecordShipmentsRequest:
    """Shipments, of which two break rules: one the contract's, one this node's."""
    request = items(*(shipment(f"R{at}") for at in range(count)))
    request.items[3].shipment.equipment[0].id = "x" * 400
    request.items[5].shipment.retention_class = "unknown"
    return request


def agrees(found: CheckedItems, request: pb.RecordShipmentsRequest) -> None:
    """The same items and the same faults as checked here; salts are new each time."""
    good, refused = found
    expected, expected_refused = check(request, retention_classes=CLASSES.__contains__)
    assert refused == expected_refused
    assert [one.error.violations[0].field for one in refused] == [
        "shipment.equipment[0].id",
        "shipment.retention_class",
    ]
    assert [(one.record_id, one.kind, one.content) for one in good] == [
        (one.record_id, one.kind, one.content) for one in expected
    ]
    assert len({one.salt for one in good}) == len(good)
    assert all(one.digest == wire.salted_digest(one.salt, one.content) for one in good)


@asynccontextmanager
async def checking() -> AsyncIterator[RecordChecks]:
    checks = RecordChecks(CLASSES)
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
        return checks._process is not None

    await eventually(runs, what="the process")
    assert checks._process is not None
    return checks._process._process.pid


def test_what_was_checked_goes_over_a_pipe() -> None:
    found = check(message(), retention_classes=CLASSES.__contains__)
    assert decode(encode(found)) == found


def test_large_messages_are_checked_in_a_process_small_ones_here() -> None:
    async def main() -> None:
        async with checking() as checks:
            agrees(await checks.check(message(BULK_ITEMS - 1)), message(BULK_ITEMS - 1))
            assert (checks._process, checks._starting) == (None, None)
            agrees(await checks.check(message()), message())  # before there is a process
            pid = await started(checks)
            for found in await asyncio.gather(*(checks.check(message(500)) for _ in range(3))):
                agrees(found, message(500))
            os.kill(pid, 0)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    asyncio.run(main())


def test_a_killed_process_costs_no_message_and_is_replaced() -> None:
    async def main() -> None:
        async with checking() as checks:
            await checks.check(message())
            pid = await started(checks)
            os.kill(pid, signal.SIGSTOP)
            asked = [asyncio.create_task(checks.check(message())) for _ in range(3)]
            await asyncio.sleep(0.05)
            os.kill(pid, signal.SIGKILL)
            for one in asked:
                agrees(await one, message())
            await checks.check(message())
            assert await started(checks) != pid
            agrees(await checks.check(message()), message())

    asyncio.run(main())


def test_a_process_that_does_not_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_process, "CHECK_TIMEOUT_S", 0.2)
    monkeypatch.setattr("gateway.rpc.worker_process.END_S", 0.2)

    async def main() -> None:
        async with checking() as checks:
            await checks.check(message())
            pid = await started(checks)
            os.kill(pid, signal.SIGSTOP)
            agrees(await checks.check(message()), message())
            assert checks._process is None
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    asyncio.run(main())


def test_without_a_process_everything_is_checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_process, "MODULE", "gateway.node.no_such_module")

    async def main() -> None:
        async with checking() as checks:
            agrees(await checks.check(message()), message())
            if checks._starting is not None:
                await checks._starting
            assert (checks._process, checks._starting) == (None, None)
            agrees(await checks.check(message()), message())

    asyncio.run(main())
