"""What a node does only where its settings turn it on: services on the local port and work of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.alerts.commands.following import AlertFollower
from gateway.node.capabilities.alert_following import IsBehind
from gateway.node.roles import Roles
from gateway.rpc.listener.server import Register
from gateway.rpc.workers.worker_process import WorkerProcess

Loop = Callable[[], Awaitable[None]]
"""Work that runs until it is cancelled."""


@dataclass(frozen=True, slots=True)
class Capability:
    """One capability that is on.

    Attributes:
        services: registrations by full name of the service, on the local port.
        loops: work of one replica, by a name that all replicas share.
        workers: its processes.
        everywhere: work of each replica, by name.
        followers: of alerts, in the node.
        text_followers: of alerts, in the process that knows names: their names there, and whether they are behind.
    """

    services: Mapping[str, Register]
    loops: Mapping[str, Loop] = field(default_factory=dict)
    workers: Sequence[WorkerProcess] = ()
    everywhere: Mapping[str, Loop] = field(default_factory=dict)
    followers: Sequence[AlertFollower] = ()
    text_followers: Mapping[str, IsBehind] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """All that are on."""

    on: Sequence[Capability]

    @classmethod
    def of(cls, capabilities: Iterable[Capability | None]) -> Capabilities:
        """`capabilities`: None for one that is off."""
        return cls([capability for capability in capabilities if capability is not None])

    @property
    def services(self) -> dict[str, Register]:
        return {name: register for capability in self.on for name, register in capability.services.items()}

    @property
    def workers(self) -> list[WorkerProcess]:
        return [worker for capability in self.on for worker in capability.workers]

    def tasks(self, roles: Roles) -> list[asyncio.Task[None]]:
        """Starts their work."""
        shared = [roles.run(name, loop) for capability in self.on for name, loop in capability.loops.items()]
        own = [(name, loop) for capability in self.on for name, loop in capability.everywhere.items()]
        return shared + [asyncio.create_task(_run(loop), name=name) for name, loop in own]


async def _run(loop: Loop) -> None:
    await loop()
