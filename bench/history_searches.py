"""Measures searches and traces over three nodes at one size, beside bare calls; part of bench.history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import shipment_records as made
from bench.floors import Echo
from bench.nodes import NodeProcess
from bench.results import Figures, Tell, quantile
from gateway.client.alerts import GatewayClient
from gateway.v1 import history_pb2

WARM = 50
"""Searches before the timed ones: what follows is asked of records that nobody has asked for."""

BLOCKS = 4
"""Blocks of each kind of call, in turn, for the processor time."""

FIVE_MILLION = 5_000_000
"""Records at which the targets for searches hold."""

GROUNDS = history_pb2.QueryGrounds(
    purpose="export_control", legal_basis="Arrangement, article 5", case_reference="BENCH-1"
)

CALL, OWN, THREE, TRACE = "bare call", "own node", "three nodes", "trace"


def figures_name(size: int) -> str:
    """What figures among so many records begin with: those of five million and more have no number."""
    return "search" if size >= FIVE_MILLION else f"search among {size:,}"


def criteria_of(number: int) -> history_pb2.SearchCriteria:
    """That find the record with a shipment's UCR."""
    return history_pb2.SearchCriteria(references=[history_pb2.SearchReference(value=made.ucr(number))])


async def search(officer: GatewayClient, number: int, nodes: Sequence[str]) -> float:
    """Seconds for the record with a shipment's UCR, at these nodes; at all where none is named."""
    started = time.perf_counter()
    found = [one async for one in officer.history.search(criteria_of(number), GROUNDS, nodes=nodes)]
    taken = time.perf_counter() - started
    assert any(isinstance(one, history_pb2.HistoryRecord) for one in found)
    return taken


async def trace(officer: GatewayClient, number: int) -> float:
    """Seconds for the consignment with a shipment's UCR."""
    started = time.perf_counter()
    response = await officer.history.trace(criteria_of(number), GROUNDS)
    taken = time.perf_counter() - started
    assert {leg.record.node for leg in response.trace.legs} == {"cn", "hk"}
    return taken


@dataclass(frozen=True, slots=True)
class Searches:
    """Runs them.

    Attributes:
        officer: a client of the first node.
        nodes: all three, by name.
        rounds: searches that are timed at each size, and twice as many as traces.
    """

    officer: GatewayClient
    echo: Echo
    nodes: Mapping[str, NodeProcess]
    tell: Tell
    rounds: int

    async def at_size(self, size: int) -> Figures:
        """Searches and traces among so many records, times in turn with those of bare calls."""
        name, figures = figures_name(size), Figures()
        for at in made.sample(size, min(WARM, size)):  # connections, statements, and the upper levels of the trees
            await search(self.officer, at, [])
        self.tell(f"{size:,} records: searching")
        taken: dict[str, list[float]] = {CALL: [], OWN: [], THREE: []}
        for at in made.sample(size, self.rounds):
            taken[OWN].append(await search(self.officer, at, ["cn"]))
            taken[CALL].append(await self.echo.streamed())
            taken[THREE].append(await search(self.officer, at, []))
        first_s, rate = await self._many(min(1_000, size // made.COMMON_ONE_IN))
        self.tell(f"{size:,} records: tracing")
        taken[TRACE] = [await trace(self.officer, at) for at in made.sample(size, self.rounds // 2)]
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            for kind, times in taken.items():
                figures.note(f"{name}: {kind} {label}", "ms", 1000 * quantile(times, share))
                if kind != CALL:
                    ratio = quantile(times, share) / quantile(taken[CALL], share)
                    figures.note(f"{name}: {kind} {label} / call", "×", ratio)
        figures.note(f"{name}: code and place, first record", "ms", 1000 * first_s)
        figures.note(f"{name}: code and place, records afterwards", "/s", rate)
        await self._note_costs(figures, name, size)
        figures.note(f"{name}: database of cn", "MB", self.nodes["cn"].database_mb)
        return figures

    async def _note_costs(self, figures: Figures, name: str, size: int) -> None:
        """Processor time of each kind of call, in blocks of one kind after the other: of a bare call at its server, of
        the others at all three nodes."""
        self.tell(f"{size:,} records: processor time")
        each = max(10, self.rounds // BLOCKS)
        numbers = iter(made.sample(size, min(size, BLOCKS * (2 * each + each // 5) + BLOCKS)))
        kinds: Mapping[str, Callable[[], Awaitable[float]]] = {
            CALL: self.echo.streamed,
            OWN: lambda: search(self.officer, next(numbers), ["cn"]),
            THREE: lambda: search(self.officer, next(numbers), []),
            TRACE: lambda: trace(self.officer, next(numbers)),
        }
        for kind, run in list(kinds.items()) * BLOCKS:
            times = max(2, each // 5) if kind == TRACE else each
            pids = [self.echo.pid] if kind == CALL else [node.pid for node in self.nodes.values()]
            await asyncio.sleep(0.3)  # what is left of the block before
            before = sum(map(_ran_s, pids))
            for _ in range(times):
                await run()
            await asyncio.sleep(0.3)
            figures.note(f"{name}: {kind}, processor", "ms", (sum(map(_ran_s, pids)) - before) / times * 1e3)

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
        return quantile(firsts, 0.5), quantile(rates, 0.5)


def _ran_s(pid: int) -> float:
    """Seconds for which a process's threads have run: finer than its processor time, which comes in hundredths."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
