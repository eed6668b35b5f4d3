"""PostgreSQL fails over under a running node to a standby that lacks acknowledged commits: nothing is signed twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.errors import FeedBehindError, GatewayError
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.replicas import add_replicas
from tests.support.standby import Pair, synchronous_pair
from tests.support.stored import published_ids

CN_HK = origin("cn", "hk")


async def publish(client: GatewayClient, count: int) -> list[str]:
    requests = [new_alert(alert(), ["hk"]) for _ in range(count)]
    return [outcome.result().alert_id async for outcome in client.publish_many(requests)]


async def receipted(operator: GatewayClient) -> bool:
    """The partner has cosigned the newest root."""
    (link,) = [link for link in await operator.node.links() if link.origin == CN_HK]
    return 0 < link.size == link.receipted_size


async def alarms(client: GatewayClient) -> dict[str, str]:
    return {alarm.code: alarm.message for alarm in (await client.node.status()).alarms}


@pytest.mark.slow
def test_lost_commits_stop_the_feed_until_they_are_fetched_back(tmp_path: Path) -> None:
    """An asynchronous standby is promoted that lacks what was acknowledged, sent and receipted."""
    with synchronous_pair() as pair:
        pair.make_asynchronous()
        for nodes in with_logs(tmp_path):
            add_replicas(nodes, "cn", pair.url, 1)
            nodes.start("cn", "hk")
            nodes.run(_lost_commits(nodes, pair))


async def _lost_commits(nodes: Federation, pair: Pair) -> None:
    async with nodes.client("cn", "publisher") as risk, nodes.client("cn", "operator") as operator:
        ids = await publish(risk, 5)
        await eventually(lambda: receipted(operator), what="the receipts")

        async def warned() -> bool:
            return "synchronous_standby_names is empty" in (await alarms(operator))["DATABASE_ASYNCHRONOUS"]

        await eventually(warned, what="the alarm about the standby")
        await asyncio.to_thread(pair.cut_off)
        ids += await publish(risk, 10)
        await eventually(lambda: receipted(operator), what="the receipts")
        nodes.between("cn", "hk").cut()
        await publish(risk, 2)  # acknowledged, and held by nobody else
        await asyncio.to_thread(pair.crash_primary)
        await asyncio.to_thread(pair.promote)

        async def refused() -> bool:
            try:
                await risk.publish(alert(), ["hk"])
            except FeedBehindError:
                return True
            except GatewayError:
                return False  # the database isn't there yet
            raise AssertionError("published on a feed that lacks entries")

        await eventually(refused, what="the refusal")
        assert "were lost" in (await alarms(operator))["FEED_BEHIND"]
        nodes.between("cn", "hk").heal()
        recovered = await eventually(lambda: operator.node.recover_feed(CN_HK), what="the recovery")
        assert recovered.lost == 2
        assert recovered.recovered >= 10

        async def works_again() -> bool:
            ids.append((await risk.publish(alert(), ["hk"])).alert_id)
            return True

        await eventually(works_again, what="publishing after the recovery")
        await eventually(lambda: receipted(operator), what="the receipts")
        assert published_ids(nodes["hk"].feed(CN_HK)) == ids
