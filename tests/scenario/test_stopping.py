"""SIGTERM in the middle of traffic: what was acknowledged stays, callers are told to come back, and watchers resume."""

from __future__ import annotations

import asyncio
import time

from gateway.client import GatewayClient, new_alert
from gateway.errors import GatewayError
from tests.support.federation import Federation, alert, eventually, origin
from tests.support.stored import published_ids

CN_HK = origin("cn", "hk")
GRACE_S = 8.0
"""The default of `stop_grace`."""


def test_a_stop_in_traffic_is_in_order_and_loses_nothing(federation: Federation) -> None:
    federation.start("cn", "hk")
    acknowledged: list[str] = []
    interruptions: list[GatewayError] = []
    watched: dict[str, set[str]] = {"cn": set(), "hk": set()}

    async def one_by_one(client: GatewayClient) -> None:
        while True:
            try:
                acknowledged.append((await client.publish(alert(), ["hk"])).alert_id)
            except GatewayError:
                await asyncio.sleep(0.1)

    async def in_bulk(client: GatewayClient) -> None:
        requests = (new_alert(alert(), ["hk"]) for _ in range(4_000))
        async for outcome in client.publish_many(requests, batch=50):
            acknowledged.append(outcome.result().alert_id)

    async def watch(name: str, client: GatewayClient) -> None:
        async for change in client.watch(on_interruption=interruptions.append):
            watched[name].add(change.alert.alert_id)

    async def run() -> None:
        async with (
            federation.client("cn", "publisher", timeout_s=5) as lone,
            federation.client("cn", "publisher") as bulk,
            federation.client("cn", "analyst") as cn,
            federation.client("hk", "analyst") as hk,
        ):
            bulk_ends = asyncio.create_task(in_bulk(bulk))
            endless = (one_by_one(lone), watch("cn", cn), watch("hk", hk))
            running = [asyncio.create_task(task) for task in endless]

            async def traffic() -> bool:
                return len(acknowledged) > 500 and len(watched["cn"]) > 100 and len(watched["hk"]) > 100

            await eventually(traffic, what="traffic")
            began = time.monotonic()
            code = await asyncio.to_thread(federation["cn"].stop)
            seconds = time.monotonic() - began
            assert code == 0, federation["cn"].log[-2_000:]
            assert seconds < GRACE_S + 2
            assert set(acknowledged) <= set(published_ids(federation["cn"].feed(CN_HK)))
            federation["cn"].start()
            await bulk_ends  # went on by itself
            before = len(acknowledged)

            async def goes_on() -> bool:
                return len(acknowledged) > before + 5

            await eventually(goes_on, what="calls after the start")
            running[0].cancel()
            await federation.converged(("cn", "hk"))
            stored = published_ids(federation["hk"].feed(CN_HK))
            assert len(stored) == len(set(stored)), "an alert came twice"
            assert set(acknowledged) <= set(stored)

            async def all_seen() -> bool:
                return all(seen >= set(stored) for seen in watched.values())

            await eventually(all_seen, what="everything at both watchers")
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    federation.run(run())
    told = [error for error in interruptions if error.reason == "NODE_STOPPING"]
    assert told, [error.message for error in interruptions]
    assert all(error.retry_after_s for error in told)
