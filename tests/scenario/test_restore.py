"""A database from an old backup: nothing is published on top of it until what was sent is back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.errors import EpochNeededError, FeedBehindError
from gateway.trust.service.directory_drafts import next_version
from gateway.v1.alert_pb2 import AlertEvent, AlertReference
from gateway.v1.node_service_pb2 import LINK_STATE_CONNECTED, LINK_STATE_RECOVERY_REQUIRED
from tests.support.federation import Federation, alert, eventually, origin
from tests.support.files_put_back import keep_files, put_files_back
from tests.support.stored import StoredFeed, published_ids

CN_HK = origin("cn", "hk")


async def publish(client: GatewayClient, count: int, recipient: str) -> list[str]:
    requests = [new_alert(alert(), [recipient]) for _ in range(count)]
    return [outcome.result().alert_id async for outcome in client.publish_many(requests)]


def dispositions(feed: StoredFeed) -> list[tuple[str, int]]:
    """What a feed says was made of entries: (feed, index), once for each entry and each time it is said."""
    events = [AlertEvent.FromString(payload) for _, _, payload in feed.entries]
    said = [event.disposition for event in events if event.WhichOneof("event") == "disposition"]
    return [(one.origin, one.index + at) for one in said for at in range(one.count)]


async def state(client: GatewayClient) -> tuple[int, set[str]]:
    (link,) = [link for link in await client.node.links() if link.origin == CN_HK]
    return link.state, {alarm.code for alarm in (await client.node.status()).alarms if CN_HK in alarm.message}


async def waiting(client: GatewayClient) -> int:
    """Entries between cn and hk that wait at the client's node."""
    return sum(link.waiting for link in await client.node.links() if link.partner in ("cn", "hk"))


async def settled(federation: Federation, applied: Callable[[], int]) -> None:
    """Both feeds are the same on both sides, and cn has answered all alerts of hk."""

    async def answered() -> bool:
        feed = federation["cn"].feed(CN_HK)
        return len(set(dispositions(feed))) == applied()

    await eventually(answered, what="the dispositions")
    await federation.converged(("cn", "hk"), ("hk", "cn"))


@pytest.mark.slow
@pytest.mark.parametrize("first", ["own entries", "the partner's entries"])
def test_a_restored_database_refuses_until_it_has_recovered(either: Federation, tmp_path: Path, first: str) -> None:
    either.start("cn", "hk")
    cn = either["cn"]

    async def run() -> None:
        async with either.client("cn", "publisher") as risk, either.client("hk", "publisher") as hk:
            ids = await publish(risk, 20, "hk")
            from_hk = await publish(hk, 5, "cn")
            await settled(either, lambda: 5)
            cn.stop()
            keep_files(cn, tmp_path / "backup")
            cn.start()
            ids += await publish(risk, 15, "hk")
            from_hk += await publish(hk, 5, "cn")
            await settled(either, lambda: 10)
            cn.stop()
            put_files_back(cn, tmp_path / "backup")
            if first == "own entries":
                either.between("hk", "cn").cut()
            cn.start()
            async with either.client("cn", "operator") as operator:
                with pytest.raises(FeedBehindError):
                    await risk.publish(alert(), ["hk"])

                async def known() -> bool:
                    standing, alarms = await state(operator)  # another alarm when the partner's entries already wait
                    return standing == LINK_STATE_RECOVERY_REQUIRED and "FEED_BEHIND" in alarms

                await eventually(known, what="the alarm")
                if first != "own entries":
                    await either.converged(("hk", "cn"))
                recovered = await operator.node.recover_feed(CN_HK)
                assert recovered.recovered > 15
                assert recovered.size == either["hk"].feed(CN_HK).size
                assert recovered.forced == 0
                if first == "own entries":  # which answer alerts of hk that aren't back yet
                    assert recovered.waiting == await waiting(operator) > 0
                    with pytest.raises(FeedBehindError):
                        await risk.publish(alert(), ["hk"])
                either.between("hk", "cn").heal()

                async def works_again() -> bool:
                    ids.append((await risk.publish(alert(), ["hk"])).alert_id)
                    return True

                await eventually(works_again, what="publishing after the recovery")
                await eventually(lambda: connected(operator), what="the link after the recovery")
                assert await waiting(operator) == 0
            from_hk += await publish(hk, 5, "cn")
            await settled(either, lambda: 15)
            assert published_ids(either["hk"].feed(CN_HK)) == ids
            assert published_ids(cn.feed(origin("hk", "cn"))) == from_hk
            said = dispositions(cn.feed(CN_HK))
            assert len(said) == len(set(said))

    async def connected(operator: GatewayClient) -> bool:
        return await state(operator) == (LINK_STATE_CONNECTED, set())

    either.run(run())


@pytest.mark.slow
def test_what_two_restores_have_lost_holds_nothing_up_after_the_recovery(
    federation: Federation, tmp_path: Path
) -> None:
    """cn's entries wait for an alert of hk; then hk is restored too, and nobody has that alert any more."""
    federation.start("cn", "hk")
    cn, hk = federation["cn"], federation["hk"]

    async def run() -> None:
        async with (
            federation.client("cn", "publisher") as risk,
            federation.client("cn", "officer") as officer,
            federation.client("cn", "operator") as operator,
            federation.client("hk", "publisher") as from_hk,
            federation.client("hk", "operator") as at_hk,
        ):
            await publish(risk, 1, "hk")
            await federation.converged(("cn", "hk"), ("hk", "cn"))
            for node in (cn, hk):
                node.stop()
                keep_files(node, tmp_path / node.name)
                node.start()
            (lost,) = await publish(from_hk, 1, "cn")
            reference = AlertReference(publisher="hk", alert_id=lost)

            async def acknowledged() -> bool:
                await officer.acknowledge(reference, revision=1)
                return True

            await eventually(acknowledged, what="the acknowledgement at cn")
            await federation.converged(("cn", "hk"), ("hk", "cn"))
            federation.between("hk", "cn").cut()
            cn.stop()
            put_files_back(cn, tmp_path / "cn")
            cn.start()
            recovered = await eventually(lambda: operator.node.recover_feed(CN_HK), what="the recovery of cn")
            assert (recovered.waiting, recovered.forced) == (2, 0)  # the answer and the acknowledgement
            hk.stop()
            put_files_back(hk, tmp_path / "hk")
            hk.start()
            federation.between("hk", "cn").heal()

            forced = 0

            async def told() -> bool:
                nonlocal forced
                forced += (await operator.node.recover_feed(CN_HK)).forced  # each call tells of its own
                return forced == 2

            await eventually(told, what="the recovery of what nobody has any more")
            assert "without their dependencies" in cn.log
            with pytest.raises(EpochNeededError, match=r"cn has receipted \d entries of .*, and cn gives no more back"):
                await at_hk.node.recover_feed(origin("hk", "cn"))  # the alert, and an answer
            shown = [alarm.message for alarm in (await at_hk.node.status()).alarms if alarm.code == "FEED_BEHIND"]
            assert [message for message in shown if origin("hk", "cn") in message]
            with pytest.raises(FeedBehindError):
                await publish(from_hk, 1, "cn")
            now = datetime.now(UTC)
            federation.put_directory(next_version(federation.directory, issued_at=now, new_epochs=[("hk", "cn")]))

            async def works_again() -> bool:
                await risk.publish(alert(), ["hk"])
                return bool(await publish(from_hk, 1, "cn"))

            await eventually(works_again, what="publishing on both sides, in the new epoch")

            async def arrived() -> bool:
                lines = [f"{origin(*ends)}.2" for ends in (("cn", "hk"), ("hk", "cn"))]
                return all(cn.feed(line).root == hk.feed(line).root and cn.feed(line).size for line in lines)

            await eventually(arrived, what="equal feeds of the new epoch")
            assert await waiting(operator) == 0
            lasting = [f"{alarm.code} {alarm.message}" for alarm in (await at_hk.node.status()).alarms]
            assert not [alarm for alarm in lasting if alarm.startswith("FEED_") and "hk/cn" in alarm]

    federation.run(run())
