"""Three nodes for attacks: cn is attacked, mo for the control, and hk is the partner whose certificate is misused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import alerts
from bench.attacks.attack import KeyPair, Stock, Target
from bench.attacks.guard import ATTACKERS_ADDRESS, guarded
from bench.nodes import ROLES, SERVE, SYSTEM, NodeProcess, free_port, write_federation
from gateway.contract.ids import server_name
from gateway.trust.service.trial_federation import FEDERATION, FederationFolder

ATTACKED, CONTROL, PARTNER = "cn", "mo", "hk"

ATTACKER, OUTSIDER = "attacker", "outsider"
"""Systems of each node beside SYSTEM: one with all roles, and one whose certificate the settings don't name."""

SEED_ALERTS = 2_000
"""Alerts at each node before the first attack: more than the largest page."""

MEMORY_POLL_S = 0.1


@dataclass(frozen=True)
class AttackedFederation:
    """The nodes, running, and where they listen: `peer_ports` are the guards' where there are any."""

    folder: FederationFolder
    nodes: dict[str, NodeProcess]
    peer_ports: dict[str, int]
    is_guarded: bool = field(default=False, kw_only=True)

    def target(self, name: str) -> Target:
        node = self.nodes[name]
        return Target(
            node=name,
            server_name=server_name(FEDERATION, name),
            peer_port=self.peer_ports[name],
            local_port=node.local_port,
            ca=node.folder.ca,
            partner=KeyPair(self.nodes[PARTNER].folder.certificate, self.nodes[PARTNER].folder.key),
            system=KeyPair(node.folder.system_certificate(ATTACKER), node.folder.system_key(ATTACKER)),
            outsider=KeyPair(node.folder.system_certificate(OUTSIDER), node.folder.system_key(OUTSIDER)),
            source=ATTACKERS_ADDRESS if self.is_guarded else "",
            partner_name=PARTNER,
            partner_log_key=self.nodes[PARTNER].folder.log_key,
        )

    async def restart(self) -> None:
        """Starts all nodes anew, so that the next attack meets what a node is at rest."""
        await asyncio.gather(*(node.stop() for node in self.nodes.values()))
        await self.start()

    async def start(self) -> None:
        await asyncio.gather(*(node.start() for node in self.nodes.values()))

    async def stock(self, stock: Stock) -> None:
        """Fills the attacked node and the control."""
        for name in (ATTACKED, CONTROL):
            await stock(self.nodes[name])

    async def seed(self, count: int) -> None:
        """Publishes alerts at the attacked node and at the control."""
        for name in (ATTACKED, CONTROL):
            async with self.nodes[name].client() as client:
                async for outcome in client.publish_many(alerts.requests(count, recipient=PARTNER)):
                    outcome.result()


@asynccontextmanager
async def attacked_federation(
    root: Path, command: Sequence[str] = SERVE, *, guard: str = ""
) -> AsyncIterator[AttackedFederation]:
    """Fresh keys and empty databases; the nodes are stopped at the end.

    Args:
        root: folder for all of it.
        command: that serves a node.
        guard: path of HAProxy, for a guard in front of each peer port; empty: none.
    """
    ports = {name: (free_port(), free_port()) for name in (ATTACKED, CONTROL, PARTNER)}
    folder = write_federation(root, ports, systems={SYSTEM: ROLES, ATTACKER: ROLES}, unnamed=[OUTSIDER])
    nodes = {name: NodeProcess(name, folder.node(name), local, command) for name, (_, local) in ports.items()}
    with ExitStack() as guards:
        peers = {
            name: guards.enter_context(guarded(peer, root, program=guard)) if guard else peer
            for name, (peer, _) in ports.items()
        }
        federation = AttackedFederation(folder, nodes, peers, is_guarded=bool(guard))
        try:
            await federation.start()
            yield federation
        finally:
            await asyncio.gather(*(node.stop() for node in nodes.values()))


class Memory:
    """Resident memory of a process and those it started, in MB (10⁶ bytes), from entering to leaving the block.

    Attributes:
        before, peak: at the start, and the most that was seen.
        descriptors: the most file descriptors of the process itself.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self.peak = self._now()
        self.descriptors = 0

    async def __aenter__(self) -> Memory:
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self._now())
            self.descriptors = max(self.descriptors, self._process.num_fds())
            await asyncio.sleep(MEMORY_POLL_S)

    def _now(self) -> float:
        total = 0
        for process in (self._process, *self._process.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:  # a worker that has just ended
                continue
        return total / 1e6
