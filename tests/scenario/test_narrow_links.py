"""A backlog over a narrow line, on which one large batch would take longer than a silence that counts as a cut."""

from __future__ import annotations

import random

from gateway.client import new_alert
from gateway.v1 import alert_pb2
from tests.support.federation import Federation, alert, eventually, origin
from tests.support.stored import published_ids

BITS_PER_S = 256_000
ALERTS, BYTES = 80, 5_000
CN_HK = origin("cn", "hk")


def long_alert(number: int) -> alert_pb2.AlertContent:
    """An alert of about BYTES, which compresses to half at best."""
    text = random.Random(number).randbytes(BYTES // 2 - 200).hex()
    return alert(narratives=[alert_pb2.Narrative(language="en", text=text)])


def test_a_backlog_drains_and_urgent_alerts_overtake_it(either: Federation) -> None:
    either.start("cn", "hk")
    line = either.carrier()

    async def run() -> None:
        async with either.client("cn", "publisher") as risk:
            first = (await risk.publish(alert(), ["hk"])).alert_id
            await either.converged(("cn", "hk"))
            either["hk"].stop()
            line.narrow(BITS_PER_S)
            line.delay(0.2)
            before = line.forwarded
            backlog = [new_alert(long_alert(number), ["hk"]) for number in range(ALERTS)]
            ids = [outcome.result().alert_id async for outcome in risk.publish_many(backlog, batch=ALERTS)]
            either.start("hk")

            async def began() -> bool:
                return either["hk"].feed(CN_HK).size > 1

            await eventually(began, what="the first of the backlog at hk")
            urgent = (await risk.publish(alert(priority=alert_pb2.PRIORITY_A), ["hk"])).alert_id

            async def overtook() -> bool:
                return published_ids(either["hk"].feed(f"{CN_HK}-a")) == [urgent]

            await eventually(overtook, what="the urgent alert at hk")
            assert either["hk"].feed(CN_HK).size < 1 + ALERTS, "the backlog went first"
            await either.converged(("cn", "hk"))
            assert published_ids(either["hk"].feed(CN_HK)) == [first, *ids]
            payload = sum(request.content.ByteSize() for request in backlog)
            assert line.forwarded - before <= 1.5 * payload, "parts of the backlog went more than once"

    either.run(run())
