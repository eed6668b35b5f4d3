"""The processes that check and prepare records are killed, and the node: what was acknowledged isn't lost, and all is
found."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from gateway.client import GatewayClient
from gateway.v1 import goods_pb2, history_pb2, node_service_pb2, shipment_pb2
from tests.support.federation import Federation, eventually, with_logs
from tests.support.history_calls import calling, worker_processes
from tests.support.shipments import grounds, shipment

COUNT = 2_000

IDLE_PROCESS_S = 120
"""How long a step of the process may take, in seconds: it runs when nothing else wants the processor."""


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path)


def records() -> list[shipment_pb2.Shipment]:
    """Antimony without a licence, each in a container of its own."""
    goods = shipment_pb2.ShipmentGoods(
        sequence=1, codes=[goods_pb2.CommodityCode(code="8110101000", scheme="tariff", territory="CN")], element="Sb"
    )
    return [
        shipment(f"R-{at:05}", goods=[goods], equipment=[goods_pb2.Equipment(id=f"GWDU{at:07}")]) for at in range(COUNT)
    ]


def preparing(federation: Federation) -> list[psutil.Process]:
    """Processes of cn's node that prepare records."""
    return worker_processes(federation, "cn", "history")


async def status(federation: Federation) -> node_service_pb2.HistoryStatus:
    async with federation.client("cn", "operator") as operator:
        return (await operator.node.status()).history


async def found(client: GatewayClient, number: int) -> int:
    criteria = history_pb2.SearchCriteria(containers=[f"GWDU{number:07}"])
    records = [one async for one in client.history.search(criteria, grounds(), nodes=["cn"])]
    return sum(isinstance(one, history_pb2.HistoryRecord) for one in records)


def test_kills_lose_nothing_that_was_acknowledged(federation: Federation) -> None:
    federation.start("cn")

    async def record() -> None:
        async with calling(federation, "cn", "publisher") as publisher:
            assert await publisher.record(*records()) == COUNT

    async def killed() -> None:
        async with federation.client("cn", "operator") as operator:

            async def begun() -> psutil.Process | None:
                if 0 < (await operator.node.status()).history.findable < COUNT:
                    with suppress(psutil.NoSuchProcess):
                        for process in preparing(federation):
                            process.kill()
                            return process
                return None

            recording = asyncio.create_task(record())
            process = await eventually(begun, every_s=0.005, what="the first batch")
            await recording
            assert process is not None

        async def again() -> bool:
            others = [one for one in preparing(federation) if one.pid != process.pid]
            return bool(others) or (await status(federation)).findable == COUNT

        await eventually(again, within_s=IDLE_PROCESS_S, what="another process")

    async def all_there() -> None:
        async def judged() -> bool:
            now = await status(federation)
            return (now.recorded, now.findable, now.judged) == (COUNT, COUNT, COUNT)

        await eventually(judged, what="the end of the backlog")
        async with federation.client("cn", "officer") as officer:
            assert [await found(officer, at) for at in (0, COUNT // 2, COUNT - 1)] == [1, 1, 1]
            hits = [one.record_id async for one in officer.history.risk_hits(filter="rule = R01", page_size=1_000)]
        assert len(hits) == len(set(hits)) == COUNT

    federation.run(killed())
    federation["cn"].kill()
    federation["cn"].start()
    federation.run(all_there())


def test_killing_the_process_that_checks_interrupts_no_recording(federation: Federation) -> None:
    federation.start("cn")

    async def checking() -> list[psutil.Process]:
        return worker_processes(federation, "cn", "recording")

    async def main() -> None:
        first, *others = [records()[at : at + 100] for at in range(0, COUNT, 100)]
        async with calling(federation, "cn", "publisher") as publisher:
            await publisher.record(*first)  # the first large message has the process started

            async def runs() -> bool:
                return bool(await checking())

            await eventually(runs, what="the process that checks")
            await asyncio.sleep(1)  # and is ready
            (process,) = await checking()
            recording = asyncio.create_task(publisher.record(*(one for some in others for one in some)))
            await asyncio.sleep(0.1)
            process.send_signal(signal.SIGKILL)
            assert await recording == COUNT
        assert (await status(federation)).recorded == COUNT

    federation.run(main())


def test_a_stopped_process_holds_nothing_up_for_long_and_is_an_alarm(federation: Federation) -> None:
    """It answers neither calls nor pings: half a minute later another one indexes what was recorded."""
    federation.start("cn")

    async def main() -> None:
        async with (
            calling(federation, "cn", "publisher") as publisher,
            federation.client("cn", "operator") as operator,
        ):
            assert await publisher.record(*records()[:10]) == 10

            async def idle() -> psutil.Process | None:
                processes = preparing(federation)
                indexed = (await status(federation)).findable == 10
                return processes[0] if indexed and processes else None

            process = await eventually(idle, within_s=IDLE_PROCESS_S, what="an idle process")
            assert process is not None
            process.suspend()
            assert await publisher.record(*records()[10:20]) == 20

            async def told() -> bool:
                alarms = (await operator.node.status()).alarms
                return any(alarm.code == "WORKER" and "didn't answer" in alarm.message for alarm in alarms)

            await eventually(told, within_s=IDLE_PROCESS_S, what="the alarm")

            async def indexed() -> bool:
                return (await status(federation)).findable == 20

            await eventually(indexed, within_s=IDLE_PROCESS_S, what="what was recorded meanwhile")
            assert process.pid not in {other.pid for other in preparing(federation)}

    federation.run(main())
