"""A database that has moved to another timeline: a process that has just started asks the recipients, always."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import FeedBehindError
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import UNCOMPARED, OwnHistory
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.machine_node import FailingDatabase, MachineNode, machine_node
from tests.support.nodes import ManualClock
from tests.support.postgres import PostgresServer


class Replica:
    """One replica of cn; what it remembers of its database can be changed, as if that had been another."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url, self._folder, self._clock = url, folder, ManualClock()
        self.node, self.marks = self._started()

    def start_again(self) -> None:
        """Another process on the marks of the one before."""
        self.stop()
        self.node, self.marks = self._started()

    def fail_over(self, *, lossless: bool) -> None:
        """The timeline in the marks is an older one; connections end."""
        known = self.marks.state.database
        assert known is not None
        self.marks.set_database(replace(known, timeline=known.timeline - 1, lossless=lossless), self._clock())
        self.node.database.engine.dispose()

    def publish(self) -> None:
        self.node.publish("hk")

    def stop(self) -> None:
        self.marks.close()
        self.node.database.close()

    def _started(self) -> tuple[MachineNode, Marks]:
        marks = Marks(f"{FEDERATION}/cn", [self._folder / "marks"])
        history = OwnHistory(marks, node="cn")
        return machine_node("cn", FailingDatabase(self._url), self._clock, self._folder, history), marks


@pytest.fixture
def replica(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Replica]:
    name = postgres_server.take()
    made = Replica(postgres_server.url_of(name), tmp_path)
    yield made
    made.stop()
    postgres_server.give_back(name)


@pytest.mark.parametrize("lossless", [True, False], ids=["lossless", "lossy"])
def test_a_process_that_starts_on_another_timeline_asks_first(replica: Replica, lossless: bool) -> None:
    """Marks of one replica don't know what others had signed since, nor how commits were made meanwhile."""
    replica.publish()
    replica.fail_over(lossless=lossless)
    replica.start_again()
    for _ in range(2):
        with pytest.raises(FeedBehindError, match=UNCOMPARED):
            replica.publish()


def test_a_process_that_starts_on_the_same_timeline_goes_on(replica: Replica) -> None:
    replica.publish()
    replica.start_again()
    replica.publish()


def test_a_process_that_shares_its_database_asks_after_a_failover_that_may_lose(replica: Replica) -> None:
    """It has run all the time, and has seen nothing that another one wrote."""
    replica.publish()
    replica.marks.releases.share()
    replica.fail_over(lossless=False)
    for _ in range(2):
        with pytest.raises(FeedBehindError, match=UNCOMPARED):
            replica.publish()


def test_a_process_that_ran_through_a_failover_without_loss_goes_on(replica: Replica) -> None:
    replica.publish()
    replica.fail_over(lossless=True)
    replica.publish()
    assert replica.node.history is not None
    assert replica.node.history.reconnections == 1
