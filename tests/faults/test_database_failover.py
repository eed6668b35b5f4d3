"""PostgreSQL fails over under a running node: nothing is signed twice, whatever the standby lacks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.errors import FeedBehindError, GatewayError
from tests.support.federation import Federation, NodeProcess, alert, eventually, new_id, origin, with_logs
from tests.support.postgres_cluster import PostgresNode, primary_and_standby
from tests.support.replicas import add_replicas
from tests.support.stored import published_ids

CN_HK = origin("cn", "hk")


def start(nodes: Federation, primary: PostgresNode, standby: PostgresNode) -> NodeProcess:
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    (cn,) = add_replicas(nodes, "cn", f"postgresql://postgres@{hosts}/gateway", 1)
    nodes.start("cn", "hk")
    return cn


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
    for nodes in with_logs(tmp_path):
        with primary_and_standby() as (primary, standby):
            start(nodes, primary, standby)
            nodes.run(_lost_commits(nodes, primary, standby))


async def _lost_commits(nodes: Federation, primary: PostgresNode, standby: PostgresNode) -> None:
    async with nodes.client("cn", "publisher") as risk, nodes.client("cn", "operator") as operator:
        ids = await publish(risk, 5)
        await eventually(lambda: receipted(operator), what="the receipts")

        async def warned() -> bool:
            return "synchronous_standby_names is empty" in (await alarms(operator))["DATABASE_ASYNCHRONOUS"]

        await eventually(warned, what="the alarm about the standby")
        primary.wait("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()", 1)
        standby.cut_off(primary)
        ids += await publish(risk, 10)
        await eventually(lambda: receipted(operator), what="the receipts")
        nodes.between("cn", "hk").cut()
        await publish(risk, 2)  # acknowledged, and held by nobody else
        primary.kill()
        standby.promote()

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


@pytest.mark.slow
def test_a_synchronous_standby_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    for nodes in with_logs(tmp_path):
        with primary_and_standby() as (primary, standby):
            primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.sql("SELECT pg_reload_conf()")
            primary.wait("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", 1)
            start(nodes, primary, standby)
            nodes.run(_synchronous(nodes, primary, standby))


async def _synchronous(nodes: Federation, primary: PostgresNode, standby: PostgresNode) -> None:
    acknowledged: list[str] = []
    promoted = asyncio.Event()

    async def load(client: GatewayClient) -> None:
        after = 0
        while after < 5:
            request_id = new_id()
            while True:
                try:
                    published = await client.publish(alert(), ["hk"], request_id=request_id)
                    acknowledged.append(published.alert_id)
                    break
                except FeedBehindError:
                    raise
                except GatewayError:
                    await asyncio.sleep(0.1)
            after += promoted.is_set()

    async with nodes.client("cn", "publisher") as risk, nodes.client("cn", "operator") as operator:
        loads = [asyncio.create_task(load(risk)) for _ in range(4)]
        await eventually(lambda: _many(acknowledged), what="some traffic")
        assert "DATABASE_ASYNCHRONOUS" not in await alarms(operator)
        await asyncio.to_thread(primary.kill)
        await asyncio.to_thread(standby.promote)
        promoted.set()
        await asyncio.gather(*loads)
        await eventually(lambda: receipted(operator), what="the receipts")
        assert sorted(published_ids(nodes["hk"].feed(CN_HK))) == sorted(acknowledged)
        assert "timeline 1, to cluster" in nodes["cn"].log


async def _many(acknowledged: list[str]) -> bool:
    return len(acknowledged) > 40
