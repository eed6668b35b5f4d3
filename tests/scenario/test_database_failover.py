"""The primary ends under load and its synchronous standby is promoted: two replicas find it, nothing is lost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from gateway.client import GatewayClient
from gateway.errors import StoreUnavailableError, UnavailableError
from gateway.v1 import alert_pb2
from tests.support.federation import Federation, alert, eventually, new_id, origin, with_logs
from tests.support.replicas import ReplicaProcess, add_replicas
from tests.support.standby import Pair, synchronous_pair
from tests.support.stored import published_ids

CALLERS = 2
"""Callers of each replica, each with one alert after the other."""


class Load:
    """Publishes through replicas until it is stopped; notes what was acknowledged, and when."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._stopping = False
        self.acknowledged: dict[str, float] = {}

    async def run(self, replica: ReplicaProcess, name: str) -> None:
        """One caller, who repeats a call that failed with the same request id."""
        async with self._federation.client_at(replica.local_port, replica.name, "publisher") as client:
            number = 0
            while not self._stopping:
                content, request_id = alert(case_reference=f"{name}-{number}"), new_id()
                while (alert_id := await self._published(client, content, request_id)) is None:
                    await asyncio.sleep(0.1)
                self.acknowledged[alert_id] = time.monotonic()
                number += 1

    async def _published(self, client: GatewayClient, content: alert_pb2.AlertContent, request_id: str) -> str | None:
        try:
            return (await client.publish(content, ["hk"], request_id=request_id)).alert_id
        except (StoreUnavailableError, UnavailableError):
            return None

    def stop(self) -> None:
        self._stopping = True

    async def reaches(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.acknowledged) >= count

        await eventually(enough, what=f"{count} acknowledged alerts")


def test_nothing_acknowledged_is_lost_when_the_primary_ends(tmp_path: Path) -> None:
    with synchronous_pair() as pair:
        for federation in with_logs(tmp_path):
            replicas = add_replicas(federation, "cn", pair.url, 2)
            federation.start("hk")
            for replica in replicas:
                replica.start(wait=False)
            for replica in replicas:
                replica.wait_ready()
            federation.run(_fail_over(federation, replicas, pair))


async def _fail_over(federation: Federation, replicas: list[ReplicaProcess], pair: Pair) -> None:
    load = Load(federation)
    callers = [
        asyncio.create_task(load.run(replica, f"{number}-{caller}"))
        for number, replica in enumerate(replicas)
        for caller in range(CALLERS)
    ]
    await load.reaches(40)
    await asyncio.to_thread(pair.crash_primary)
    crashed_at = time.monotonic()
    writable_at = await asyncio.to_thread(pair.promote)
    before = len(load.acknowledged)
    await load.reaches(before + 40)
    load.stop()
    await asyncio.gather(*callers)
    first = min(at for at in load.acknowledged.values() if at > writable_at)
    print(f"promoted {writable_at - crashed_at:.2f} s after the crash, acknowledged {first - writable_at:.2f} s later")

    async def all_there() -> bool:
        there = published_ids(federation["hk"].feed(origin("cn", "hk")))
        assert len(there) == len(set(there)), "an alert is there twice"
        return load.acknowledged.keys() <= set(there)

    await eventually(all_there, what="every acknowledged alert at hk")
