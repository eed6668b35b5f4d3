"""A disk that is full: nothing is half-written, callers are told to come back, and the node recovers by itself.

The limit on the size of files (RLIMIT_FSIZE) of the running process stands for the disk: a write beyond it fails in the
same place as on a full disk, and it needs no privilege.
"""

from __future__ import annotations

import asyncio
import resource

from gateway.client import new_alert
from gateway.errors import GatewayError, StoreUnavailableError
from gateway.v1 import alert_pb2
from tests.support.federation import Federation, NodeProcess, alert, eventually, new_id, origin
from tests.support.stopwatch import Stopwatch
from tests.support.stored import opened, published_ids

UNLIMITED = resource.RLIM_INFINITY
CN_HK = origin("cn", "hk")
LONG = alert_pb2.Narrative(language="en", text="Ingots declared as lead. " * 150)


def limit_files(node: NodeProcess, size: int) -> None:
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (size, UNLIMITED))


def largest_file(node: NodeProcess) -> int:
    return max(path.stat().st_size for path in node.data.glob("gateway.sqlite3*"))


def test_publishing_fails_cleanly_and_recovers_by_itself(federation: Federation) -> None:
    federation.start("cn", "hk")
    cn, hk = federation["cn"], federation["hk"]

    async def run() -> None:
        async with (
            federation.client("cn", "publisher", timeout_s=10) as risk,
            federation.client("cn", "analyst") as analyst,
        ):
            acknowledged = [(await risk.publish(alert(), ["hk"])).alert_id for _ in range(5)]
            limit_files(cn, largest_file(cn) + 16_384)
            refused: GatewayError | None = None
            refused_id = ""
            for _ in range(200):
                refused_id = new_id()
                try:
                    acknowledged.append((await risk.publish(alert(), ["hk"], request_id=refused_id)).alert_id)
                except GatewayError as error:
                    refused = error
                    break
            assert isinstance(refused, StoreUnavailableError), refused
            assert refused.retry_after_s
            assert cn.process is not None
            assert cn.process.poll() is None
            still_there = [row async for row in analyst.list_alerts(filter="direction = out")]
            assert len(still_there) <= len(acknowledged)  # reading goes on
            assert published_ids(cn.feed(CN_HK)) == acknowledged
            limit_files(cn, UNLIMITED)

            async def works() -> str:
                return (await risk.publish(alert(), ["hk"], request_id=refused_id)).alert_id

            with Stopwatch() as watch:
                acknowledged.append(await eventually(works, what="publishing once there is space again"))
            assert watch.quiet_s < 5
            acknowledged.append((await risk.publish(alert(), ["hk"])).alert_id)
            await federation.converged(("cn", "hk"))
            assert published_ids(hk.feed(CN_HK)) == acknowledged
            with opened(cn.database) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    federation.run(run())


def test_a_recipient_with_a_full_disk_takes_nothing_and_then_everything(federation: Federation) -> None:
    federation.start("cn", "hk")
    hk = federation["hk"]

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
            ids = [(await risk.publish(alert(), ["hk"])).alert_id for _ in range(5)]
            await federation.converged(("cn", "hk"))
            limit_files(hk, largest_file(hk) + 16_384)

            async def complains() -> bool:
                ids.append((await risk.publish(alert(), ["hk"])).alert_id)
                (link,) = [link for link in await operator.node.links() if link.origin == CN_HK]
                return "STORE_UNAVAILABLE" in link.last_error and link.backlog > 0

            await eventually(complains, what="hk's full disk seen by cn")
            held = published_ids(hk.feed(CN_HK))
            assert held == ids[: len(held)]
            assert len(held) < len(ids)
            backlog = [new_alert(alert(narratives=[LONG]), ["hk"]) for _ in range(400)]
            ids += [outcome.result().alert_id async for outcome in risk.publish_many(backlog)]
            before = federation.between("cn", "hk").sent
            await asyncio.sleep(5)
            again = federation.between("cn", "hk").sent - before
            assert again < 1_000_000, f"{again:,} bytes were sent in 5 s to a node that can't store them"
            limit_files(hk, UNLIMITED)
            with Stopwatch() as watch:
                await federation.converged(("cn", "hk"))
            assert watch.quiet_s < 6
            assert published_ids(hk.feed(CN_HK)) == ids

    federation.run(run())
