"""Sees to it that the process may open enough files and connections, and counts what is used of them."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import ConfigurationError
from gateway.feed.service.alarms import CAPACITY, Alarms
from gateway.node.settings import ConnectionSettings
from gateway.rpc.fairness.caller_connections import CallerConnections
from gateway.rpc.fairness.sockets import Ends, open_connections, open_descriptors

OTHER_DESCRIPTORS = 256
"""Descriptors beside the connections that come in: some 70 at rest, three for each of at most 36 threads with SQLite,
and two connections out to each of some 30 partners."""

ALARM_SHARE, CALM_SHARE = 0.8, 0.7
"""Share of a limit from which an alarm is raised, and below which it is cleared again."""

DESCRIPTORS, PEER_CONNECTIONS, LOCAL_CONNECTIONS = "descriptors", "peer_connections", "local_connections"
"""Names of resources, also those of the contract and of metrics."""

COUNT_S = 5.0
"""Seconds between counts of descriptors that are the same by number, and may be others."""

_WORDS = {
    DESCRIPTORS: "open files and connections",
    PEER_CONNECTIONS: "connections to the peer port",
    LOCAL_CONNECTIONS: "connections to the local port",
}


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """How much of a resource is used now, and the most that can be."""

    name: str
    used: int
    limit: int


def needed_descriptors(connections: ConnectionSettings) -> int:
    """File descriptors of a process whose ports are full."""
    return connections.peer + connections.local + OTHER_DESCRIPTORS


def secure_descriptors(connections: ConnectionSettings) -> None:
    """Raises the process's soft limit of file descriptors as far as it needs.

    Raises:
        ConfigurationError: the hard limit is lower. A full process stops serving at all, so it doesn't start.
    """
    needed = needed_descriptors(connections)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _allows(soft, needed):
        return
    if not _allows(hard, needed):
        raise ConfigurationError(
            f"the process may open {hard} files and connections, and {needed} are needed: {connections.peer} for "
            f"connections.peer, {connections.local} for connections.local, {OTHER_DESCRIPTORS} for everything else; "
            "raise the limit (ulimit -n, LimitNOFILE in a unit, ulimits of a container) or lower the two settings"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class CapacityMonitor:
    """Counts what is used of the process's descriptors and of each port's connections; raises alarms before the end.

    Args:
        connections: the most of each port.
        ports: the port numbers, peer and local, known when the node has started.
        callers: who calls on the connections of each port, peer and local.
    """

    def __init__(
        self,
        connections: ConnectionSettings,
        *,
        ports: Callable[[], tuple[int, int]],
        callers: Sequence[CallerConnections],
        alarms: Alarms,
    ) -> None:
        self._connections = connections
        self._ports = ports
        self._callers = callers
        self._alarms = alarms
        self._counted: list[int] = []
        self._count_at_s = 0.0

    def usage(self) -> list[ResourceUsage]:
        """All resources. Some 5 µs for each descriptor."""
        descriptors = open_descriptors()
        return self._usage(len(descriptors), open_connections(descriptors))

    def check_changes(self) -> list[Ends] | None:
        """As `check` where there may be anything new, which a look at the numbers of the descriptors tells; else None.

        What they belong to is looked at every COUNT_S, and while connections come or are silent.
        """
        now_s = time.monotonic()
        quiet = now_s < self._count_at_s and all(callers.is_quiet for callers in self._callers)
        if quiet and open_descriptors() == self._counted:
            return None
        connections = self.check()
        self._counted, self._count_at_s = open_descriptors(), now_s + COUNT_S
        return connections

    def check(self) -> list[Ends]:
        """Raises an alarm for each resource that is nearly used up, and clears it when there is room again.

        Returns the process's connections, for `sweep`.
        """
        descriptors = open_descriptors()
        connections = open_connections(descriptors)
        for usage in self._usage(len(descriptors), connections):
            if usage.used >= ALARM_SHARE * usage.limit:
                self._alarms.set(
                    CAPACITY, usage.name, f"{usage.used:,} of {usage.limit:,} {_WORDS[usage.name]} are in use"
                )
            elif usage.used < CALM_SHARE * usage.limit:
                self._alarms.clear(CAPACITY, usage.name)
        return connections

    def sweep(self, connections: Sequence[Ends]) -> None:
        """Ends connections on which nobody calls; on the event loop."""
        for port, callers in zip(self._ports(), self._callers, strict=True):
            callers.sweep({ends.other for ends in connections if ends.own.port == port})

    def _usage(self, descriptors: int, connections: Sequence[Ends]) -> list[ResourceUsage]:
        by_port = Counter(ends.own.port for ends in connections)
        peer, local = self._ports()
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return [
            ResourceUsage(DESCRIPTORS, descriptors, soft),
            ResourceUsage(PEER_CONNECTIONS, by_port[peer], self._connections.peer),
            ResourceUsage(LOCAL_CONNECTIONS, by_port[local], self._connections.local),
        ]


def _allows(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed
