"""What each kind of work may cost at each node, in counts: times can't be compared on a machine that others use too.

`budgets.csv` has the numbers; docs/performance.md says how to change one.
"""

from __future__ import annotations

import asyncio
import csv
import math
import sqlite3
import sys
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from bench.alerts import requests
from bench.nodes import LIST, PUBLISHER, RECIPIENT
from gateway.rpc.fairness.pacing import IDLE, LONGEST_COUNTED_S, WINDOW_S
from gateway.v1 import alert_pb2, history_pb2, watchlist_service_pb2
from gateway.v1.alert_service_pb2 import PublishAlertRequest
from tests.support.counted_node import COUNTERS
from tests.support.counted_pair import EXACT, CountedPair, Counts, agreed, counted_pair, least
from tests.support.nodes import listed_content
from tests.support.shipments import grounds, shipment

TABLE = Path(__file__).with_name("budgets.csv")

SLACK = 0.15
"""Part of the functions' ceiling that may be unused: a table that is further off promises nothing."""

PYTHON = (3, 11)
"""The version whose calls of functions stand in the table; later ones inline some."""

IN_FLIGHT, IN_BULK = 64, 250

FORGOTTEN_S = WINDOW_S * math.log(LONGEST_COUNTED_S / IDLE)
"""Seconds after which another caller's call counts no more for turns: until then many calls at once wait for each
other, also for those that the test holds up.
"""

WITHIN_S = 600.0
"""Seconds after which nodes are taken for stuck, also on a machine that does other things."""

Work = Callable[[], Awaitable[object]]


def budgets() -> dict[tuple[str, str], list[dict[str, int]]]:
    """Numbers by work and node; several where loops that follow changes may take two at once or one by one."""
    found: defaultdict[tuple[str, str], list[dict[str, int]]] = defaultdict(list)
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["work"], row["node"]].append({key: int(row[key]) for key in COUNTERS})
    return dict(found)


class Works:
    """Makes each kind of work; a call of one does it once, to the end that its caller sees."""

    def __init__(self, pair: CountedPair) -> None:
        self.pair = pair
        self._numbers = count(1)
        self._forgotten_at_s = 0.0
        self._alerts = requests(100_000, recipient=RECIPIENT)
        self._publisher, self._officer = pair.client(PUBLISHER, "publisher"), pair.client(PUBLISHER, "officer")

    async def lone_alert(self) -> None:
        await self._publish(self._alert())

    async def alerts_in_flight(self) -> None:
        """As many as a caller may have in flight, in two groups: what has come while another process has the database
        to itself, a moment as after any slow commit, is one."""
        await asyncio.sleep(self._forgotten_at_s - asyncio.get_running_loop().time())
        first, *others = [self._alert() for _ in range(IN_FLIGHT)]
        publisher = self.pair.nodes[PUBLISHER]
        before = publisher.counts()["messages"]
        async with asyncio.TaskGroup() as calls:
            with locked(publisher.database):
                calls.create_task(self._publish(first))
                await self.pair.taken(PUBLISHER, before + 1)
                for one in others:
                    calls.create_task(self._publish(one))
                await self.pair.taken(PUBLISHER, before + IN_FLIGHT)

    async def alerts_in_bulk(self) -> None:
        many = [self._alert() for _ in range(IN_BULK)]
        async for outcome in self._publisher.publish_many(many, batch=IN_BULK):
            outcome.result()

    async def list_entry(self) -> None:
        number = next(self._numbers)
        entry = watchlist_service_pb2.ProposedEntry(
            id=str(uuid.uuid4()), content=listed_content(f"Placeholder Metals {number} Limited")
        )
        await self._publisher.watchlist.propose(LIST, entries=[entry])

    async def record(self) -> None:
        async for batch in self._publisher.history.record([shipment(f"CN-{next(self._numbers)}")]):
            assert not batch.refused

    async def search(self) -> None:
        criteria = history_pb2.SearchCriteria(containers=["CSQU3054383"])
        async for _ in self._officer.history.search(criteria, grounds()):
            pass
        self._forgotten_at_s = asyncio.get_running_loop().time() + FORGOTTEN_S

    async def _publish(self, alert: PublishAlertRequest) -> None:
        await self._publisher.publish(alert.content, alert.recipients, request_id=alert.request_id)

    def _alert(self) -> PublishAlertRequest:
        alert = next(self._alerts)
        alert.content.priority = alert_pb2.PRIORITY_A
        return alert


SINGLE: Mapping[str, Callable[[Works], Work]] = {
    "a lone alert": lambda works: works.lone_alert,
    "a list entry": lambda works: works.list_entry,
    "a record": lambda works: works.record,
    "a search": lambda works: works.search,
}
GROUPED: Mapping[str, Callable[[Works], Work]] = {
    f"{IN_FLIGHT} alerts in flight": lambda works: works.alerts_in_flight,
    f"{IN_BULK} alerts in bulk": lambda works: works.alerts_in_bulk,
}
WORKS = {**SINGLE, **GROUPED}

ELSEWHERE = {("a record", RECIPIENT)}
"""What doesn't reach a node."""


@pytest.mark.slow
def test_work_keeps_its_budget(tmp_path: Path) -> None:
    budget = budgets()
    over: list[str] = []

    async def run() -> None:
        async with counted_pair(tmp_path / "nodes") as pair:
            works = Works(pair)
            await works.lone_alert()
            await pair.stop_the_clocks()
            for made in WORKS.values():
                await made(works)()  # the first opens what later ones use
                await pair.at_rest()
            for work, made in WORKS.items():
                exact = EXACT if work in SINGLE else ()

                def keeps(node: str, found: Counts, work: str = work, exact: Collection[str] = exact) -> bool:
                    return (work, node) in ELSEWHERE or any(kept(row, found, exact) for row in budget[work, node])

                found = await pair.usual(made(works), keeps, agreed if work in SINGLE else least)
                over.extend(row(work, node, found[node], exact) for node in found if not keeps(node, found[node]))

    asyncio.run(asyncio.wait_for(run(), WITHIN_S))
    assert not over, "\n".join([f"{TABLE.name} has other numbers than", ",".join(["work", "node", *COUNTERS]), *over])


def test_the_table_has_each_work_at_each_node() -> None:
    assert budgets().keys() == {(work, node) for work in WORKS for node in (PUBLISHER, RECIPIENT)} - ELSEWHERE


def kept(budget: Counts, found: Counts, exact: Collection[str]) -> bool:
    """Whether what was counted is no more than the table says, and its functions are close below."""
    close = not exact or sys.version_info[:2] != PYTHON or found["functions"] >= budget["functions"] * (1 - SLACK)
    return close and all(found[key] <= budget[key] for key in COUNTERS)


def row(work: str, node: str, found: Counts, exact: Collection[str]) -> str:
    """A row for the table: with a little room where counts move."""
    numbers = [found[key] if key in exact else math.ceil(found[key] * (1 + SLACK / 3)) for key in COUNTERS]
    return ",".join([work, node, *map(str, numbers)])


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Has the database to itself: others that would write wait."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
