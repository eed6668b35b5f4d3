"""Group commit: what callers share, and what of one doesn't touch another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.alerts.tables import copies as alerts
from gateway.contract import limits
from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import NotFoundError, OverloadedError, StoreUnavailableError
from gateway.feed.codec import make_entry
from gateway.feed.service.writing import command_queue
from gateway.feed.service.writing import writer as commit
from gateway.feed.service.writing.command_queue import QUEUE_WEIGHT, Outcome
from gateway.feed.service.writing.commits import PROJECTED, Commit
from gateway.feed.service.writing.transaction import EntryPosition, Transaction
from gateway.feed.service.writing.writer import Writer
from gateway.feed.tables import journal, schema
from gateway.feed.tables.journal import HeadMovedError
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

pytestmark = pytest.mark.both_databases


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn",)) as (made,):
        yield made


@dataclass
class Append:
    """Appends one entry to a feed; may fail before that, or after."""

    origin: FeedOrigin
    before: Exception | None = None
    after: Exception | None = None
    weight: int = 1
    executed: int = 0
    payload: bytes = b"x"
    entered: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event | None = None

    def execute(self, tx: Transaction) -> EntryPosition:
        self.executed += 1
        self.entered.set()
        if self.go_on is not None:
            assert self.go_on.wait(10)
        if self.before is not None:
            raise self.before
        place = tx.append(self.origin, make_entry("Test", self.payload, salt=bytes(32), recorded_at_ms=tx.now_ms))
        if self.after is not None:
            raise self.after
        return place


def together(node: PaperNode, *commands: Append) -> list[Outcome]:
    """The commands wait together behind one that holds the writer, so they are one group."""
    go_on = threading.Event()
    holding = Append(node.origin("mo"), go_on=go_on)
    futures: list[Future[Outcome]] = [Future() for _ in (holding, *commands)]
    node.writer.submit(holding, futures[0].set_result)
    assert holding.entered.wait(10)
    for work, future in zip(commands, futures[1:], strict=True):
        node.writer.submit(work, future.set_result)
    go_on.set()
    return [future.result(10) for future in futures[1:]]


def count(database: Database, table: Any, origin: FeedOrigin) -> int:
    with database.read() as conn:
        found = conn.execute(
            select(func.count())
            .select_from(table)
            .join(schema.feeds, schema.feeds.c.id == table.c.feed_id)
            .where(schema.feeds.c.origin == origin.line)
        )
        return int(found.scalar_one())


def sizes(node: PaperNode) -> tuple[int, int, int]:
    """Entries, checkpoints and journal runs in the feed to hk."""
    origin = node.origin("hk")
    tables = (schema.entries, schema.checkpoints, schema.journal)
    found = [count(node.database, table, origin) for table in tables]
    return found[0], found[1], found[2]


def test_those_who_wait_together_share_a_transaction_and_a_signature(node: PaperNode) -> None:
    hk = node.origin("hk")
    outcomes = together(node, *[Append(hk) for _ in range(20)])
    assert [outcome.result for outcome in outcomes] == [EntryPosition(hk, index) for index in range(20)]
    assert sizes(node) == (20, 1, 1)


def test_a_refused_work_doesnt_disturb_its_group(node: PaperNode) -> None:
    hk, refusal = node.origin("hk"), NotFoundError("no such thing")
    commands = [Append(hk), Append(hk, before=refusal), Append(hk)]
    outcomes = together(node, *commands)
    assert [outcome.error for outcome in outcomes] == [None, refusal, None]
    assert sizes(node) == (2, 1, 1)
    assert [command.executed for command in commands] == [1, 1, 1]


def test_an_unexpected_exception_hits_only_its_cause(node: PaperNode) -> None:
    hk, defect = node.origin("hk"), ZeroDivisionError("a defect")
    outcomes = together(node, Append(hk), Append(hk, after=defect), Append(hk))
    assert [outcome.error for outcome in outcomes] == [None, defect, None]
    assert [outcome.result for outcome in outcomes if outcome.error is None] == [
        EntryPosition(hk, 0),
        EntryPosition(hk, 1),
    ]
    assert sizes(node)[0] == 2, "what it had appended before it failed is not there"


def test_when_the_store_is_unavailable_all_fail_and_nothing_is_written(node: PaperNode) -> None:
    hk, full = node.origin("hk"), StoreUnavailableError("disk full", retry_after_s=1)
    outcomes = together(node, Append(hk), Append(hk, after=full), Append(hk))
    assert [outcome.error for outcome in outcomes] == [full] * 3
    assert sizes(node) == (0, 0, 0)
    assert node.writer.run(Append(hk)) == EntryPosition(hk, 0), "and it recovers by itself"


def test_a_moved_head_is_tried_again(node: PaperNode) -> None:
    hk = node.origin("hk")

    class Once(Append):
        def execute(self, tx: Transaction) -> EntryPosition:
            place = super().execute(tx)
            if self.executed == 1:
                raise HeadMovedError("another replica was first")
            return place

    command = Once(hk)
    assert node.writer.run(command) == EntryPosition(hk, 0)
    assert command.executed == 2
    assert sizes(node) == (1, 1, 1)


def test_a_head_that_keeps_moving_is_unavailable_and_nothing_is_written(node: PaperNode) -> None:
    with pytest.raises(StoreUnavailableError):
        node.writer.run(Append(node.origin("hk"), after=HeadMovedError("again")))
    assert sizes(node) == (0, 0, 0)


def test_one_checkpoint_covers_no_more_than_a_batch_takes(node: PaperNode) -> None:
    hk = node.origin("hk")

    class Many(Append):
        def execute(self, tx: Transaction) -> EntryPosition:
            for _ in range(limits.BATCH_ENTRIES + 1):
                place = super().execute(tx)
            return place

    node.writer.run(Many(hk))
    assert sizes(node) == (limits.BATCH_ENTRIES + 1, 2, 2)


def test_one_checkpoint_covers_no_more_bytes_than_a_batch_takes(node: PaperNode) -> None:
    hk = node.origin("hk")
    large = bytes(limits.MAX_PAYLOAD_BYTES - 1)
    together(node, *[Append(hk, payload=large) for _ in range(30)])
    feed, first, batches = node.outgoing.feed(hk), 0, 0
    assert feed is not None
    while batch := node.outgoing.read_batch(feed, first):
        assert sum(len(e.header) + len(e.salt) + len(e.payload) for e in batch.entries) <= limits.MAX_BATCH_BYTES
        assert batch.ByteSize() <= limits.MAX_MESSAGE_BYTES
        first += len(batch.entries)
        batches += 1
    assert first == 30
    assert batches >= 3


def test_listeners_hear_of_a_commit_after_it_and_never_without_one(node: PaperNode) -> None:
    hk = node.origin("hk")
    heard: list[Commit] = []
    seen: list[int] = []

    def listen(committed: Commit) -> None:
        heard.append(committed)
        seen.append(node.outgoing.size(hk))

    node.writer.on_commit(listen)
    with pytest.raises(ZeroDivisionError):
        node.writer.run(Append(hk, after=ZeroDivisionError()))
    assert not any(hk in one.feeds for one in heard)
    node.writer.run(Append(hk))
    assert any(hk in one.feeds for one in heard)
    assert seen[-1] == 1


def test_many_callers_each_get_their_own_place(node: PaperNode) -> None:
    hk = node.origin("hk")
    with ThreadPoolExecutor(16) as pool:
        places = list(pool.map(lambda _: node.writer.run(Append(hk)), range(200)))
    assert sorted(place.index for place in places) == list(range(200))
    entries, checkpoints, _ = sizes(node)
    assert entries == 200
    assert checkpoints < 200


def test_too_much_waiting_is_refused_with_a_time_to_come_back(node: PaperNode) -> None:
    go_on = threading.Event()
    holding = Append(node.origin("mo"), go_on=go_on)
    held: Future[Outcome] = Future()
    heavy: Future[Outcome] = Future()
    node.writer.submit(holding, held.set_result)
    assert holding.entered.wait(10)
    try:
        node.writer.submit(Append(node.origin("hk"), weight=QUEUE_WEIGHT), heavy.set_result)
        with pytest.raises(OverloadedError) as refused:
            node.writer.submit(Append(node.origin("hk")), lambda _: None)
        assert refused.value.retry_after_s
    finally:
        go_on.set()
    assert heavy.result(10).error is None
    node.writer.run(Append(node.origin("hk")))


def _writer(node: PaperNode) -> Writer:
    return Writer(
        node.database,
        own_node=node.name,
        signers=node.signers,
        clock=node.clock,
        audit_queue=node.audit,
        projector=node.projector,
    )


def test_what_was_submitted_is_finished_at_a_stop_and_nothing_is_taken_after(node: PaperNode) -> None:
    writer, hk = _writer(node), node.origin("hk")
    writer.start()
    done: list[Outcome] = []
    for _ in range(50):
        writer.submit(Append(hk), done.append)
    writer.stop()
    assert [outcome.error for outcome in done] == [None] * 50
    with pytest.raises(StoreUnavailableError):
        writer.submit(Append(hk), done.append)


def test_whoever_submits_while_it_stops_gets_an_answer(node: PaperNode) -> None:
    """The caller has passed the check for a stopped writer when the writer is stopped."""
    writer, hk = _writer(node), node.origin("hk")
    writer.start()
    weighing, stopping = threading.Event(), threading.Event()

    class Slow(Append):
        @property
        def weight(self) -> int:  # type: ignore[override]
            weighing.set()
            assert stopping.wait(10)
            return 1

        @weight.setter
        def weight(self, _: int) -> None: ...

    future: Future[Outcome] = Future()

    def submit() -> None:
        try:
            writer.submit(Slow(hk), future.set_result)
        except StoreUnavailableError as error:
            future.set_result(Outcome(error=error))

    caller, stopper = threading.Thread(target=submit), threading.Thread(target=writer.stop)
    caller.start()
    assert weighing.wait(10)
    stopper.start()
    stopper.join(0.2)  # time enough to stop, unless the caller holds it up
    stopping.set()
    caller.join(10)
    outcome = future.result(5)
    stopper.join(10)
    assert outcome.error is None or isinstance(outcome.error, StoreUnavailableError)


def _heard(node: PaperNode) -> list[Commit]:
    heard: list[Commit] = []
    node.writer.on_commit(heard.append)
    return heard


def test_a_lone_alert_is_projected_in_its_own_transaction(node: PaperNode) -> None:
    node.publish("hk")  # by now nothing is left to project
    heard = _heard(node)
    alert_id = node.publish("hk")
    first = heard[0]
    assert first.feeds == first.urgent == {node.origin("hk")}
    assert first.sizes == {node.origin("hk"): 2}
    assert PROJECTED in first.topics
    with node.database.read() as conn:
        (row,) = alerts.copies(conn, "cn", alert_id)
        assert journal.projected_position(conn) == journal.head_position(conn)
    assert row.first_idx == 1


def test_a_large_group_is_durable_before_it_is_projected(node: PaperNode) -> None:
    node.publish("hk")
    heard = _heard(node)
    node.writer.run(Append(node.origin("hk"), weight=commit.PROJECT_ALONG_WEIGHT + 1))
    assert PROJECTED not in heard[0].topics


def test_a_work_that_leaves_much_to_project_is_durable_before_all_of_it(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a recovery, when everything is projected again: one transaction doesn't hold all of it up."""
    for _ in range(commit.PAGES_ALONG + 3):
        node.publish("hk")
    node.settle()
    monkeypatch.setattr(commit, "PROJECTION_CHUNK", 1)

    class ProjectsAgain(Append):
        def execute(self, tx: Transaction) -> int:
            tx.clear_projections()
            tx.touched.add(self.origin)
            return 0

    reached: list[int] = []

    def listen(_: Commit) -> None:
        with node.database.read() as conn:
            reached.append(journal.projected_position(conn))

    node.writer.on_commit(listen)
    node.writer.run(ProjectsAgain(node.origin("hk")))
    node.settle()
    assert reached[0] == commit.PAGES_ALONG
    with node.database.read() as conn:
        assert journal.projected_position(conn) == journal.head_position(conn)


def test_a_projector_that_fails_delays_no_commit(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node.publish("hk")
    heard = _heard(node)

    def fail(*_: object) -> bool:
        raise ZeroDivisionError("a defect in projecting")

    monkeypatch.setattr(node.projector, "advance", fail)
    assert node.writer.run(Append(node.origin("hk"))) == EntryPosition(node.origin("hk"), 1)
    assert [PROJECTED in one.topics for one in heard] == [False]
    assert sizes(node)[0] == 2


class _Backlog:
    """A projector with so many chunks left to do; each has to be let go, until all may, or fails."""

    def __init__(self, chunks: int) -> None:
        self.left = chunks
        self.all_may_go = False
        self.began = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.failing: Exception | None = None
        self.turns: list[Transaction] = []

    def advance(self, tx: Transaction, _limit: int, *, isolated: bool) -> bool:
        if not self.left:
            return False
        self.turns.append(tx)
        self.began.release()
        assert self.all_may_go or self.go_on.acquire(timeout=10)
        if self.failing is not None and self.left == 1:
            raise self.failing
        self.left -= 1
        return self.left > 0


def test_a_backlog_is_projected_in_few_transactions_while_nothing_waits(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.settle()
    monkeypatch.setattr(commit, "TURN_S", 60.0)
    backlog = _Backlog(6)
    backlog.go_on.release(6)
    monkeypatch.setattr(node.projector, "advance", backlog.advance)
    node.writer._turn_s = commit.TURN_S
    node.writer.run(Append(node.origin("hk"), weight=commit.PROJECT_ALONG_WEIGHT + 1))
    for _ in range(6):
        assert backlog.began.acquire(timeout=10)
    node.settle()
    assert len(set(map(id, backlog.turns))) == 1


@pytest.mark.parametrize("patient", [False, True])
def test_what_comes_during_a_backlog_waits_for_one_chunk_of_it_alone(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch, patient: bool
) -> None:
    """A list of a million entries takes effect, and an alert is published: it isn't the list that it waits for."""
    node.settle()
    backlog = _Backlog(1_000_000)
    monkeypatch.setattr(node.projector, "advance", backlog.advance)
    node.writer._turn_s = 60.0
    node.writer.run(Append(node.origin("hk"), weight=commit.PROJECT_ALONG_WEIGHT + 1))
    for _ in range(3):
        assert backlog.began.acquire(timeout=10)
        backlog.go_on.release()
    assert backlog.began.acquire(timeout=10)  # the fourth is under way
    urgent = Append(node.origin("hk"))
    future: Future[Outcome] = Future()
    node.writer.submit(urgent, future.set_result, deferrable=patient)
    # One that is kept back for a moment: the backlog goes on chunk by chunk meanwhile.
    backlog.all_may_go = patient
    backlog.go_on.release()
    assert future.result(10).result == EntryPosition(node.origin("hk"), 1)
    assert backlog.left == 999_996 or (patient and backlog.left > 0)
    backlog.left = 1
    backlog.go_on.release(2)


def test_a_chunk_that_fails_takes_none_before_it_back_for_long(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.settle()
    monkeypatch.setattr(commit, "RETRY_AFTER_S", 0.01)
    backlog = _Backlog(3)
    backlog.go_on.release(100)
    backlog.failing = ZeroDivisionError("a defect in projecting")
    monkeypatch.setattr(node.projector, "advance", backlog.advance)
    node.writer._turn_s = 60.0
    heard = _heard(node)
    node.writer.run(Append(node.origin("hk"), weight=commit.PROJECT_ALONG_WEIGHT + 1))
    for _ in range(5):  # two good ones and the bad one in one turn, and then the bad one alone, again and again
        assert backlog.began.acquire(timeout=10)
    backlog.failing = None
    node.settle()
    turns = [list(map(id, backlog.turns)).count(one) for one in dict.fromkeys(map(id, backlog.turns))]
    assert turns[0] == 3
    assert set(turns[1:]) == {1}
    assert heard


def test_a_deferrable_command_shares_the_commit_of_the_next(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_queue, "DEFER_S", 30.0)
    node.publish("hk")
    heard, kept = _heard(node), Future[Outcome]()
    node.writer.submit(Append(node.origin("mo")), kept.set_result, deferrable=True)
    with pytest.raises(TimeoutError):
        kept.result(0.2)
    node.writer.run(Append(node.origin("hk")))
    assert kept.result(10).error is None
    assert heard[0].feeds == {node.origin("hk"), node.origin("mo")}


def test_patient_work_is_done_by_itself_and_before_a_stop(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Future[Outcome]()
    node.writer.submit(Append(node.origin("mo")), alone.set_result, deferrable=True)
    assert alone.result(10).error is None
    monkeypatch.setattr(command_queue, "DEFER_S", 30.0)
    writer, last = _writer(node), Future[Outcome]()
    writer.start()
    writer.submit(Append(node.origin("mo")), last.set_result, deferrable=True)
    writer.stop()
    assert last.result(0).error is None
