"""Processes that prepare what comes in bulk are killed at both nodes: every alert is acknowledged and arrives once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from gateway.client import new_alert
from gateway.v1 import alert_service_pb2
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.history_calls import worker_processes

ALERTS = 3_000
AT_ONCE = 250

START_S = 120
"""How long processes may take to start on a busy machine, in seconds."""


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path, settings="[workers]\npreparation = 2\n")


def pool(federation: Federation, node: str) -> list[psutil.Process]:
    return [one for number in (1, 2) for one in worker_processes(federation, node, f"preparation {number}")]


async def whole(federation: Federation) -> bool:
    return all(len(pool(federation, node)) == 2 for node in ("cn", "hk"))


def test_killed_processes_lose_nothing(federation: Federation) -> None:
    federation.start("cn", "hk")
    requests = [new_alert(alert(), ["hk"]) for _ in range(ALERTS)]
    requests[17].content.ClearField("legal_basis")

    async def sent() -> AsyncIterator[alert_service_pb2.PublishAlertRequest]:
        for at, request in enumerate(requests):
            if at % AT_ONCE == 0 and at:
                node = ("cn", "hk")[at // AT_ONCE % 2]
                for process in pool(federation, node)[: 1 + at // AT_ONCE % 3]:
                    process.kill()
            yield request

    async def run() -> None:
        await eventually(lambda: whole(federation), within_s=START_S, what="the processes")
        async with federation.client("cn", "publisher") as risk, federation.client("hk", "analyst") as hk:
            accepted = [outcome async for outcome in risk.publish_many(sent())]
            ids = [one.result().alert_id for at, one in enumerate(accepted) if at != 17]
            with pytest.raises(Exception, match="legal_basis"):
                accepted[17].result()

            async def arrived() -> bool:
                seen = Counter([change.alert.alert_id async for change in hk.watch(until_current=True)])
                return seen == Counter(ids)

            await eventually(arrived, within_s=START_S, what="all alerts at hk")
            again = [outcome.result() async for outcome in risk.publish_many(requests[:10])]
            assert all(one.published_before for one in again)
            assert [one.alert_id for one in again] == ids[:10]
        await eventually(lambda: whole(federation), within_s=START_S, what="the processes again")

    asyncio.run(run())
