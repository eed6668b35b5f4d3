"""Nodes for state machines: the product's own code, driven step by step in the test's thread, so that runs repeat.

What is checked, stored and projected is the product's; the writer's thread alone is left out: the same methods are
called in the same order by `StillWriter`.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from gateway.alerts.service import AlertQueries
from gateway.alerts.tables import copies as alerts
from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import StoreUnavailableError
from gateway.feed.service.command_queue import Outcome
from gateway.feed.service.recovery import detect_restore, note_progress, own_feeds
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.transaction import Command, Transaction
from gateway.feed.service.writer import Writer
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import FeedState
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
    def write(self) -> Iterator[Connection]:
        before, after = self.fail_before, self.fail_after
        self.fail_before = self.fail_after = False
        with super().write() as conn:
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
        """Projects until nothing is left."""
        self._more_to_project = True
        while self._more_to_project:
            self._project()


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
        )
        self.outgoing = Outgoing(self.database, writer=self.writer, trust=lambda: self.trust, clock=self.clock)
        self.queries = AlertQueries(self.database, clock=self.clock, sent_size=lambda _: 0)

    def settle(self) -> None:
        self.writer.project()

    def state(self, recipient: str) -> FeedState:
        """Whether the own feed to a partner may move."""
        return self.state_of(self.origin(recipient))

    def state_of(self, origin: FeedOrigin) -> FeedState:
        """Whether a feed may move."""
        feed = self.outgoing.feed(origin)
        return FeedState.ACTIVE if feed is None else feed.state

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


def machine_node(name: str, database: Database, clock: ManualClock, folder: Path) -> MachineNode:
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
    )


class Machine:
    """One node's computer: its disk stays when the node crashes; the file `starts` stays when the disk is restored."""

    def __init__(self, name: str, folder: Path, clock: ManualClock) -> None:
        self.name = name
        self._folder = folder
        self._clock = clock
        self._marker = folder / name / "starts"
        self._disk = folder / f"{name}.sqlite3"
        shutil.copyfile(migrated_file(), self._disk)
        self.node = self._start()

    def crash(self) -> None:
        """The process is gone, and all it had in memory."""
        self.node.database.close()
        self.node = self._start()

    def backup(self) -> Path:
        """A copy of the database as it is now."""
        copy = self._folder / f"{self.name}-{self._clock()}.backup"
        _copy(self._disk, copy)
        return copy

    def restore(self, backup: Path) -> None:
        """The process is gone, a second after it did its last work, and the database is an older one."""
        note_progress(self.node.database, self._marker)
        self.node.database.close()
        for leftover in (self._disk, Path(f"{self._disk}-wal"), Path(f"{self._disk}-shm")):
            leftover.unlink(missing_ok=True)
        _copy(backup, self._disk)
        self.node = self._start()

    def stop(self) -> None:
        self.node.database.close()

    def _start(self) -> MachineNode:
        database = FailingDatabase(f"sqlite:///{self._disk}")
        own = own_feeds(trusted(NODES).directory, self.name)
        self.restored = detect_restore(database, self._marker, own=own, now_ms=self._clock())
        return machine_node(self.name, database, self._clock, self._folder)


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
        old.backup(new)
    old.close()
    new.close()


class Raw:
    """Appends an entry to an own feed without any check: what a node with a defect or a bad will would do."""

    weight = 1

    def __init__(self, stage: Callable[[Transaction], Any]) -> None:
        self._stage = stage

    def execute(self, tx: Transaction) -> Any:
        return self._stage(tx)
