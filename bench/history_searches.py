"""Measures searches and traces over three nodes at one size, beside bare calls; part of bench.history."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from bench import shipment_records as made
from bench.floors import Echo
from bench.history_gin import GinPeer
from bench.history_recording import Tell
from bench.nodes import NodeProcess
from gateway.client.alerts import GatewayClient
from gateway.v1 import history_pb2

WARM = 50
"""Searches before the timed ones: what follows is asked of records that nobody has asked for."""

BLOCKS = 4
"""Blocks of each kind of call, in turn, for the processor time."""

GROUNDS = history_pb2.QueryGrounds(
    purpose="export_control", legal_basis="Arrangement, article 5", case_reference="BENCH-1"
)


@dataclass(frozen=True, slots=True)
class SearchCosts:
    """Processor time in microseconds.

    Attributes:
        call: of a bare call, at its server.
        own, three, trace: of all three nodes, without the client, for a search at our node, one over three nodes,
            and a trace.
    """

    call: float
    own: float
    three: float
    trace: float


@dataclass(frozen=True, slots=True)
class Sized:
    """At one size; times in milliseconds.

    Attributes:
        floor_p50, floor_p99: of bare gRPC calls that are answered with a stream of one message, in turn with the
            searches.
        disk_p50, disk_p99: of durable writes of 4 KiB, likewise: each answer of a partner waits for two.
        gin_p50, gin_p99: of plain PostgreSQL with a GIN index, likewise; NaN without it.
    """

    count: int
    local_p50: float
    local_p99: float
    federated_p50: float
    federated_p99: float
    first_ms: float
    after_rate: float
    trace_p50: float
    trace_p99: float
    database_mb: float
    floor_p50: float
    floor_p99: float
    disk_p50: float
    disk_p99: float
    gin_p50: float
    gin_p99: float
    costs: SearchCosts


def percentile(taken: Sequence[float], share: float) -> float:
    """Of some times in seconds, in milliseconds."""
    ordered = sorted(taken) or [math.nan]
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Searches:
    """Runs them.

    Attributes:
        officer: a client of the first node.
        nodes: all three, by name.
        peer: plain PostgreSQL, if it is measured too.
        rounds: searches that are timed at each size, and twice as many as traces.
    """

    officer: GatewayClient
    echo: Echo
    nodes: Mapping[str, NodeProcess]
    tell: Tell
    rounds: int
    peer: GinPeer | None = None

    async def at_size(self, filled: int, *, count: int) -> Sized:
        """Searches and traces among so many filled records, with so many at cn in all."""
        cn = self.nodes["cn"]
        for at in made.sample(filled, min(WARM, filled)):  # connections, statements, and the upper levels of the trees
            await self.search(at, [])
        self.tell(f"{count:,} records: searching")
        local, federated, floor, disk, gin = [], [], [], [], []
        for at in made.sample(filled, self.rounds):
            local.append(await self.search(at, ["cn"]))
            floor.append(await self.echo.streamed())
            federated.append(await self.search(at, []))
            disk.append(await asyncio.to_thread(_durable_write, cn.folder.path / "durable"))
            if self.peer is not None:
                gin.append(await asyncio.to_thread(self.peer.search, at))
        self._tell_times(("a bare call", floor), ("own node", local), ("three nodes", federated), ("GIN", gin))
        first, rate = await self._many(min(1_000, filled // made.COMMON_ONE_IN))
        self.tell("tracing")
        traced = [await self.trace(at) for at in made.sample(filled, self.rounds // 2)]
        self._tell_times(("a trace", traced))
        costs = await self.costs(filled)
        return Sized(
            count,
            percentile(local, 0.5),
            percentile(local, 0.99),
            percentile(federated, 0.5),
            percentile(federated, 0.99),
            1000 * first,
            rate,
            percentile(traced, 0.5),
            percentile(traced, 0.99),
            cn.database_mb,
            percentile(floor, 0.5),
            percentile(floor, 0.99),
            percentile(disk, 0.5),
            percentile(disk, 0.99),
            percentile(gin, 0.5),
            percentile(gin, 0.99),
            costs,
        )

    def _tell_times(self, *taken: tuple[str, Sequence[float]]) -> None:
        said = (f"{what} {percentile(some, 0.5):.1f} ({percentile(some, 0.99):.1f})" for what, some in taken if some)
        self.tell(f"p50 (p99) in ms: {', '.join(said)}")

    async def costs(self, filled: int) -> SearchCosts:
        """Processor time of each kind of call, in blocks of one kind after the other."""
        self.tell("processor time")
        each = max(10, self.rounds // BLOCKS)
        numbers = iter(made.sample(filled, min(filled, BLOCKS * (2 * each + each // 5) + BLOCKS)))
        spent: dict[str, list[float]] = {kind: [] for kind in ("call", "own", "three", "trace")}

        async def block(kind: str, times: int, run: Callable[[], Awaitable[object]]) -> None:
            await asyncio.sleep(0.3)  # what is left of the block before
            pids = [self.echo.pid] if kind == "call" else [node.pid for node in self.nodes.values()]
            before = sum(map(_ran_s, pids))
            for _ in range(times):
                await run()
            await asyncio.sleep(0.3)
            spent[kind].append((sum(map(_ran_s, pids)) - before) / times * 1e6)

        for _ in range(BLOCKS):
            await block("call", each, self.echo.streamed)
            await block("own", each, lambda: self.search(next(numbers), ["cn"]))
            await block("three", each, lambda: self.search(next(numbers), []))
            await block("trace", max(2, each // 5), lambda: self.trace(next(numbers)))
        costs = SearchCosts(**{kind: sorted(some)[len(some) // 2] for kind, some in spent.items()})
        self.tell(
            f"µs of processor time: a bare call {costs.call:.0f}, own node {costs.own:.0f}, three nodes "
            f"{costs.three:.0f}, a trace {costs.trace:.0f}"
        )
        return costs

    async def search(self, number: int, nodes: Sequence[str]) -> float:
        """Seconds for the record with a shipment's UCR."""
        criteria = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=made.ucr(number))])
        started = time.perf_counter()
        found = [one async for one in self.officer.history.search(criteria, GROUNDS, nodes=nodes)]
        taken = time.perf_counter() - started
        assert any(isinstance(one, history_pb2.HistoryRecord) for one in found)
        return taken

    async def _many(self, wanted: int) -> tuple[float, float]:
        """Seconds until the first record of so many, 1,000 where there are as many, and records a second afterwards."""
        criteria = history_pb2.SearchCriteria(commodity_codes=[made.COMMON_CODE], places=[made.COMMON_PLACE])
        firsts, rates = [], []
        for _ in range(10):
            started, first, count = time.perf_counter(), 0.0, 0
            async for message in self.officer.history.search_page(criteria, GROUNDS, nodes=["cn"], page_size=1_000):
                if isinstance(message, history_pb2.HistoryRecord):
                    count += 1
                    first = first or time.perf_counter()
            ended = time.perf_counter()
            assert count == wanted
            firsts.append(first - started)
            rates.append((count - 1) / (ended - first))
        return sorted(firsts)[len(firsts) // 2], sorted(rates)[len(rates) // 2]

    async def trace(self, number: int) -> float:
        """Seconds for the consignment with a shipment's UCR."""
        criteria = history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=made.ucr(number))])
        started = time.perf_counter()
        response = await self.officer.history.trace(criteria, GROUNDS)
        taken = time.perf_counter() - started
        assert {leg.record.node for leg in response.trace.legs} == {"cn", "hk"}
        return taken


def _ran_s(pid: int) -> float:
    """Seconds for which a process's threads have run: finer than its processor time, which comes in hundredths."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _durable_write(path: Path) -> float:
    started = time.perf_counter()
    with path.open("wb") as file:
        file.write(bytes(4096))
        file.flush()
        os.fdatasync(file.fileno())
    return time.perf_counter() - started


def sized_table(found: Sequence[Sized]) -> Table:
    """All figures, a column for each size."""
    table = Table(title="Searches and traces at cn, by records there and as many at hk; milliseconds")
    table.add_column("")
    for one in found:
        table.add_column(f"{one.count:,}", justify="right")
    table.add_column("wanted", justify="right")
    rows: tuple[tuple[str, Callable[[Sized], str], str], ...] = (
        ("floor: bare streaming call: p50", lambda one: f"{one.floor_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.floor_p99:.1f}", ""),
        ("floor: durable write of 4 KiB: p50", lambda one: f"{one.disk_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.disk_p99:.1f}", ""),
        ("UCR, own node: p50", lambda one: f"{one.local_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.local_p99:.1f}", "5"),
        ("UCR, three nodes: p50", lambda one: f"{one.federated_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.federated_p99:.1f}", "25"),
        ("peer: PostgreSQL with a GIN index, UCR: p50", lambda one: f"{one.gin_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.gin_p99:.1f}", ""),
        ("own node / bare call, p50", lambda one: f"{one.local_p50 / one.floor_p50:.1f} ×", ""),
        ("three nodes / bare call, p50", lambda one: f"{one.federated_p50 / one.floor_p50:.1f} ×", ""),
        ("trace / bare call, p50", lambda one: f"{one.trace_p50 / one.floor_p50:.1f} ×", ""),
        ("own node / bare call, p99", lambda one: f"{one.local_p99 / one.floor_p99:.1f} ×", "2"),
        ("three nodes / bare call, p99", lambda one: f"{one.federated_p99 / one.floor_p99:.1f} ×", "6"),
        ("trace / bare call, p99", lambda one: f"{one.trace_p99 / one.floor_p99:.1f} ×", "15"),
        ("code and place, 1,000 records: first", lambda one: f"{one.first_ms:.1f}", "20"),
        ("… then records/s", lambda one: f"{one.after_rate:,.0f}", "50,000"),
        ("trace: p50", lambda one: f"{one.trace_p50:.1f}", ""),
        ("… p99", lambda one: f"{one.trace_p99:.1f}", "100"),
        ("processor time of a bare call at its server", lambda one: f"{one.costs.call / 1e3:.2f}", ""),
        ("… of all nodes: own node", lambda one: f"{one.costs.own / 1e3:.2f}", ""),
        ("… three nodes", lambda one: f"{one.costs.three / 1e3:.2f}", ""),
        ("… trace", lambda one: f"{one.costs.trace / 1e3:.2f}", ""),
        ("database of cn, MB", lambda one: f"{one.database_mb:,.0f}", ""),
    )
    for what, of, wanted in rows:
        table.add_row(what, *(of(one) for one in found), wanted)
    return table
