"""Urgent alerts overtake others: behind a backlog, while it is on its way, and across restarts of both nodes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import MalformedError
from gateway.v1 import alert_pb2, feed_pb2
from tests.support.federation import Federation, alert, eventually, origin

A, B, C = alert_pb2.PRIORITY_A, alert_pb2.PRIORITY_B, alert_pb2.PRIORITY_C

CN_HK = origin("cn", "hk")

BACKLOG = 2_000
"""Four batches; the figures for 10,000 are in docs/adr/0027."""

OVERTAKEN = 100
"""Least alerts of the backlog that an urgent one overtakes; the number depends on what the recipient has stored."""


async def publish(client: GatewayClient, priorities: Sequence[alert_pb2.Priority.ValueType]) -> list[str]:
    requests = [new_alert(alert(priority=priority), ["hk"]) for priority in priorities]
    return [outcome.result().alert_id async for outcome in client.publish_many(requests)]


async def opened(federation: Federation, *suffixes: str) -> None:
    """Waits until hk has opened cn's feeds of alerts."""
    async with federation.client("cn", "operator") as operator:

        async def connected() -> bool:
            links = {link.origin: link.last_exchange_at.seconds for link in await operator.node.links()}
            return all(links[f"{origin('cn', 'hk')}{suffix}"] for suffix in suffixes or ("", "-a"))

        await eventually(connected, what="all feeds of alerts open")


def test_urgent_alerts_go_before_a_backlog_and_others_stay_in_order(either: Federation) -> None:
    either.start("cn", "hk")
    carrier = either.carrier()

    async def run() -> None:
        await opened(either)
        async with either.client("cn", "publisher") as risk, either.client("hk", "analyst") as hk:
            carrier.cut()
            ordinary = await publish(risk, [C, B] * (BACKLOG // 2))
            urgent = await publish(risk, [A] * 3)
            either["cn"].kill()
            either.start("cn")
            carrier.heal()

            async def all_applied() -> list[str]:
                seen = [change.alert.alert_id async for change in hk.watch(until_current=True)]
                assert len(seen) >= len(ordinary + urgent)
                return seen

            seen = await eventually(all_applied, what="every alert at hk")
            assert seen == urgent + ordinary

    either.run(run())


def test_an_urgent_alert_overtakes_what_is_on_its_way(federation: Federation) -> None:
    """Also one that has become urgent: its amendment overtakes the same backlog."""
    federation.start("cn", "hk")
    carrier = federation.carrier()

    async def run() -> None:
        await opened(federation)
        async with federation.client("cn", "publisher") as risk, federation.client("hk", "analyst") as hk:
            (early,) = await publish(risk, [C])
            await eventually(lambda: hk.get_alert(alert_pb2.AlertReference(publisher="cn", alert_id=early)))

            async def receipted() -> bool:
                (summary,) = [one async for one in risk.list_alerts()]
                return summary.HasField("receipted_at")

            await eventually(receipted, what="a receipt of the first alert")
            carrier.cut()
            ordinary = await publish(risk, [C] * BACKLOG)
            carrier.heal()
            seen: list[str] = []
            watching = asyncio.create_task(watch(hk, seen, len(ordinary) + 3))
            await eventually(lambda: applied(hk, ordinary[0]), what="the first of the backlog")
            await risk.amend(early, alert(priority=A), revision=1)
            (urgent,) = await publish(risk, [A])
            await watching
            assert Counter(seen) == {early: 2, urgent: 1} | dict.fromkeys(ordinary, 1)
            amended_at = max(at for at, one in enumerate(seen) if one == early)
            assert len(seen) - amended_at > OVERTAKEN
            assert len(seen) - seen.index(urgent) > OVERTAKEN

    federation.run(run())


def test_a_partner_of_an_older_version_gets_all_alerts_in_the_feed_that_it_knows(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hk of this process opens the feeds of before alone, and refuses other names as gateways did then."""
    federation.start("cn")
    parse = FeedOrigin.parse

    def parse_as_before(line: str) -> FeedOrigin:
        if line.endswith(("/alerts-a", "/alerts-b")):
            raise MalformedError(f"channel {line.rpartition('/')[2]!r} is unknown; the channels are alerts, watchlist")
        return parse(line)

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
            with monkeypatch.context() as older:
                older.setattr(FeedOrigin, "parse", staticmethod(parse_as_before))
                older.setattr("gateway.node.assembly.links.BETWEEN_NODES", (Channel.ALERTS, Channel.WATCHLIST))
                async with federation.inside("hk"):

                    async def declined() -> bool:
                        links = {link.origin: link for link in await operator.node.links()}
                        return "doesn't know this feed yet" in links[f"{CN_HK}-a"].last_error

                    await eventually(declined, what="a link that says what the partner lacks")
                    published = await risk.publish(alert(priority=A), ["hk"])
                    assert [entry.origin for entry in published.entries] == [CN_HK]
                    await eventually(lambda: delivered(risk, published.alert_id), what="a receipt")
                    assert not (await operator.node.status()).alarms
            federation.start("hk")
            await opened(federation)
            again = await risk.publish(alert(priority=A), ["hk"])
            assert [entry.origin for entry in again.entries] == [f"{CN_HK}-a"]
            await eventually(lambda: delivered(risk, again.alert_id), what="a receipt in the new feed")

    federation.run(run())


def test_a_partner_of_an_earlier_release_goes_on_with_its_feed_of_priority_b(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hk answers in that feed's reverse one. Once cn is of this release, it delivers what it left there."""
    federation.start("hk")
    carrier = federation.carrier()

    async def before() -> tuple[str, str]:
        async with federation.inside("cn"), federation.client("cn", "publisher") as risk:
            await opened(federation, "", "-a", "-b")
            early = await risk.publish(alert(priority=B), ["hk"])
            assert [entry.origin for entry in early.entries] == [f"{CN_HK}-b"]
            await eventually(lambda: delivered(risk, early.alert_id), what="an answer in the feed of priority B")
            carrier.cut()
            left = await risk.publish(alert(priority=B), ["hk"])
            return early.alert_id, left.alert_id

    with monkeypatch.context() as earlier:
        earlier.setattr("gateway.node.assembly.links.EARLIER", ())
        channels = {A: Channel.ALERTS_A, B: Channel.ALERTS_B, C: Channel.ALERTS}
        earlier.setattr("gateway.alerts.commands.publishing.channel_of", channels.__getitem__)
        early, left = federation.run(before())
    carrier.heal()
    federation.start("cn")

    async def after() -> None:
        async with federation.client("cn", "publisher") as risk:
            await eventually(lambda: delivered(risk, left), what="what was left in the feed of priority B")
            again = await risk.publish(alert(priority=B), ["hk"])
            assert [entry.origin for entry in again.entries] == [CN_HK]
            await risk.withdraw(early, reason="Found to be a mistake.", revision=1)
            await eventually(lambda: delivered(risk, again.alert_id), what="an answer in the ordinary feed")

    federation.run(after())


async def delivered(client: GatewayClient, alert_id: str) -> bool:
    shown = await client.get_alert(alert_pb2.AlertReference(publisher="cn", alert_id=alert_id))
    return shown.deliveries[0].disposition == feed_pb2.DISPOSITION_OUTCOME_APPLIED


async def applied(client: GatewayClient, alert_id: str) -> bool:
    return bool((await client.get_alert(alert_pb2.AlertReference(publisher="cn", alert_id=alert_id))).alert.id)


async def watch(client: GatewayClient, seen: list[str], count: int) -> None:
    """Adds the alert of each change, in order, until there are so many."""
    async for change in client.watch():
        seen.append(change.alert.alert_id)
        if len(seen) == count:
            return
