"""Group commit: concurrent commands share one transaction, one signature per feed and one fsync.

1. Results follow the commit.
2. A command that raises a GatewayError has written nothing; its group continues.
3. If the transaction fails, the whole group fails and nothing is written.
4. After any other exception, commands run again singly, so that only the faulty one fails.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import Connection

from gateway.db.database import Database, settled
from gateway.db.membership import Membership, SoleProcess
from gateway.errors import MarksBehindError, SigningKeyUnavailableError, StoreUnavailableError
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.writing.command_queue import (
    RETRY_AFTER_S,
    CommandQueue,
    Done,
    NoCommand,
    Outcome,
    Submission,
    Urgency,
    outcome_of,
)
from gateway.feed.service.writing.commits import COMMANDS, PROJECTION, Announcer, Commit, WriterMetrics
from gateway.feed.service.writing.transaction import (
    Clock,
    Command,
    EntryProjector,
    LogSigners,
    Transaction,
    marked_transaction,
)
from gateway.feed.tables.journal import HeadMovedError
from gateway.telemetry.metrics import Metrics
from gateway.trust import tables as audit
from gateway.trust.service.audit_queue import AuditQueue

log = logging.getLogger(__name__)

PROJECTIONS: Final = "projections"
"""Role of the replica that projects what isn't projected along with a commit."""

PROJECTION_CHUNK = 500
"""Entries projected at once: publishing waits a fraction of a second."""

TURN_S = 0.1
"""Longest projection transaction, in seconds; a waiting command ends it after a chunk."""

PROJECTION_SHARE = 0.25
"""Projection's share of time while commands wait: durability first."""

PROJECT_ALONG_WEIGHT = 100
"""Largest group projected in its transaction: an alert then takes one commit, not two."""

GATHER_S_EACH = 0.0003
GATHER_S_MOST = 0.005
"""Wait for a group, in seconds: per further command of the last group, and in all."""

PAGES_ALONG = 3
"""Most chunks projected with a group: its entries, dispositions, and reserve."""

ANSWER_S = 0.05
"""How long answers to a few applied entries wait for others, in seconds: nobody waits for them."""

JOIN_S = 0.02
"""How much earlier they join a group that commits anyway, in seconds."""

TAKEN_OVER_S = 1.0
"""Seconds after which the replica that projects answers what another one may have left."""

_IDLE_S = 1.0
"""Interval of an idle writer's checks, in seconds: roles that other replicas leave, and events that weren't stored."""

_ALONE_S = 60.0
"""The same where there can be no other replica, and everything wakes the writer."""

AUDIT_S = 0.1
"""How long audit events of calls without a commit wait for others, in seconds."""

_HEAD_RETRIES = 20

ResultT = TypeVar("ResultT")


class Writer:
    """Runs commands on the feeds of `own_node` in one thread. `submit` and `run` are thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        own_node: str,
        signers: LogSigners,
        clock: Clock,
        audit_queue: AuditQueue,
        projector: EntryProjector,
        history: OwnHistory | None = None,
        metrics: Metrics | None = None,
        membership: Membership | None = None,
    ) -> None:
        """
        Args:
            history: marks of our feeds outside the database; None where nothing leaves the process.
            membership: None for the only process on its database.
        """
        self._metrics = WriterMetrics(metrics or Metrics(), own_node)
        self._database = database
        self._history = history
        self._membership = SoleProcess() if membership is None else membership
        self._announcer = Announcer(self._membership)
        self.own_node = own_node
        self._signers = signers
        self._clock = clock
        self._audit = audit_queue
        self._projector = projector
        self._queue = CommandQueue()
        audit_queue.on_event(lambda: self._queue.look_within(AUDIT_S))
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
        self._more_to_project = True
        self._told: bool | None = None  # whether another replica left entries unprojected; None without news
        self._turn_s = TURN_S
        self._project_again_at = 0.0  # under load
        self._gather_s = 0.0
        self._blocked_until = 0.0  # after a failure
        self._answer_at = 0.0  # at the start: what waited before it

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Items that wait to be written."""
        return self._queue.weight

    def stop(self) -> None:
        """Runs submitted commands and stops."""
        self._queue.close()
        self._thread.join()

    def on_commit(self, listener: Callable[[Commit], None]) -> None:
        """Calls `listener` with each commit, of other replicas too, in any thread; it must not block.

        Listeners are called in the order in which they were added.
        """
        self._announcer.add(listener)

    def on_replica_commit(self, commit: Commit) -> None:
        """Takes note of another replica's commit, and passes it on; thread-safe."""
        self._told = bool(self._told) or commit.unprojected
        self._queue.look_within(0.0)
        self._announcer.pass_on(commit)

    def submit(
        self,
        command: Command[object],
        done: Done,
        *,
        caller: str = "",
        deferrable: bool = False,
        urgency: Urgency = Urgency.ORDINARY,
    ) -> None:
        """Queues a command.

        Args:
            done: called in the writer's thread.
            caller: callers take turns; empty for the node's own work.
            urgency: its place among the caller's commands.
            deferrable: may wait DEFER_S to share a commit.

        Raises:
            OverloadedError: the queue is full.
            StoreUnavailableError: the gateway is stopping.
        """
        self._queue.put((command, done), caller=caller, deferrable=deferrable, urgency=urgency)

    def run(self, command: Command[ResultT]) -> ResultT:
        """Waits for a command's result; raises its error."""
        future: Future[ResultT] = Future()

        def done(outcome: Outcome) -> None:
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)

        self.submit(command, done)
        return future.result()

    def flush_audit(self) -> None:
        """Commits the audit events that wait, merged ones too; raises StoreUnavailableError."""
        self._audit.flush()
        while waiting := len(self._audit):
            self.run(NoCommand())
            if len(self._audit) >= waiting:
                return

    def _loop(self) -> None:
        while not self._queue.is_closed:
            if self._queue.wait(self._wait_s()) and self._gather_s:
                time.sleep(self._gather_s)
            group = self._queue.take()
            self._apply_replica_notices()
            if group:
                self._gather_s = min(GATHER_S_EACH * (len(group) - 1), GATHER_S_MOST)
                self._commit(group)
            elif len(self._audit) or time.monotonic() >= self._answer_at:
                self._commit([])
            if self._may_project():
                self._project()
        self._commit_last_events()

    def _apply_replica_notices(self) -> None:
        """Learns from other replicas whether entries wait; the one that projects finds out itself that none is left."""
        told, self._told = self._told, None
        if told is not None and self._projects:
            self._answer_at = min(self._answer_at, time.monotonic() + TAKEN_OVER_S)
        if told or (told is not None and not self._projects):
            self._more_to_project = told

    @property
    def _projects(self) -> bool:
        return self._membership.holds(PROJECTIONS)

    def _commit_last_events(self) -> None:
        """Commits the audit events and answers that are left at a stop, as long as that succeeds."""
        self._audit.flush()
        if self._answer_at < math.inf:
            self._answer_at = 0.0
            self._commit([])
        while waiting := len(self._audit):
            self._commit([])
            if len(self._audit) >= waiting:
                return

    def _wait_s(self) -> float:
        due_at = self._answer_at
        if self._more_to_project and self._projects:
            due_at = min(due_at, self._blocked_until)
        is_quiet = isinstance(self._membership, SoleProcess) and not len(self._audit)
        idle_s = min(self._audit.next_end_in_s, _ALONE_S) if is_quiet else _IDLE_S
        return min(idle_s, max(0.0, due_at - time.monotonic()))

    def _may_project(self) -> bool:
        if not (self._more_to_project and self._projects):
            return False
        now = time.monotonic()
        return now >= self._blocked_until and (now >= self._project_again_at or self._queue.is_empty)

    def _commit(self, group: list[Submission]) -> None:
        try:
            with self._metrics.timed(COMMANDS, sum(command.weight for command, _ in group)):
                outcomes = self._while_head_moves(lambda: self._transact([command for command, _ in group]))
        except SigningKeyUnavailableError as error:  # its alarm says it, and this comes with each attempt
            outcomes = [Outcome(error=error)] * len(group)
        except StoreUnavailableError as error:
            log.error("commit failed: %s", error)
            outcomes = [Outcome(error=error)] * len(group)
        except Exception as error:
            log.exception("a command failed unexpectedly")
            if len(group) > 1:
                for submission in group:
                    self._commit([submission])
                return
            outcomes = [Outcome(error=error)] * len(group)
        # A crash here leaves a durable group without answers: callers resend the request ids and get stored answers.
        for (_, done), outcome in zip(group, outcomes, strict=True):
            done(outcome)

    def _transact(self, commands: Sequence[Command[object]]) -> list[Outcome]:
        along = not self._more_to_project and sum(command.weight for command in commands) <= PROJECT_ALONG_WEIGHT
        now = time.monotonic()
        answer = now >= self._answer_at - (JOIN_S if commands else 0.0)
        if answer:
            self._answer_at = now + RETRY_AFTER_S  # unless it succeeds
        try:
            return self._transact_once(commands, along=along, answer=answer)
        except _ProjectionFailedError:
            log.exception("projection failed; it is tried again after the commit")
            return self._transact_once(commands, along=False, answer=False)

    def _transact_once(self, commands: Sequence[Command[object]], *, along: bool, answer: bool) -> list[Outcome]:
        # A crash inside the block changes nothing, and nothing has left the process. A failure returns the audit events
        # to their queue.
        with self._announcer.deferred_until_marked(), self._audit.drained() as events, self._transaction() as tx:
            if answer:
                with _projecting("answering applied entries"):
                    tx.answer()  # first: what commands read of feeds afterwards holds to the end
            outcomes = [outcome_of(command, tx) for command in commands]
            tx.seal()  # entries, tiles, checkpoint and local log of each feed
            along = along and bool(tx.touched)
            more = True
            if along:
                with _projecting("projecting a group along with its commit"), settled(tx.conn):
                    more = all(tx.project(PROJECTION_CHUNK, isolated=False) for _ in range(PAGES_ALONG))
            if events:
                audit.append(tx.conn, events)
            self._announcer.stage_notice(tx, projected=along, unprojected=more and bool(tx.touched))
        # After a crash here, links, streams and projector resume from the database.
        if tx.touched:
            self._more_to_project = more
        if answer:
            self._answer_at = math.inf
        self._committed(tx)
        return outcomes

    def _committed(self, tx: Transaction) -> None:
        if tx.unanswered:
            self._answer_at = min(self._answer_at, time.monotonic() + ANSWER_S)
        self._metrics.added(tx.added)
        self._announcer.announce()

    def _project(self) -> None:
        started = time.monotonic()
        try:
            with self._metrics.timed(PROJECTION):
                self._while_head_moves(self._project_turn)
            self._turn_s = TURN_S
        except Exception as error:
            if isinstance(error, StoreUnavailableError):
                log.error("projection waits for the database: %s", error)
            else:
                log.exception("projection failed; it is tried again")
            self._turn_s = 0.0  # one chunk per commit
            self._blocked_until = time.monotonic() + RETRY_AFTER_S
        ended = time.monotonic()
        self._project_again_at = ended + (ended - started) * (1 / PROJECTION_SHARE - 1)

    def _project_turn(self) -> None:
        # Projections, progress and dispositions share one transaction: a crash before its commit repeats it without
        # duplicate dispositions.
        with self._announcer.deferred_until_marked(), self._transaction() as tx:
            until = time.monotonic() + self._turn_s
            more = True
            while more:
                more = tx.project(PROJECTION_CHUNK)
                if time.monotonic() >= until or self._queue.weight:
                    break
            self._announcer.stage_notice(tx, projected=True, unprojected=more)
        self._more_to_project = more
        self._committed(tx)

    def _while_head_moves(self, attempt: Callable[[], ResultT]) -> ResultT:
        """Retries while other replicas move a feed's head first."""
        for _ in range(_HEAD_RETRIES):
            try:
                return attempt()
            except HeadMovedError as error:
                log.info("retrying: %s", error)
        raise StoreUnavailableError("other writers kept moving the feed's head", retry_after_s=RETRY_AFTER_S)

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        """A transaction whose own feeds are compared with the marks before it, and marked with its commit."""
        try:
            with marked_transaction(self._database, self._history, self._begun) as tx:
                yield tx
        except MarksBehindError:  # it is committed: what it leaves to do, and to tell, must not wait for a command
            self._more_to_project = True
            self._answer_at = min(self._answer_at, time.monotonic() + RETRY_AFTER_S)
            raise

    def _begun(self, conn: Connection) -> Transaction:
        return Transaction(
            conn,
            own_node=self.own_node,
            signers=self._signers,
            now_ms=self._clock(),
            projector=self._projector,
            history=self._history,
        )


class _ProjectionFailedError(Exception):
    """Rolls back; the commands run again without projection."""


@contextmanager
def _projecting(what: str) -> Iterator[None]:
    """Tells a defect of a projection from one of a command."""
    try:
        yield
    except (StoreUnavailableError, HeadMovedError):
        raise
    except Exception as error:
        raise _ProjectionFailedError(f"{what} failed") from error
