"""The process's descriptors: its limit, and how they are counted."""

from __future__ import annotations

import resource
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack

import pytest

from gateway.errors import ConfigurationError
from gateway.feed.service.alarms import CAPACITY, Alarms
from gateway.node.host.capacity import (
    DESCRIPTORS,
    LOCAL_CONNECTIONS,
    PEER_CONNECTIONS,
    CapacityMonitor,
    ResourceUsage,
    needed_descriptors,
    secure_descriptors,
)
from gateway.node.settings import ConnectionSettings
from gateway.rpc.fairness.caller_connections import CallerConnections, Disconnector
from gateway.rpc.fairness.sockets import Address

USUAL_LIMIT = 1_024
"""`ulimit -n` of most systems."""


@pytest.fixture
def restored_limit() -> Iterator[tuple[int, int]]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield limits
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_defaults_fit_into_the_usual_limit() -> None:
    assert needed_descriptors(ConnectionSettings()) <= USUAL_LIMIT


def test_the_soft_limit_is_raised_as_far_as_needed(restored_limit: tuple[int, int]) -> None:
    _, hard = restored_limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    secure_descriptors(ConnectionSettings())
    assert soft_limit() == needed_descriptors(ConnectionSettings())


def test_a_limit_that_suffices_stays(restored_limit: tuple[int, int]) -> None:
    _, hard = restored_limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_LIMIT, hard))
    secure_descriptors(ConnectionSettings())
    assert soft_limit() == USUAL_LIMIT


def test_a_hard_limit_below_the_need_is_refused_with_the_ways_out(restored_limit: tuple[int, int]) -> None:
    soft, hard = restored_limit
    if hard == resource.RLIM_INFINITY:
        pytest.fail("the hard limit of this machine is infinite, which Linux doesn't allow")
    too_many = ConnectionSettings.model_construct(peer=hard, local=8)
    with pytest.raises(ConfigurationError, match=r"connections\.peer.*LimitNOFILE") as caught:
        secure_descriptors(too_many)
    assert f"{hard} files" in caught.value.message
    assert soft_limit() == soft


class Ports:
    """Two listening sockets, and connections to them."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        self.incoming: list[socket.socket] = []

    @property
    def numbers(self) -> tuple[int, int]:
        peer, local = (listener.getsockname()[1] for listener in self.listeners)
        return peer, local

    def connect(self, port: int, count: int) -> None:
        for _ in range(count):
            self.stack.enter_context(socket.create_connection(("127.0.0.1", self.numbers[port])))
            accepted, _ = self.listeners[port].accept()
            self.incoming.append(self.stack.enter_context(accepted))


@pytest.fixture
def ports() -> Iterator[Ports]:
    with ExitStack() as stack:
        yield Ports(stack)


def test_descriptors_and_connections_are_counted_apart(ports: Ports) -> None:
    monitor = CapacityMonitor(
        ConnectionSettings(peer=10, local=20), ports=lambda: ports.numbers, callers=(), alarms=alarms()
    )
    before = {usage.name: usage for usage in monitor.usage()}
    assert before[PEER_CONNECTIONS] == ResourceUsage(PEER_CONNECTIONS, 0, 10)  # a listening socket is no connection
    ports.connect(0, 3)
    ports.connect(1, 2)
    after = {usage.name: usage for usage in monitor.usage()}
    assert after[PEER_CONNECTIONS] == ResourceUsage(PEER_CONNECTIONS, 3, 10)
    assert after[LOCAL_CONNECTIONS] == ResourceUsage(LOCAL_CONNECTIONS, 2, 20)
    assert after[DESCRIPTORS].used == before[DESCRIPTORS].used + 10  # both ends are in this process
    assert after[DESCRIPTORS].limit == soft_limit()


def test_each_ports_callers_learn_of_its_connections(ports: Ports) -> None:
    swept: list[set[Address]] = []

    class Callers(CallerConnections):
        def sweep(self, connected: Collection[Address]) -> None:
            swept.append(set(connected))

    callers = [Callers(1, Disconnector()) for _ in range(2)]
    monitor = CapacityMonitor(ConnectionSettings(), ports=lambda: ports.numbers, callers=callers, alarms=alarms())
    ports.connect(0, 1)
    ports.connect(1, 2)
    monitor.sweep(monitor.check())
    peer, *local = (Address(*incoming.getpeername()) for incoming in ports.incoming)
    assert swept == [{peer}, set(local)]


def test_connections_are_looked_at_again_when_they_change_or_callers_come(ports: Ports) -> None:
    callers = [CallerConnections(1, Disconnector()) for _ in range(2)]
    monitor = CapacityMonitor(ConnectionSettings(), ports=lambda: ports.numbers, callers=callers, alarms=alarms())

    def seen() -> int | None:
        """Connections that a look finds, swept; None for no look."""
        connections = monitor.check_changes()
        if connections is None:
            return None
        monitor.sweep(connections)
        return len(connections)

    before = seen()  # of other tests in this process
    assert before is not None
    assert seen() is None
    ports.connect(1, 1)
    assert seen() == before + 2  # both ends are in this process
    assert seen() == before + 2  # nobody has called on it yet
    caller = Address(*ports.incoming[0].getpeername())
    callers[1].admit(caller.peer, "a system")
    assert seen() == before + 2
    assert seen() is None


def test_what_descriptors_belong_to_is_looked_at_after_some_seconds(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.node.host.capacity.COUNT_S", 0.0)
    monitor = CapacityMonitor(ConnectionSettings(), ports=lambda: ports.numbers, callers=(), alarms=alarms())
    before = monitor.check_changes()  # of other tests in this process
    assert before is not None
    assert monitor.check_changes() == before


def test_counting_leaves_connections_open(ports: Ports) -> None:
    ports.connect(0, 1)
    monitor = CapacityMonitor(ConnectionSettings(), ports=lambda: ports.numbers, callers=(), alarms=alarms())
    for _ in range(3):
        monitor.usage()
    ports.incoming[0].sendall(b"still open")


def test_the_alarm_rises_before_the_end_and_passes_with_some_distance(ports: Ports) -> None:
    raised = alarms()
    monitor = CapacityMonitor(
        ConnectionSettings(peer=10, local=20), ports=lambda: ports.numbers, callers=(), alarms=raised
    )

    def codes_at(count: int) -> list[str]:
        while len(ports.incoming) > count:
            ports.incoming.pop().close()
        ports.connect(0, count - len(ports.incoming))
        monitor.check()
        return [f"{alarm.code} {alarm.subject}" for alarm in raised.list()]

    alarm = f"{CAPACITY} {PEER_CONNECTIONS}"
    assert [codes_at(count) for count in (7, 8, 7, 6)] == [[], [alarm], [alarm], []]


def alarms() -> Alarms:
    return Alarms(lambda: 1_770_000_000_000)
