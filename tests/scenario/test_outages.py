"""Partners that are away and networks that break: publishes go on, and nothing is lost or comes twice."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.v1.node_service_pb2 import (
    LINK_STATE_CONNECTED,
    LINK_STATE_CONNECTING,
    LINK_STATE_PULLED,
    Link,
)
from tests.support.federation import Federation, alert, eventually, origin
from tests.support.stopwatch import Stopwatch
from tests.support.stored import published_ids

RESUMED_S = 2.5
"""Seconds from a partner's return until everything has arrived: one for the link, the rest for a busy machine."""

CN_HK = origin("cn", "hk")


async def publish(client: GatewayClient, count: int, recipients: Sequence[str] = ("hk",)) -> list[str]:
    """Publishes that many; returns their ids, all of them acknowledged."""
    requests = [new_alert(alert(case_reference=f"CASE-{number}"), recipients) for number in range(count)]
    return [outcome.result().alert_id async for outcome in client.publish_many(requests)]


async def link_of(client: GatewayClient, name: str = CN_HK) -> Link:
    (found,) = [link for link in await client.node.links() if link.origin == name]
    return found


async def arrives_once(federation: Federation, ids: list[str]) -> None:
    """Everything published is at hk under the same root, once and in order."""
    await federation.converged(("cn", "hk"))
    assert published_ids(federation["hk"].feed(CN_HK)) == ids


def test_a_partner_that_is_down_gets_everything_when_it_returns(either: Federation) -> None:
    either.start("cn")

    async def run() -> None:
        async with either.client("cn", "publisher") as risk, either.client("cn", "operator") as operator:
            ids = await publish(risk, 40)
            link = await link_of(operator)
            assert (link.direction, link.size, link.receipted_size, link.backlog) == ("out", 40, 0, 40)
            if either.links:
                assert link.state == LINK_STATE_PULLED
            else:
                assert link.state == LINK_STATE_CONNECTING

                async def told() -> bool:
                    return "UNAVAILABLE" in (await link_of(operator)).last_error

                await eventually(told, what="why hk isn't reached")
            either.start("hk")
            with Stopwatch() as watch:
                await arrives_once(either, ids)
            assert watch.quiet_s < RESUMED_S

            async def caught_up() -> bool:
                now = await link_of(operator)
                return (now.state, now.backlog, now.last_error) == (LINK_STATE_CONNECTED, 0, "")

            await eventually(caught_up, what="a link without backlog")
            either["hk"].kill()
            ids += await publish(risk, 10)
            either.start("hk")
            await arrives_once(either, ids)

    either.run(run())


@pytest.mark.parametrize("how", ["cut", "silence"])
def test_a_cut_network_resumes_when_it_is_healed(either: Federation, how: str) -> None:
    either.start("cn", "hk")
    carrier = either.carrier()

    async def run() -> None:
        async with (
            either.client("cn", "publisher") as risk,
            either.client("cn", "operator") as operator,
            either.client("hk", "analyst") as hk,
        ):
            ids = await publish(risk, 5)
            await arrives_once(either, ids)
            carrier.cut() if how == "cut" else carrier.silence()
            ids += await publish(risk, 20)

            async def noticed() -> bool:
                link = await link_of(operator)
                return link.backlog >= 20 and link.state != LINK_STATE_CONNECTED

            await eventually(noticed, what="the cut seen by cn")
            assert len(published_ids(either["hk"].feed(CN_HK))) == 5
            carrier.heal()
            with Stopwatch() as watch:
                await arrives_once(either, ids)
            assert watch.quiet_s < RESUMED_S

            async def all_shown() -> bool:
                return [change.alert.alert_id async for change in hk.watch(until_current=True)] == ids

            await eventually(all_shown, what="every alert in hk's watch, once and in order")

    either.run(run())


def test_a_link_cut_in_the_middle_of_batches_again_and_again(either: Federation) -> None:
    either.start("cn", "hk")
    carrier = either.carrier()

    async def run() -> None:
        async with either.client("cn", "publisher") as risk:
            ids = await publish(risk, 100)
            await arrives_once(either, ids)
            carrier.cut_after(60_000, times=8)
            ids += await publish(risk, 1_500)
            await arrives_once(either, ids)
            assert carrier.cuts == 8

    either.run(run())


def test_a_slow_network_is_slow_and_nothing_else(federation: Federation) -> None:
    federation.start("cn", "hk")
    federation.between("cn", "hk").delay(0.15)

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk:
            with Stopwatch() as watch:
                ids = await publish(risk, 500)
            assert watch.quiet_s < 5  # a publisher doesn't wait for the network
            await arrives_once(federation, ids)

    federation.run(run())


def test_a_watch_outlives_its_gateway(federation: Federation) -> None:
    federation.start("cn", "hk")

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk, federation.client("hk", "analyst") as hk:
            interruptions: list[str] = []
            seen: list[str] = []
            watch = hk.watch(on_interruption=lambda error: interruptions.append(error.reason))
            ids = []
            for kill in (False, True, True):
                if kill:
                    federation["hk"].kill()
                ids += await publish(risk, 4)
                if kill:
                    federation["hk"].start()
                while len(seen) < len(ids):
                    seen.append((await anext(watch)).alert.alert_id)
            assert seen == ids
            assert set(interruptions) == {"UNAVAILABLE"}

    federation.run(run())
