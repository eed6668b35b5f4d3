"""A clock that is wrong by a day: the exchange goes on, both alarms name the partner, and order doesn't notice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client import GatewayClient
from gateway.contract.messages import to_timestamp
from gateway.feed.service.alarms import CLOCK_SKEW, EXPIRY_WAITS
from gateway.node.assembly.node import system_clock_ms
from gateway.v1 import alert_pb2
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.stored import published_ids

DAY_MS = 24 * 3600 * 1000


class Clock:
    """The time, and how far a test has moved it."""

    def __init__(self, ahead_ms: int) -> None:
        self.ahead_ms = ahead_ms

    def __call__(self) -> int:
        return system_clock_ms() + self.ahead_ms


async def skews(client: GatewayClient) -> set[str]:
    return {alarm.message for alarm in (await client.node.status()).alarms if alarm.code == CLOCK_SKEW}


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_off_by_a_day(tmp_path: Path, days: int) -> None:
    for federation in with_logs(tmp_path, now=datetime.now(UTC) - timedelta(days=3)):
        federation.run(exchange(federation, Clock(days * DAY_MS)))


async def exchange(federation: Federation, clock: Clock) -> None:
    """hk's clock is wrong, cn's is right; then hk's is set right."""
    async with (
        federation.inside("cn"),
        federation.inside("hk", clock=clock),
        federation.client("cn", "publisher") as cn,
        federation.client("hk", "publisher") as hk,
        federation.client("cn", "operator") as cn_operator,
        federation.client("hk", "operator") as hk_operator,
    ):
        from_cn, from_hk = [], []
        for _ in range(5):
            from_cn.append((await cn.publish(alert(), ["hk"])).alert_id)
            from_hk.append((await hk.publish(alert(), ["cn"])).alert_id)
        await federation.converged(("cn", "hk"), ("hk", "cn"))
        for operator, partner, way in (
            (cn_operator, "hk", "ahead of" if clock.ahead_ms > 0 else "behind"),
            (hk_operator, "cn", "behind" if clock.ahead_ms > 0 else "ahead of"),
        ):
            (message,) = await eventually(lambda who=operator: skews(who), what="the alarm")
            assert f"the clock of {partner} is 86" in message
            assert f"s {way} this one's" in message
        assert published_ids(federation["hk"].feed(origin("cn", "hk"))) == from_cn
        assert published_ids(federation["cn"].feed(origin("hk", "cn"))) == from_hk

        async def shown_in_order() -> bool:
            seen = [change.alert.alert_id async for change in hk.watch(until_current=True)]
            return all([one for one in seen if one in set(ids)] == ids for ids in (from_cn, from_hk))

        await eventually(shown_in_order, what="both feeds in hk's watch, each in its order")

        clock.ahead_ms = 0
        from_cn.append((await cn.publish(alert(), ["hk"])).alert_id)
        from_hk.append((await hk.publish(alert(), ["cn"])).alert_id)
        await federation.converged(("cn", "hk"), ("hk", "cn"))
        assert published_ids(federation["hk"].feed(origin("cn", "hk"))) == from_cn
        assert published_ids(federation["cn"].feed(origin("hk", "cn"))) == from_hk

        async def calm() -> bool:
            return not await skews(cn_operator) and not await skews(hk_operator)

        await eventually(calm, what="the end of the alarm")


async def clock_finding(federation: Federation, name: str) -> dict[str, str]:
    """What `gateway doctor` says of a node's clock."""
    findings = await asyncio.to_thread(Cli(federation, name).json, "", "doctor", code=None)
    (clock,) = [found for found in findings if found["check"] == "Clock"]
    return dict(clock)


def test_doctor_compares_the_clock_with_partners_clocks(federation: Federation) -> None:
    async def run() -> None:
        assert (await clock_finding(federation, "cn"))["result"] == "unknown", "not right by its own word"
        ahead = Clock(20 * 60 * 1000)
        async with federation.inside("hk", clock=ahead):
            found = await clock_finding(federation, "cn")
            assert (found["result"], "hk 120" in found["detail"]) == ("fail", True), found
            ahead.ahead_ms = -60 * 1000
            found = await clock_finding(federation, "cn")
            assert (found["result"], "s behind" in found["detail"]) == ("warn", True), found
            ahead.ahead_ms = 0
            assert (await clock_finding(federation, "cn"))["result"] == "ok"

    federation.run(run())


def test_clocks_within_the_tolerance_raise_no_alarm(federation: Federation) -> None:
    async def run() -> None:
        async with (
            federation.inside("cn"),
            federation.inside("hk", clock=Clock(4 * 60 * 1000)),
            federation.client("cn", "publisher") as cn,
            federation.client("hk", "publisher") as hk,
            federation.client("cn", "operator") as operator,
        ):
            await cn.publish(alert(), ["hk"])
            await hk.publish(alert(), ["cn"])
            await federation.converged(("cn", "hk"), ("hk", "cn"))
            assert await skews(operator) == set()

    federation.run(run())


def test_a_clock_that_jumps_ahead_ends_no_alert(federation: Federation) -> None:
    clock = Clock(0)

    async def run() -> None:
        async with (
            federation.inside("cn", clock=clock),
            federation.inside("hk"),
            federation.client("cn", "publisher") as cn,
            federation.client("hk", "analyst") as hk,
            federation.client("cn", "operator") as operator,
        ):
            hour = to_timestamp(system_clock_ms() + 3_600_000)
            published = await cn.publish(alert(valid_until=hour), ["hk"])
            await federation.converged(("cn", "hk"), ("hk", "cn"))
            clock.ahead_ms = DAY_MS

            async def waits() -> bool:
                messages = [
                    alarm.message for alarm in (await operator.node.status()).alarms if alarm.code == EXPIRY_WAITS
                ]
                return any("ahead of all partners'" in message for message in messages)

            await eventually(waits, what="the alarm about the expiry")
            later = (await cn.publish(alert(), ["hk"])).alert_id
            await federation.converged(("cn", "hk"))
            assert published_ids(federation["hk"].feed(origin("cn", "hk"))) == [published.alert_id, later]
            statuses = {
                change.alert.alert_id: change.status async for change in hk.watch(until_current=True) if change.status
            }
            assert alert_pb2.ALERT_STATUS_EXPIRED not in statuses.values()
            clock.ahead_ms = 0

            async def over() -> bool:
                return not await waits()

            await eventually(over, what="the end of the alarm")

    federation.run(run())
