"""Nodes for state machines: the product's own code, driven step by step in the test's thread, so that runs repeat.

What is checked, stored and projected is the product's; the writer's thread alone is left out: the same methods are
called in the same order by `StillWriter`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from gateway.alerts.service import AlertQueries
from gateway.alerts.tables import copies as alerts
from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import StoreUnavailableError
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.own_history import OwnHistory
from gateway.feed.service.continuity.recovery import RecoverCommand, Start, detect_restore, own_feeds
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.writing.command_queue import Outcome
from gateway.feed.service.writing.transaction import Command, Transaction
from gateway.feed.service.writing.writer import Writer
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import FeedState
from gateway.node.backups.known import ReceiptKeeper
from gateway.trust.rules.directory import receipts_key_name
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.databases import migrated_file
from tests.support.nodes import NODES, ManualClock, NodeSigners, PaperNode, federation, signer, trusted


class FailingDatabase(Database):
    """A database whose next commit can be made to fail: before it is durable, or after it, without an answer."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.fail_before = False
        self.fail_after = False

    @contextmanager
    def write(self, *, ahead: bool = False) -> Iterator[Connection]:
        before, after = self.fail_before, self.fail_after
        self.fail_before = self.fail_after = False
        with super().write(ahead=ahead) as conn:
            yield conn
            if before:
                raise StoreUnavailableError("the disk is full")
        if after:
            raise StoreUnavailableError("the answer of the database was lost")


class StillWriter(Writer):
    """The writer without its thread: `run` and `run_group` commit at once, `project` projects what there is."""

    def run(self, command: Command) -> Any:
        (outcome,) = self.run_group([command])
        if outcome.error is not None:
            raise outcome.error
        return outcome.result

    def run_group(self, commands: Sequence[Command]) -> list[Outcome]:
        """Runs commands as the writer runs those that wait together."""
        futures: list[Future[Outcome]] = [Future() for _ in commands]
        self._commit([(command, future.set_result) for command, future in zip(commands, futures, strict=True)])
        return [future.result(timeout=0) for future in futures]

    def project(self) -> None:
        """Projects and answers until nothing is left."""
        self._more_to_project = True
        while self._more_to_project:
            while self._more_to_project:
                self._project()
            self.answer()

    def answer(self) -> None:
        """Answers what waits for others, so that a slow machine doesn't do so with the next command."""
        self._answer_at = 0.0
        self._commit([])


class MachineNode(PaperNode):
    """A node on a SQLite file that can be thrown away in memory, backed up and restored."""

    writer: StillWriter
    database: FailingDatabase

    def __post_init__(self) -> None:
        super().__post_init__()
        self.writer = StillWriter(
            self.database,
            own_node=self.name,
            signers=self.signers,
            clock=self.clock,
            audit_queue=self.audit,
            projector=self.projector,
            history=self.history,
        )
        self.outgoing = Outgoing(
            self.database,
            writer=self.writer,
            trust=lambda: self.trust,
            clock=self.clock,
            marks=None if self.history is None else self.history.marks,
        )
        self.queries = AlertQueries(self.database, clock=self.clock, sent_size=lambda _: 0)

    def settle(self) -> None:
        self.writer.project()

    def state(self, recipient: str) -> FeedState:
        """Whether our feed to a partner may move."""
        return self.state_of(self.origin(recipient))

    def state_of(self, origin: FeedOrigin) -> FeedState:
        """Whether a feed may move."""
        feed = self.outgoing.feed(origin)
        return FeedState.ACTIVE if feed is None else feed.state

    def marked(self, origin: FeedOrigin) -> int:
        """Entries of an own feed that were committed here, by the marks."""
        mark = None if self.history is None else self.history.marks.of(origin)
        return 0 if mark is None else mark.committed.size

    def lives(self) -> dict[tuple[str, str, str], object]:
        """Every copy of an alert as projected: (publisher, id, recipient) to its AlertLife."""
        with self.database.read() as conn:
            found = alerts.list_page(conn, [], before=None, limit=1_000_000)
        return {(row.key.publisher, row.key.alert_id, row.key.recipient): row.life for row, _ in found}

    def projections(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all projections, in order of their keys."""
        with self.database.read() as conn:
            return {
                table.name: [tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key.columns))]
                for table in self.projector.tables
            }

    def rebuild(self) -> None:
        """Drops the projections and builds them again, as `gateway rebuild` does."""
        with self.database.write() as conn:
            self.projector.clear(conn)
        self.settle()

    def sizes(self) -> dict[str, int]:
        """Number of entries of each feed that has any."""
        with self.database.read() as conn:
            return {feed.origin.line: feed.size for feed in feeds.list_all(conn) if feed.size}


def machine_node(
    name: str, database: Database, clock: ManualClock, folder: Path, history: OwnHistory | None = None
) -> MachineNode:
    """A node on this database, as after a start; everything that was in memory before is gone."""
    keys = federation(NODES).node(name)
    return MachineNode(
        name=name,
        database=database,
        trust=trusted(NODES),
        clock=clock,
        signers=NodeSigners(signer(keys.log_key, f"{FEDERATION}/{name}/log")),
        cosigner=signer(keys.receipts_key, receipts_key_name(FEDERATION, name)),
        evidence_root=folder / name / "evidence",
        history=history,
    )


class Machine:
    """One node's computer: its disk stays when the node crashes; the marks stay when the database is restored."""

    def __init__(self, name: str, folder: Path, clock: ManualClock) -> None:
        self.name = name
        self.clock = clock
        self._folder = folder
        self.disk = folder / f"{name}.sqlite3"
        self.marks_file = folder / name / "marks"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(migrated_file(), self.disk)
        self._marks = self._opened_marks()
        self._marks.set_up(clock())
        self.node = self._start()

    def crash(self, *, alive: bool = True) -> None:
        """The process is gone, and all it had in memory; alive: until now."""
        self._end(alive=alive)
        self.node = self._start()

    def backup(self) -> Path:
        """A copy of the database as it is now."""
        copy = self._folder / f"{self.name}-{self.clock()}.backup"
        copy_database(self.disk, copy)
        return copy

    def restore(self, backup: Path) -> None:
        """The process is gone, a second after it did its last work, and the database is an older one."""
        self.node.writer.run(_Probe())
        self._end()
        self._remove()
        copy_database(backup, self.disk)
        self.node = self._start()

    def restore_with_marks(self, backup: Path, marks: bytes) -> None:
        """As `restore`, with the marks of then; what stands beside them stays."""
        self.node.writer.run(_Probe())
        self._end()
        self._remove()
        copy_database(backup, self.disk)
        self.marks_file.write_bytes(marks)
        self.node = self._start()

    def lose_disk(self) -> None:
        """The process is gone, and all its files but the keys."""
        self._end()
        self._remove()
        shutil.rmtree(self.marks_file.parent)
        shutil.copyfile(migrated_file(), self.disk)
        self.node = self._start()

    def recover_from(self, partner: PaperNode) -> None:
        """`gateway recover`, as far as the partner has more."""
        origin = self.node.origin(partner.name)
        feed, first = partner.outgoing.feed(origin), self.node.outgoing.size(origin)
        while feed is not None and (batch := partner.outgoing.read_batch(feed, first)):
            first = self.node.writer.run(RecoverCommand(origin, batch, lambda: self.node.trust))

    def stop(self) -> None:
        self._end()

    def _end(self, *, alive: bool = True) -> None:
        if alive:
            ReceiptKeeper(self.node.database, self._marks.releases).keep_up()
            self._marks.keep_up(self.clock())
        self._marks.close()
        self.node.database.close()

    def _remove(self) -> None:
        for leftover in (self.disk, Path(f"{self.disk}-wal"), Path(f"{self.disk}-shm")):
            leftover.unlink(missing_ok=True)

    def _opened_marks(self) -> Marks:
        return Marks(f"{FEDERATION}/{self.name}", [self.marks_file])

    def _start(self) -> MachineNode:
        self._marks.close()
        self._marks = self._opened_marks()
        database = FailingDatabase(f"sqlite:///{self.disk}")
        history = OwnHistory(self._marks, node=self.name)
        own, now = own_feeds(trusted(NODES).directory, self.name), self.clock()
        start = Start(own=own, keys_known_since=now, now_ms=now, starts=self._folder / "starts")
        detect_restore(database, history, start)
        return machine_node(self.name, database, self.clock, self._folder, history)


def copy_database(source: Path, target: Path) -> None:
    """Copies a database as it is now, also over one that is in use."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


class _Probe:
    """What a node commits every second."""

    weight = 1

    def execute(self, tx: Transaction) -> None:
        return


class Raw:
    """Appends an entry to an own feed without any check: what a node with a defect or a bad will would do."""

    weight = 1

    def __init__(self, stage: Callable[[Transaction], Any]) -> None:
        self._stage = stage

    def execute(self, tx: Transaction) -> Any:
        return self._stage(tx)
