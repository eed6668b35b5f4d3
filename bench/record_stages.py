"""What each stage of a recorded shipment's way costs: one database, this process alone, no network, one thread.

Figures are processor time per record in microseconds, the least of several rounds, beside a database that holds some
records already. What gRPC costs on top is the batched floor's.

    python -m bench.record_stages [--group N] [--rounds N] [--before N] [--postgresql]
"""

from __future__ import annotations

import gc
import pickle
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import RootTransaction

from bench import shipment_records as made
from bench.history import postgresql_server
from bench.history_fill import NodeSigners, NoProjector, fill
from gateway.db.database import Database
from gateway.feed.service.writing.transaction import Command, Transaction
from gateway.history.commands.record import RecordCommand, check, records_feed
from gateway.history.projection.index import IndexCommand
from gateway.history.rpc.loops import BATCHES
from gateway.history.service.indexer import HistoryIndexer
from gateway.history.service.risk import KeepRisksCommand, RiskScreening
from gateway.node.assembly.history import retention_of
from gateway.node.assembly.history_rules import load_rules, rule_sources
from gateway.node.settings import HistorySettings
from gateway.trust.pki.keys import create_signing_key
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1.history_service_pb2 import RecordItem, RecordShipmentsRequest

NODE = "cn"

ResultT = TypeVar("ResultT")


class Stages:
    """The least processor time and wall time of each stage, in µs per record."""

    def __init__(self) -> None:
        self.cpu_us: dict[str, float] = {}
        self.wall_us: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], ResultT], count: int) -> ResultT:
        """Runs a stage for so many records."""
        cpu, wall = time.thread_time(), time.perf_counter()
        result = work()
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        self.cpu_us[name] = min(self.cpu_us.get(name, float("inf")), cpu / count * 1e6)
        self.wall_us[name] = min(self.wall_us.get(name, float("inf")), wall / count * 1e6)
        return result


def _ended(tx: Transaction, transaction: RootTransaction) -> None:
    tx.seal()
    transaction.commit()


def _passed(value: ResultT) -> ResultT:
    """What a worker process's pipe does."""
    return pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))  # type: ignore[no-any-return]  # noqa: S301


def measure(database: Database, key: Path, group: int, rounds: int, *, first: int) -> Stages:
    """Takes `rounds` messages of `group` shipments through all stages."""
    stages, origin, settings = Stages(), records_feed(FEDERATION, NODE), HistorySettings()
    signers, retention = NodeSigners(key, f"{FEDERATION}/{NODE}"), retention_of(settings)
    indexer = HistoryIndexer(database)
    risk = RiskScreening(database, rules=load_rules(rule_sources(settings)))

    def transact(name: str, command: Command[object], count: int) -> None:
        with database.engine.connect() as conn:
            conn.execution_options(gateway_write=True)
            transaction = conn.begin()
            now_ms = time.time_ns() // 1_000_000
            tx = Transaction(conn, own_node=NODE, signers=signers, now_ms=now_ms, projector=NoProjector())
            stages.run(f"{name}: execute", lambda: command.execute(tx), count)
            stages.run(f"{name}: seal and commit", lambda: _ended(tx, transaction), count)

    gc.collect()
    gc.freeze()
    for at in range(rounds):
        items = [RecordItem(shipment=one) for one in made.shipments(group, first=first + at * group)]
        sent = stages.run("client: serialise", RecordShipmentsRequest(items=items).SerializeToString, group)
        request = stages.run("record: parse", partial(RecordShipmentsRequest.FromString, sent), group)
        given = stages.run("record: pass to the check", partial(_passed, request), group)
        checked, _ = stages.run("check", partial(check, given, retention_classes=bool), group)
        items_passed = stages.run("record: pass to the node", partial(_passed, checked), group)
        transact("record", RecordCommand(origin, items_passed, "bench"), group)
    while True:
        batch = _timed(stages, "index: prepare", partial(indexer.next, most=BATCHES.most))
        if batch is None:
            break
        count = batch.last - batch.after
        passed = stages.run("index: pass", partial(_passed, batch), count)
        transact("index", IndexCommand(passed, retention), count)
    while True:
        hits = _timed(stages, "rules: evaluate", partial(risk.next, most=BATCHES.most))
        if hits is None:
            break
        count = hits.last - hits.after
        passed = stages.run("rules: pass", partial(_passed, hits), count)
        transact("rules", KeepRisksCommand(passed), count)
    return stages


def _timed(stages: Stages, name: str, make: Callable[[], Any]) -> Any:
    """A batch, or None at the end, which isn't counted."""
    cpu, wall = time.thread_time(), time.perf_counter()
    batch = make()
    if batch is not None:
        count = batch.last - batch.after
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        stages.cpu_us[name] = min(stages.cpu_us.get(name, float("inf")), cpu / count * 1e6)
        stages.wall_us[name] = min(stages.wall_us.get(name, float("inf")), wall / count * 1e6)
    return batch


def show(stages: Stages, console: Console, title: str) -> None:
    """Prints the stages in the order of the way, and sums by part."""
    table = Table("stage", "processor µs per record", "wall µs per record", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    sums: dict[str, float] = {}
    for name, cpu_us in stages.cpu_us.items():
        table.add_row(name, f"{cpu_us:.1f}", f"{stages.wall_us[name]:.1f}")
        part = name.partition(":")[0]
        sums[part] = sums.get(part, 0.0) + cpu_us
    table.add_section()
    for part, total in sums.items():
        table.add_row(f"sum {part}", f"{total:.1f}", "")
    table.add_row("sum", f"{sum(sums.values()):.1f}", "")
    console.print(table)


def main(
    group: Annotated[int, typer.Option(min=100, max=1000, help="Records in one message.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Messages.")] = 20,
    before: Annotated[int, typer.Option(min=0, help="Records filled in beforehand.")] = 50_000,
    postgresql: Annotated[bool, typer.Option("--postgresql", help="On a PostgreSQL server.")] = False,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the database goes.")] = None,
) -> None:
    """Measure and print what each stage of a record's way costs."""
    with tempfile.TemporaryDirectory(prefix="gateway-records-", dir=folder) as root, ExitStack() as stack:
        Path(root).chmod(0o755)  # PostgreSQL runs as another user when this is root
        key = Path(root) / "log.key"
        create_signing_key(key, name=f"{FEDERATION}/{NODE}")
        url = f"sqlite:///{root}/node.sqlite3"
        if postgresql:
            url = stack.enter_context(postgresql_server(Path(root) / "postgresql"))(NODE)
        fill(url, key, NODE, before)
        database = Database(url)
        stack.callback(database.close)
        title = f"The way of a record on {database.dialect}, beside {before:,} others"
        show(measure(database, key, group, rounds, first=before), Console(), title)


if __name__ == "__main__":
    typer.run(main)
