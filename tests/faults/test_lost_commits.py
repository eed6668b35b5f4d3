"""PostgreSQL fails over under a running node to a standby that lacks acknowledged commits: nothing is signed twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.errors import FeedBehindError, GatewayError
from gateway.feed.service.continuity.mark_files import peek
from gateway.node.defaults import MARKS_FILE
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.replicas import ReplicaProcess, add_replicas
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

        async def told() -> bool:
            return "were lost" in (await alarms(operator)).get("FEED_BEHIND", "")

        await eventually(told, what="the alarm")
        nodes.between("cn", "hk").heal()
        recovered = await eventually(lambda: operator.node.recover_feed(CN_HK), what="the recovery")
        assert recovered.lost == 2
        assert recovered.size == len(ids)  # `recovered` counts what this call fetched; one before may have begun

        async def works_again() -> bool:
            ids.append((await risk.publish(alert(), ["hk"])).alert_id)
            return True

        await eventually(works_again, what="publishing after the recovery")
        await eventually(lambda: receipted(operator), what="the receipts")
        assert published_ids(nodes["hk"].feed(CN_HK)) == ids


@pytest.mark.slow
@pytest.mark.parametrize("power_cut", [True, False], ids=["power cut of all", "rolling restart"])
def test_replicas_that_start_on_a_promoted_standby_ask_first(tmp_path: Path, power_cut: bool) -> None:
    """It lacks what was sent and receipted; what a process knew that ran before has ended with it."""
    with synchronous_pair() as pair:
        for nodes in with_logs(tmp_path):
            replicas = add_replicas(nodes, "cn", pair.url, 2)
            nodes.start("cn", "cn-2", "hk")
            nodes.run(_started_behind(nodes, replicas, pair, power_cut))


def end(replica: ReplicaProcess, power_cut: bool) -> None:
    if power_cut:
        replica.kill()
    else:
        replica.stop()


async def _started_behind(nodes: Federation, replicas: list[ReplicaProcess], pair: Pair, power_cut: bool) -> None:
    first, second = replicas
    async with nodes.client("cn", "publisher") as risk, nodes.client("cn", "operator") as operator:
        ids = await publish(risk, 5)
        await eventually(lambda: receipted(operator), what="the receipts")
        if not power_cut:  # one of them is enough: the marks follow the operator's settings
            pair.make_synchronous()
            await noted(replicas, lossless=True)
        pair.make_asynchronous()
        if not power_cut:
            await noted(replicas, lossless=False)
        await asyncio.to_thread(pair.cut_off)
        end(second, power_cut)  # its marks don't know what the first signs from now on
        ids += await publish(risk, 10)
        await eventually(lambda: receipted(operator), what="the receipts")
    end(first, power_cut)
    await asyncio.to_thread(pair.crash_primary)
    await asyncio.to_thread(pair.promote)
    nodes.between("cn", "hk").cut()  # the partner would say what it holds
    second.start()
    async with nodes.client("cn-2", "publisher") as risk, nodes.client("cn-2", "operator") as operator:
        with pytest.raises(FeedBehindError):
            await risk.publish(alert(), ["hk"])
        first.start()
        with pytest.raises(FeedBehindError):
            await risk.publish(alert(), ["hk"])
        nodes.between("cn", "hk").heal()
        recovered = await eventually(lambda: operator.node.recover_feed(CN_HK), what="the recovery")
        assert recovered.lost == 0

        async def works_again() -> bool:
            ids.append((await risk.publish(alert(), ["hk"])).alert_id)
            return True

        await eventually(works_again, what="publishing after the recovery")
        await eventually(lambda: receipted(operator), what="the receipts")
    async with nodes.client("cn", "publisher") as risk, nodes.client("cn", "operator") as operator:
        ids += await publish(risk, 2)
        await eventually(lambda: receipted(operator), what="the receipts")
    assert published_ids(nodes["hk"].feed(CN_HK)) == ids


async def noted(replicas: list[ReplicaProcess], *, lossless: bool) -> None:
    """Every replica's marks say how the database confirms commits now."""

    async def all_say_so() -> bool:
        states = [peek(replica.data / MARKS_FILE) for replica in replicas]
        said = [state.database.lossless for state in states if state is not None and state.database is not None]
        return said == [lossless] * len(replicas)

    await eventually(all_say_so, what=f"marks that say that a failover loses {'nothing' if lossless else 'commits'}")
