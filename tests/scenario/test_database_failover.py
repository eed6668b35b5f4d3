"""A primary with a synchronous standby: searches read the standby, and replicas find it when it is promoted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.client import GatewayClient
from gateway.db.database import Database
from gateway.db.migrate import upgrade
from gateway.db.standby import StandbyReads
from gateway.errors import FeedUncomparedError, StoreUnavailableError, UnavailableError
from gateway.history.service.backlog import Lag
from gateway.history.service.names import NameSearch
from gateway.history.service.search import HistorySearch
from gateway.v1 import alert_pb2, history_pb2
from tests.support.federation import Federation, alert, eventually, new_id, origin, with_logs
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import Substances, ids, index, record
from tests.support.replicas import ReplicaProcess, add_replicas
from tests.support.shipments import shipment
from tests.support.standby import Pair, connection, paused_replay, synchronous_pair
from tests.support.stored import published_ids

DECLARATION = history_pb2.SearchReference(value="534520260000000101")

CALLERS = 2
"""Callers of each replica, each with one alert after the other."""


class Load:
    """Publishes through replicas until it is stopped; notes what was acknowledged, and when."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._stopping = False
        self.acknowledged: dict[str, float] = {}

    async def run(self, replica: ReplicaProcess, name: str) -> None:
        """One caller, who repeats a call that failed with the same request id."""
        async with self._federation.client_at(replica.local_port, replica.name, "publisher") as client:
            number = 0
            while not self._stopping:
                content, request_id = alert(case_reference=f"{name}-{number}"), new_id()
                while (alert_id := await self._published(client, content, request_id)) is None:
                    pass
                self.acknowledged[alert_id] = time.monotonic()
                number += 1

    async def _published(self, client: GatewayClient, content: alert_pb2.AlertContent, request_id: str) -> str | None:
        try:
            return (await client.publish(content, ["hk"], request_id=request_id)).alert_id
        except (StoreUnavailableError, UnavailableError, FeedUncomparedError):
            await asyncio.sleep(0.1)
            return None

    def stop(self) -> None:
        self._stopping = True

    async def reaches(self, count: int) -> None:
        async def enough() -> bool:
            return len(self.acknowledged) >= count

        await eventually(enough, what=f"{count} acknowledged alerts")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with synchronous_pair() as made:
        yield made


def test_searches_read_a_standby_and_tell_what_it_lacks(pair: Pair, tmp_path: Path) -> None:
    with connection(pair.primary) as conn:
        conn.execute(text("CREATE DATABASE reading"))
    with closing(Database(pair.url_of(pair.primary, "reading"))) as database:
        upgrade(database)
        with paper_nodes(tmp_path, lambda: database, ("cn",)) as (node,):
            reads = StandbyReads(database, pair.url_of(pair.standby, "reading"), max_lag_s=60)
            with closing(reads):
                _search_beside(node, reads, pair)


def until(check: Callable[[], object], *, what: str) -> None:
    """Waits for a condition."""
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline, f"{what} didn't come"
        time.sleep(0.05)


def _search_beside(node: PaperNode, reads: StandbyReads, pair: Pair) -> None:
    search = HistorySearch(
        node.database, node="cn", substances=Substances(), names=NameSearch(node.database).find, reads=reads
    )

    def page() -> tuple[list[str], Lag]:
        (chunk,) = search.chunks(history_pb2.SearchCriteria(references=[DECLARATION]))
        return ids(chunk.records), chunk.lag

    record(node, shipment("r-1"))
    index(node)
    until(lambda: page() == (["r-1"], Lag()), what="the record on the standby")
    assert reads.state.used
    with paused_replay(pair):
        record(node, shipment("r-2"))
        index(node)
        there, lag = page()
        assert (there, lag.records, lag.compared) == (["r-1"], 1, False)
        late = StandbyReads(node.database, pair.url_of(pair.standby, "reading"), max_lag_s=0.001)
        with closing(late):
            until(lambda: late.compare() or "behind" in late.state.problem, what="the standby's lag")
            with late.read() as conn:
                assert not conn.scalar(text("SELECT pg_is_in_recovery()"))
    until(lambda: page() == (["r-2", "r-1"], Lag()), what="both records on the standby")


def test_nothing_acknowledged_is_lost_when_the_primary_ends(pair: Pair, tmp_path: Path) -> None:
    for federation in with_logs(tmp_path):
        replicas = add_replicas(federation, "cn", pair.url, 2)
        federation.start("hk")
        for replica in replicas:
            replica.start(wait=False)
        for replica in replicas:
            replica.wait_ready()
        federation.run(_fail_over(federation, replicas, pair))


async def _fail_over(federation: Federation, replicas: list[ReplicaProcess], pair: Pair) -> None:
    load = Load(federation)
    callers = [
        asyncio.create_task(load.run(replica, f"{number}-{caller}"))
        for number, replica in enumerate(replicas)
        for caller in range(CALLERS)
    ]
    await load.reaches(40)
    await asyncio.to_thread(pair.crash_primary)
    crashed_at = time.monotonic()
    writable_at = await asyncio.to_thread(pair.promote)
    before = len(load.acknowledged)
    await load.reaches(before + 40)
    load.stop()
    await asyncio.gather(*callers)
    first = min(at for at in load.acknowledged.values() if at > writable_at)
    print(f"promoted {writable_at - crashed_at:.2f} s after the crash, acknowledged {first - writable_at:.2f} s later")

    async def all_there() -> bool:
        there = published_ids(federation["hk"].feed(origin("cn", "hk")))
        assert len(there) == len(set(there)), "an alert is there twice"
        return load.acknowledged.keys() <= set(there)

    await eventually(all_there, what="every acknowledged alert at hk")
