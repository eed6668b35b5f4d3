"""A recipient has a feed in quarantine: its publisher knows at once, and compares the two histories by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client import GatewayClient
from gateway.errors import FeedForkedError
from gateway.v1.node_service_pb2 import LINK_STATE_CONNECTED, LINK_STATE_QUARANTINED, LINK_STATE_RECOVERY_REQUIRED
from tests.support.federation import PULLED, Federation, alert, eventually, origin, with_logs
from tests.support.partner import Partner, entry, publication, refusal

CN_HK = origin("cn", "hk")


@pytest.fixture(params=[{}, PULLED], ids=["pushed", "fetched"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Federation]:
    for made in with_logs(tmp_path, links=request.param):
        made.start("cn", "hk")
        yield made


async def alarms(operator: GatewayClient) -> dict[str, str]:
    return {alarm.code: alarm.message for alarm in (await operator.node.status()).alarms}


async def link(operator: GatewayClient) -> Any:
    (found,) = [link for link in await operator.node.links() if link.origin == CN_HK]
    return found


async def another_history(nodes: Federation) -> None:
    """Somebody with cn's keys signs another first entry."""
    other = Partner(nodes, "cn", "hk")
    try:
        batch = other.batch([entry(publication("cn", "hk").SerializeToString())])
        if nodes["hk"].feed(CN_HK).size:
            assert (await refusal(other.send(batch))).reason == "MISBEHAVIOUR"
        else:
            await other.send(batch)
    finally:
        await other.close()


def test_a_quarantine_of_a_whole_history_is_an_alarm_until_it_is_resolved(nodes: Federation) -> None:
    async def run() -> None:
        async with (
            nodes.client("cn", "publisher") as risk,
            nodes.client("cn", "operator") as operator,
            nodes.client("hk", "operator") as at_hk,
        ):
            await risk.publish(alert(), ["hk"])

            async def receipted() -> bool:
                return bool((await link(operator)).receipted_size == (await link(operator)).size > 0)

            await eventually(receipted, what="the receipt")
            await another_history(nodes)
            await risk.publish(alert(), ["hk"])

            async def told() -> bool:
                return "QUARANTINED_AT_PARTNER" in await alarms(operator)

            await eventually(told, what="the alarm at the publisher")
            assert (await alarms(operator))["QUARANTINED_AT_PARTNER"] == (
                f"{CN_HK} is in quarantine at its recipient: another root than the one held is signed for size 1"
            )
            assert "FEED_FORKED" not in await alarms(operator)
            assert (await link(operator)).state == LINK_STATE_QUARANTINED
            await at_hk.node.resolve_quarantine(CN_HK, reason="Somebody had their key; it is revoked.")
            await eventually(receipted, what="the receipt after the quarantine")

            async def ended() -> bool:
                return "QUARANTINED_AT_PARTNER" not in await alarms(operator)

            await eventually(ended, what="the end of the alarm")
            assert (await link(operator)).state != LINK_STATE_QUARANTINED

    nodes.run(run())


def test_two_histories_stop_the_publisher_too(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "publisher") as risk, nodes.client("cn", "operator") as operator:

            async def connected() -> bool:
                return bool((await link(operator)).state == LINK_STATE_CONNECTED)

            await eventually(connected, what="the open stream")
            await another_history(nodes)
            await risk.publish(alert(), ["hk"])

            async def stopped() -> bool:
                return {"QUARANTINED_AT_PARTNER", "FEED_FORKED"} <= (await alarms(operator)).keys()

            await eventually(stopped, what="the alarms at the publisher")
            assert (await link(operator)).state == LINK_STATE_RECOVERY_REQUIRED
            with pytest.raises(FeedForkedError):
                await risk.publish(alert(), ["hk"])

    nodes.run(run())
