"""Entries that one replica has given up: every replica takes that decision, once, and no other one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.errors import FeedBehindError, StoreUnavailableError
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.states import GiveUpCommand, StateCommand
from gateway.feed.tables.feeds import FeedState
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.machine_node import FailingDatabase, Machine, MachineNode, machine_node
from tests.support.nodes import ManualClock, feed_of
from tests.support.postgres import PostgresServer

ORIGIN = feed_of("cn", "hk")


class Replicas:
    """Replicas of cn, each with marks of its own, on databases of which one is an older copy of the other."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._clock = ManualClock()
        self._names = [server.take()]
        self._open: dict[str, tuple[MachineNode, Marks]] = {}

    def start(self, name: str) -> MachineNode:
        """A process on the newest database, on the marks that the one before it has left."""
        self.stop(name)
        marks = Marks(f"{FEDERATION}/cn", [self._folder / name / "marks"])
        database = FailingDatabase(self._server.url_of(self._names[-1]))
        history = OwnHistory(marks, node="cn")
        node = machine_node("cn", database, self._clock, self._folder / name, history)
        self._open[name] = node, marks
        return node

    def copy(self) -> str:
        """A copy of the database, as a standby or a backup has it; every process ends for it."""
        for name in list(self._open):
            self.stop(name)
        copied = self._server.create(f' TEMPLATE "{self._names[-1]}"')
        self._names.insert(0, copied)
        return copied

    def fail_over(self, copied: str) -> None:
        """Every process ends, and the copy is the database."""
        for name in list(self._open):
            self.stop(name)
        self._names.remove(copied)
        self._names.append(copied)

    def stop(self, name: str) -> None:
        if name in self._open:
            node, marks = self._open.pop(name)
            marks.keep_up(self._clock())
            marks.close()
            node.database.close()

    def remove(self) -> None:
        for name in list(self._open):
            self.stop(name)
        for name in self._names:
            self._server.drop(name)


@pytest.fixture
def replicas(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Replicas]:
    made = Replicas(postgres_server, tmp_path)
    yield made
    made.remove()


def state(node: MachineNode) -> FeedState:
    feed = node.outgoing.feed(ORIGIN)
    assert feed is not None
    return feed.state


def lost_two(replicas: Replicas) -> tuple[MachineNode, MachineNode]:
    """Two replicas, of whose three entries the database has one."""
    replicas.start("a").publish("hk")
    copied = replicas.copy()
    a, b = replicas.start("a"), replicas.start("b")
    a.publish("hk")
    b.publish("hk")
    a.settle()
    replicas.fail_over(copied)
    return replicas.start("a"), replicas.start("b")


@pytest.mark.parametrize("more", [0, 1, 2, 4], ids="at {0} more entries".format)
def test_every_replica_goes_on_from_the_head_that_one_has_given_up(replicas: Replicas, more: int) -> None:
    """Below the mark of the other one, at it and beyond it."""
    a, b = lost_two(replicas)
    with pytest.raises(FeedBehindError, match="has signed 3 entries, and the database has 1"):
        a.publish("hk")
    assert a.writer.run(GiveUpCommand(ORIGIN)) == 2
    for _ in range(more):
        a.publish("hk")
    b.publish("hk")
    assert (state(a), state(b)) == (FeedState.ACTIVE, FeedState.ACTIVE)
    a.publish("hk")
    assert a.sizes()[ORIGIN.line] == 1 + more + 2
    b = replicas.start("b")
    b.publish("hk")
    assert b.writer.run(GiveUpCommand(ORIGIN)) == 0, "counted once"


def test_a_replica_that_starts_later_takes_the_decision_and_counts_what_it_alone_had_signed(
    replicas: Replicas, caplog: pytest.LogCaptureFixture
) -> None:
    replicas.start("a").publish("hk")
    copied = replicas.copy()
    a, b = replicas.start("a"), replicas.start("b")
    a.publish("hk")
    for _ in range(3):
        b.publish("hk")
    replicas.fail_over(copied)
    a = replicas.start("a")
    with pytest.raises(FeedBehindError):
        a.publish("hk")
    assert a.writer.run(GiveUpCommand(ORIGIN)) == 1
    a.publish("hk")
    caplog.clear()
    replicas.start("b").publish("hk")
    replicas.start("b").publish("hk")
    assert [record.message for record in caplog.records if "besides" in record.message] == [
        f"feed {ORIGIN} went on at 1; 3 entries signed here are lost besides"
    ]
    with a.database.read() as conn:
        assert conn.execute(text("SELECT size, reached FROM given_up_heads")).one() == (1, 5)


def test_a_decision_that_is_taken_doesnt_excuse_the_next_loss(replicas: Replicas) -> None:
    a, b = lost_two(replicas)
    with pytest.raises(FeedBehindError):
        a.publish("hk")
    a.writer.run(GiveUpCommand(ORIGIN))
    a.publish("hk")
    b.publish("hk")
    a.settle()
    copied = replicas.copy()
    a, b = replicas.start("a"), replicas.start("b")
    a.publish("hk")
    b.publish("hk")
    a.settle()
    replicas.fail_over(copied)
    for name in ("a", "b"):
        with pytest.raises(FeedBehindError, match="has signed 5 entries, and the database has 3"):
            replicas.start(name).publish("hk")


@pytest.mark.parametrize("persisted", [False, True])
def test_a_crash_around_the_decision_leaves_it_undone_or_done(tmp_path: Path, persisted: bool) -> None:
    """Failed, and failed but persisted."""
    cn = Machine("cn", tmp_path, ManualClock())
    backup = cn.backup()
    for _ in range(3):
        cn.node.publish("hk")
    cn.restore(backup)
    assert cn.node.state("hk") is FeedState.BEHIND
    cn.node.database.fail_before, cn.node.database.fail_after = not persisted, persisted
    with pytest.raises(StoreUnavailableError):
        cn.node.writer.run(GiveUpCommand(ORIGIN))
    cn.crash()
    if not persisted:
        with pytest.raises(FeedBehindError, match="has signed 3 entries, and the database has 0"):
            cn.node.publish("hk")
        assert cn.node.writer.run(GiveUpCommand(ORIGIN)) == 3
    cn.node.publish("hk")
    cn.crash()
    cn.node.publish("hk")
    assert cn.node.sizes()[ORIGIN.line] == 2
    cn.restore(backup)
    with pytest.raises(FeedBehindError, match="has signed 2 entries, and the database has 0"):
        cn.node.publish("hk")
    cn.stop()


def test_what_one_replica_has_signed_holds_up_all_of_them(replicas: Replicas) -> None:
    """The other one's mark knows nothing of the loss, and the recipient says that it holds no more."""
    replicas.start("a").publish("hk")
    copied = replicas.copy()
    b = replicas.start("b")
    b.publish("hk")
    b.publish("hk")
    replicas.fail_over(copied)
    b = replicas.start("b")
    with pytest.raises(FeedBehindError, match="has signed 3 entries, and the database has 1"):
        b.publish("hk")
    a = replicas.start("a")
    for _ in range(2):
        assert a.writer.run(StateCommand(ORIGIN, FeedState.ACTIVE, "")).state is FeedState.BEHIND
        with pytest.raises(FeedBehindError):
            a.publish("hk")
    assert a.writer.run(GiveUpCommand(ORIGIN)) == 2
    a.publish("hk")
    b.publish("hk")
    assert (state(a), state(b), a.sizes()[ORIGIN.line]) == (FeedState.ACTIVE, FeedState.ACTIVE, 3)
