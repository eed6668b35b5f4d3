"""A node's order keeps to what entries follow, whichever way they come; nothing stays out that can come in."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from gateway.alerts.codec import parse_event
from gateway.alerts.commands.steps import ExpireCommand
from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.limits import MAX_FOLLOWS
from gateway.db.database import Database
from gateway.db.schema import metadata
from gateway.errors import EpochNeededError, FeedBehindError, MalformedError
from gateway.feed.codec import EncodedEntry, make_entry
from gateway.feed.service import local_log as order
from gateway.feed.service.continuity.recovery import RecoverCommand
from gateway.feed.service.states import ForceCommand, GiveUpCommand
from gateway.feed.tables import feeds, journal
from gateway.feed.tables.feeds import FeedState
from gateway.feed.tables.heads import StoredCheckpoint
from gateway.v1 import alert_pb2, feed_pb2
from tests.support.author import Author, wire_entry
from tests.support.databases import MakeDatabase
from tests.support.machine_node import Machine, MachineNode
from tests.support.nodes import DAY_MS, ManualClock, PaperNode, alert_content, deliver, exchange, paper_nodes

OWN = FeedOrigin("gba.customs.example", "cn", "hk", Channel.ALERTS)

# Against a plain statement of what must hold, without alerts


def entry(follows: int) -> EncodedEntry:
    return make_entry("Test", b"", salt=bytes(32), recorded_at_ms=1, follows=follows)


def come(conn: Connection, origin: FeedOrigin, follows: list[int]) -> None:
    """Entries of a feed come in one batch."""
    feed = feeds.ensure(conn, origin, "cn")
    new = [entry(number) for number in follows]
    growth = feed.tree.append([one.leaf for one in new])
    checkpoint = StoredCheckpoint(growth.tree.size, growth.tree.root, b"note", b"", 0)
    order.append(conn, feed, new, growth, checkpoint, now_ms=1)


def entered(conn: Connection) -> list[tuple[FeedOrigin, int]]:
    """This node's order: (feed, index)."""
    names = {feed.id: feed.origin for feed in feeds.list_all(conn)}
    runs = journal.runs_after(conn, 0, 10_000)
    return [(names[run.feed_id], run.first_index + at) for run in runs for at in range(run.count)]


def honest(sides: list[bool], seen: list[int]) -> dict[FeedOrigin, list[int]]:
    """What two nodes publish in turn, each saying how much of the other's it has seen: never less than before."""
    follows: dict[FeedOrigin, list[int]] = {OWN: [], OWN.reverse: []}
    for own, number in zip(sides, seen, strict=False):
        origin = OWN if own else OWN.reverse
        before = max(follows[origin], default=0)
        follows[origin].append(min(before + number, len(follows[origin.reverse])))
    return follows


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path_factory.mktemp('order')}/order.sqlite3")
    with made.write() as conn:
        metadata.create_all(conn)
    yield made
    made.close()


class _RolledBackError(Exception):
    pass


@contextmanager
def rolled_back(database: Database) -> Iterator[Connection]:
    """A transaction that leaves nothing."""
    with suppress(_RolledBackError), database.write() as conn:
        yield conn
        raise _RolledBackError


turns = st.lists(st.booleans(), max_size=40)
steps = st.lists(st.integers(0, 4), min_size=40, max_size=40)


@settings(max_examples=200, deadline=None)
@given(sides=turns, seen=steps, seed=st.integers(0, 10_000))
def test_every_interleaving_of_what_comes_keeps_the_order(
    database: Database, sides: list[bool], seen: list[int], seed: int
) -> None:
    follows, chance = honest(sides, seen), random.Random(seed)
    with rolled_back(database) as conn:
        left = {origin: list(numbers) for origin, numbers in follows.items()}
        while any(left.values()):
            origin = chance.choice([one for one, numbers in left.items() if numbers])
            count = chance.randint(1, 5)
            come(conn, origin, left[origin][:count])
            del left[origin][:count]
            placed = entered(conn)
            for feed in feeds.list_all(conn):
                reach = feeds.journaled_size_of(conn, feed.origin.reverse)
                assert [at for one, at in placed if one == feed.origin] == list(range(feed.journaled_size))
                # Nothing waits that could enter.
                assert not feed.waiting or follows[feed.origin][feed.journaled_size] > reach
        for at, (origin, index) in enumerate(placed := entered(conn)):
            assert sum(one == origin.reverse for one, _ in placed[:at]) >= follows[origin][index]
        assert len(placed) == sum(map(len, follows.values())), "all have entered"


@settings(max_examples=200, deadline=None)
@given(
    own=st.lists(st.integers(0, 12), max_size=10),
    theirs=st.lists(st.integers(0, 12) | st.just(MAX_FOLLOWS), max_size=10),
)
def test_what_is_forced_enters_whole_and_in_order(database: Database, own: list[int], theirs: list[int]) -> None:
    """Also where the entries' claims contradict each other; and what can be kept to is kept to."""
    with rolled_back(database) as conn:
        for origin, follows in ((OWN, own), (OWN.reverse, theirs)):
            if follows:
                come(conn, origin, follows)
        before = entered(conn)
        waited = len(own) + len(theirs) - len(before)
        assert order.force(conn, OWN, now_ms=2) == waited
        placed = entered(conn)
        assert placed[: len(before)] == before
        for origin, follows in ((OWN, own), (OWN.reverse, theirs)):
            assert [at for one, at in placed if one == origin] == list(range(len(follows)))
        assert all(not feed.waiting and not feed.awaited_size for feed in feeds.list_all(conn))
        assert order.force(conn, OWN, now_ms=3) == 0


def test_what_follows_something_that_is_there_still_waits_for_it_when_forced(database: Database) -> None:
    """The partner's entry 1 follows our lost 3 and 4; our entry 2 follows the partner's entry 1, which is there."""
    with rolled_back(database) as conn:
        come(conn, OWN, [0, 0, 2])
        come(conn, OWN.reverse, [0, 5])
        assert order.force(conn, OWN, now_ms=2) == 2
        assert entered(conn)[-2:] == [(OWN.reverse, 1), (OWN, 2)]


# With alerts


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def follows_of(node: PaperNode, origin: FeedOrigin) -> list[int]:
    with node.database.read() as conn:
        feed = feeds.get(conn, origin)
        headers = feeds.read_headers(conn, feed.id, 0, feed.size)
    return [feed_pb2.EntryHeader.FromString(header).follows for header in headers]


def test_steps_and_answers_say_what_they_follow_and_new_alerts_nothing(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    alert_id = cn.publish("hk")
    exchange(cn, hk)  # hk answers
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    exchange(cn, hk)
    cn.publish("hk")
    cn.amend(alert_id, 2)
    cn.clock.forward(31 * DAY_MS)
    cn.writer.run(ExpireCommand(publisher=cn.publisher))
    assert follows_of(cn, cn.origin("hk")) == [0, 2, 0, 2, 2, 2]  # the second answers the acknowledgement
    assert follows_of(hk, hk.origin("cn")) == [1, 1]


def test_an_entry_that_follows_what_is_not_there_waits_and_holds_up_nobody_else(
    nodes: list[PaperNode], caplog: pytest.LogCaptureFixture
) -> None:
    """A partner that lies about what it has seen delays its own entries."""
    cn, hk = nodes
    author = Author(hk, "cn")

    def published(follows: int) -> feed_pb2.Entry:
        event = alert_pb2.AlertEvent(published=author.alert(), actor="author")
        event.occurred_at.FromMilliseconds(author.now_ms)
        made = make_entry("AlertEvent", event.SerializeToString(), salt=bytes(32), recorded_at_ms=1, follows=follows)
        return wire_entry(made)

    batch = author.batch(published(0), published(2), published(0))
    with caplog.at_level(logging.WARNING):
        receipt = cn.writer.run(cn.receiver.open_batch("hk", batch))
    assert receipt.size == 3, "stored and receipted"
    assert "entry 1 of gba.customs.example/hk/cn/alerts waits" in caplog.text
    assert "gateway recover gba.customs.example/cn/hk/alerts" in caplog.text
    cn.settle()  # answers the first alert: the first own entry
    assert len(cn.queries.changes(0)[0].changes) == 1
    held = cn.outgoing.feed(author.origin)
    assert held is not None
    assert (held.size, held.journaled_size, held.extensible) == (3, 1, False)
    cn.publish("hk")  # the second own entry
    cn.settle()
    held = cn.outgoing.feed(author.origin)
    assert held is not None
    assert held.waiting == 0
    assert len(cn.queries.changes(0)[0].changes) == 4
    endless = author.batch(published(MAX_FOLLOWS))
    cn.writer.run(cn.receiver.open_batch("hk", endless))
    cn.publish("hk")
    with pytest.raises(MalformedError, match="no feed has that many"):
        cn.receiver.open_batch("hk", author.batch(published(MAX_FOLLOWS + 1), keep=False))


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    clock = ManualClock()
    made = Machine("cn", tmp_path, clock), Machine("hk", tmp_path, clock)
    yield made
    for machine in made:
        machine.stop()


def fetch_back(node: MachineNode, partner: MachineNode) -> None:
    origin = node.origin(partner.name)
    first = node.outgoing.size(origin)
    held = partner.outgoing.feed(origin)
    while held is not None and (batch := partner.outgoing.read_batch(held, first)):
        first = node.writer.run(RecoverCommand(origin, batch, lambda: node.trust))


def said(node: PaperNode, partner: str) -> list[tuple[int, int, int]]:
    """(first, count, outcome) of every disposition in our feed."""
    with node.database.read() as conn:
        feed = feeds.get(conn, node.origin(partner))
        stored = feeds.read_entries(conn, feed.id, 0, feed.size)
    events = [parse_event(one.payload) for one in stored]
    return [
        (e.disposition.index, e.disposition.count, e.disposition.outcome) for e in events if e.HasField("disposition")
    ]


def test_an_own_step_that_comes_back_first_waits_for_the_alert_it_speaks_of(machines: tuple[Machine, Machine]) -> None:
    cn, hk = machines
    backup = hk.backup()
    alert_id = cn.node.publish("hk")
    exchange(cn.node, hk.node)
    hk.node.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    question = alert_pb2.AlertQuestion(question_id=cn.node.publisher.new_id(), text="Which seal?")
    question.deadline.FromMilliseconds(hk.node.clock.now + 60_000)
    hk.node.step("cn", alert_id, question=question)
    exchange(cn.node, hk.node)
    lives, answers = hk.node.lives(), said(hk.node, "cn")
    assert lives == cn.node.lives()

    hk.restore(backup)
    fetch_back(hk.node, cn.node)  # our feed first
    hk.node.settle()
    origin = hk.node.origin("cn")
    with pytest.raises(FeedBehindError, match=r"3 own entries wait for entries of cn .* they come with the link"):
        deliver(hk.node, cn.node)
    assert hk.node.state("cn") is FeedState.BEHIND
    with pytest.raises(FeedBehindError, match="3 own entries wait"):
        hk.node.publish("cn")
    assert hk.node.lives() == {}

    deliver(cn.node, hk.node)  # and now the partner's alert
    hk.node.settle()
    assert hk.node.lives() == lives
    assert deliver(hk.node, cn.node) == 0
    assert hk.node.state_of(origin) is FeedState.ACTIVE
    hk.node.publish("cn")
    exchange(cn.node, hk.node)
    assert hk.node.lives() == cn.node.lives()
    assert said(hk.node, "cn") == answers, "nothing is answered twice"


def test_what_both_sides_have_lost_holds_nothing_up_once_the_operator_has_recovered(
    machines: tuple[Machine, Machine], caplog: pytest.LogCaptureFixture
) -> None:
    """cn acknowledges an alert of hk and is restored; hk is restored while cn's acknowledgement waits at cn."""
    cn, hk = machines
    before_alert = hk.backup()
    empty = cn.backup()
    alert_id = hk.node.publish("cn")
    deliver(hk.node, cn.node)
    cn.node.settle()
    cn.node.step("hk", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    deliver(cn.node, hk.node)
    cn.restore(empty)
    fetch_back(cn.node, hk.node)
    hk.restore(before_alert)  # and nobody has the alert any more
    feed = cn.node.outgoing.feed(cn.node.origin("hk"))
    assert feed is not None
    assert feed.waiting == feed.size == 2
    with caplog.at_level(logging.CRITICAL):
        assert cn.node.writer.run(ForceCommand(feed.origin)) == 2
    assert "2 entries of gba.customs.example/cn/hk/alerts" in caplog.text
    with pytest.raises(FeedBehindError, match="signed 1 entry, and the database has 0"):
        deliver(hk.node, cn.node)
    with pytest.raises(EpochNeededError, match="cn has receipted 1 entry"):
        hk.node.writer.run(GiveUpCommand(hk.node.origin("cn")))
    deliver(cn.node, hk.node)
    cn.node.settle()
    hk.node.settle()
    assert cn.node.lives() == hk.node.lives() == {}


def test_an_entry_stays_in_place_when_projections_are_built_again(machines: tuple[Machine, Machine]) -> None:
    cn, hk = machines
    backup = hk.backup()
    for _ in range(3):
        alert_id = cn.node.publish("hk")
        exchange(cn.node, hk.node)
        hk.node.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
        cn.node.amend(alert_id, 2, **{"case_reference": alert_content(1).case_reference})
        exchange(cn.node, hk.node)
    hk.restore(backup)
    fetch_back(hk.node, cn.node)
    exchange(cn.node)
    deliver(cn.node, hk.node)
    hk.node.settle()
    live = hk.node.projections()
    hk.node.rebuild()
    assert hk.node.projections() == live
    assert hk.node.lives() == cn.node.lives()
