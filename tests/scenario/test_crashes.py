"""kill -9 of sender, receiver and both, over and over, while alerts are published: the rules of the feed hold."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from gateway.client import new_alert
from gateway.v1.alert_service_pb2 import PublishAlertRequest
from tests.support.federation import Federation, alert, eventually, origin
from tests.support.stored import published_ids

ROUNDS = 4


@pytest.mark.slow
@pytest.mark.parametrize("victims", [("cn",), ("hk",), ("cn", "hk")], ids="-".join)
def test_killed_under_load_nothing_is_lost_and_nothing_comes_twice(
    either: Federation, victims: tuple[str, ...]
) -> None:
    either.start("cn", "hk")
    ended = asyncio.Event()

    async def load() -> AsyncIterator[PublishAlertRequest]:
        number = 0
        while not ended.is_set():
            for _ in range(5):
                number += 1
                yield new_alert(alert(case_reference=f"CASE-{number}"), ["hk"])
            await asyncio.sleep(0.02)

    async def kill_and_start() -> None:
        for _ in range(ROUNDS):
            await asyncio.sleep(random.uniform(0.1, 0.5))
            for name in victims:
                either[name].kill()
            for name in victims:
                await asyncio.to_thread(either[name].start)
        ended.set()

    async def run() -> None:
        async with either.client("cn", "publisher") as risk, either.client("hk", "analyst") as hk:
            killing = asyncio.create_task(kill_and_start())
            acknowledged = [outcome.result().alert_id async for outcome in risk.publish_many(load())]
            await killing
            assert len(acknowledged) > 100
            await either.converged(("cn", "hk"), ("hk", "cn"))
            assert published_ids(either["cn"].feed(origin("cn", "hk"))) == acknowledged

            async def all_shown() -> bool:
                shown = [change.alert.alert_id async for change in hk.watch(until_current=True)]
                return shown == acknowledged

            await eventually(all_shown, what="every alert at hk, once and in order", every_s=0.3)

    either.run(run())


@pytest.mark.slow
def test_killed_at_any_moment_of_its_start_a_node_starts_the_same_way(federation: Federation) -> None:
    federation.start("cn")
    cn = federation["cn"]

    async def run() -> None:
        acknowledged = []
        for _ in range(8):
            async with federation.client("cn", "publisher") as risk:
                acknowledged.append((await risk.publish(alert(), ["hk"])).alert_id)
            cn.kill()
            cn.start(wait=False)
            await asyncio.sleep(random.uniform(0.0, 0.4))
            cn.kill()
            cn.start()
        federation.start("hk")
        await federation.converged(("cn", "hk"))
        assert published_ids(federation["hk"].feed(origin("cn", "hk"))) == acknowledged

    federation.run(run())


def test_started_as_operators_do_a_node_stops_in_order_when_told(federation: Federation) -> None:
    cn = federation["cn"]
    cn.start_command()

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk:
            await risk.publish(alert(), ["hk"])

    federation.run(run())
    assert cn.stop() == 0
    assert "Traceback" not in cn.log
    assert cn.feed(origin("cn", "hk")).size == 1
