"""Two nodes that count their work, and how much of it one piece of work takes at each.

Work is repeated until some repetitions agree: what a timer, or a slow machine, adds shows in few of them.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from bench.nodes import PUBLISHER, RECIPIENT, write_federation
from gateway.client import GatewayClient
from tests.support.counted_node import COUNTERS, read_counts, stop_the_clock
from tests.support.databases import migrated_file
from tests.support.federation import SYSTEMS, NodeProcess, free_port
from tests.support.node_processes import forking_process

EXACT = ("statements", "transactions", "syncs", "messages", "signatures", "verifications")
"""Counters that are the same whenever the same is done; the rest move by a few with the order of threads."""

AGREEING = 3
"""Repetitions that must agree on the exact counters."""

LEAST_ROUNDS = 2
"""Repetitions of work whose counts need not agree."""

MOST_ROUNDS = 24
"""Repetitions after which work that doesn't keep its budget is given up."""

REST_S = 0.6
"""Seconds without a transaction, a message or work of a worker process at both nodes after which a piece of work is
over: longer than any wait for others that its consequences may have."""

TAKEN_S = 60.0
"""Seconds after which a call that isn't taken is lost."""

BLOCKED_S = 0.2
"""Seconds without any function after which all that goes on waits for somebody else."""

LONGEST_BEAT_S = 6.0
"""Longer than the interval of any loop of a node that reads its database."""

_LOOK_S = 0.05

Counts = Mapping[str, int]


class CountedNode(NodeProcess):
    """A node that counts."""

    def start(self, *, wait: bool = True) -> None:
        assert self.process is None, f"{self.name} runs already"
        self.process = forking_process().start_counted(self.config, self.log_path)
        if wait:
            self.wait_ready()

    def counts(self) -> dict[str, int]:
        """What it has done since its start."""
        return read_counts(self.folder.path)

    def workers(self) -> list[psutil.Process]:
        """Its worker processes, whose work isn't counted."""
        return psutil.Process(self.pid).children(recursive=True)


class CountedPair:
    """A publisher and a recipient with a client of each role."""

    def __init__(self, root: Path) -> None:
        ports = {name: (free_port(), free_port()) for name in (PUBLISHER, RECIPIENT)}
        federation = write_federation(root, ports, systems=SYSTEMS)
        self.nodes = {
            name: CountedNode(name, folder := federation.node(name), folder.path / "gateway.toml", *ports[name])
            for name in ports
        }
        for node in self.nodes.values():
            node.database.touch(mode=0o600)
            shutil.copyfile(migrated_file(), node.database)
        self._clients: dict[tuple[str, str], GatewayClient] = {}

    def client(self, node: str, system: str) -> GatewayClient:
        """A system's client; the same at each call, so that its connection is open."""
        if (node, system) not in self._clients:
            at = self.nodes[node]
            self._clients[node, system] = GatewayClient.connect(
                f"127.0.0.1:{at.local_port}",
                ca=at.folder.ca,
                certificate=at.folder.system_certificate(system),
                key=at.folder.system_key(system),
                timeout_s=120,
            )
        return self._clients[node, system]

    async def stop_the_clocks(self) -> None:
        """Has both nodes do from now on what calls and their consequences ask for, and nothing at intervals."""
        for node in self.nodes.values():
            stop_the_clock(node.folder.path)
        await asyncio.sleep(LONGEST_BEAT_S)

    async def at_rest(self) -> None:
        """Waits until neither node has committed, read or written a message, or had a worker work, for REST_S."""
        workers = [worker for node in self.nodes.values() for worker in node.workers()]

        def look() -> list[float]:
            used = [worker.cpu_times() for worker in workers]
            return [*self._look(("syncs", "messages")), *(times.user + times.system for times in used)]

        await self._still(look, REST_S)

    async def taken(self, node: str, messages: int, *, within_s: float = TAKEN_S) -> None:
        """Waits until a node, whose database is locked, has so many messages in all and can't go on with any."""
        async with asyncio.timeout(within_s):
            while self.nodes[node].counts()["messages"] < messages:  # noqa: ASYNC110  the state is another process's
                await asyncio.sleep(_LOOK_S)
        await self._still(lambda: self._look(("functions",)), BLOCKED_S)

    def _look(self, counters: Sequence[str]) -> list[float]:
        counts = [node.counts() for node in self.nodes.values()]
        return [each[key] for each in counts for key in counters]

    async def _still(self, look: Callable[[], Sequence[float]], for_s: float) -> None:
        before, still_s = look(), 0.0
        while still_s < for_s:
            await asyncio.sleep(_LOOK_S)
            now = look()
            still_s = 0.0 if now != before else still_s + _LOOK_S
            before = now

    async def spent(self, work: Callable[[], Awaitable[object]]) -> dict[str, dict[str, int]]:
        """What each node does for a piece of work, from its begin until both are at rest."""
        before = {name: node.counts() for name, node in self.nodes.items()}
        await work()
        await self.at_rest()
        after = {name: node.counts() for name, node in self.nodes.items()}
        return {name: {key: after[name][key] - before[name][key] for key in COUNTERS} for name in self.nodes}

    async def usual(
        self,
        work: Callable[[], Awaitable[object]],
        kept: Callable[[str, Counts], bool],
        take: Callable[[Sequence[Counts]], list[Counts]],
    ) -> dict[str, Counts]:
        """What each node usually does for a piece of work, which is repeated until each node keeps its budget.

        Args:
            kept: whether a node's counts keep its budget.
            take: what repetitions come to, `agreed` or `least`, the least first; none: there must be more.

        Raises:
            AssertionError: MOST_ROUNDS repetitions come to nothing.
        """
        rounds: defaultdict[str, list[Counts]] = defaultdict(list)
        found: dict[str, list[Counts]] = {}
        for _ in range(MOST_ROUNDS):
            for name, counts in (await self.spent(work)).items():
                rounds[name].append(counts)
            found = {name: take(counts) for name, counts in rounds.items()}
            if all(any(kept(name, counts) for counts in each) for name, each in found.items()):
                break
        assert all(found.values()), f"repetitions don't agree: {dict(rounds)}"
        return {name: next((one for one in each if kept(name, one)), each[0]) for name, each in found.items()}

    async def close(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients.values()))


def agreed(rounds: Sequence[Counts]) -> list[Counts]:
    """Exact counts on which AGREEING rounds agree, the least first, with those rounds' medians of the other counters.

    More than one where work is done alone in some rounds, and together with what an earlier round has left in others.
    """
    groups: defaultdict[tuple[int, ...], list[Counts]] = defaultdict(list)
    for counts in rounds:
        groups[tuple(counts[key] for key in EXACT)].append(counts)
    return [
        {key: round(statistics.median(counts[key] for counts in these)) for key in COUNTERS}
        for _, these in sorted(groups.items(), key=lambda group: group[0])
        if len(these) >= AGREEING
    ]


def least(rounds: Sequence[Counts]) -> list[Counts]:
    """The least of each counter, for work that falls into groups as its moments have it."""
    if len(rounds) < LEAST_ROUNDS:
        return []
    return [{key: min(counts[key] for counts in rounds) for key in COUNTERS}]


@asynccontextmanager
async def counted_pair(root: Path) -> AsyncIterator[CountedPair]:
    """Both nodes, running and at rest."""
    pair = CountedPair(root)
    try:
        for node in pair.nodes.values():
            node.start(wait=False)
        for node in pair.nodes.values():
            await asyncio.to_thread(node.wait_ready)
        yield pair
    finally:
        await pair.close()
        for node in pair.nodes.values():
            node.kill()
