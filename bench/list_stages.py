"""What each stage of a list entry's way costs: both nodes in this process, the same objects, no network, one thread.

Figures are processor time per entry; other load on the machine hardly shows in them. Gathering, screening and what gRPC
costs are not in them: `bench.lists` has the whole.

    python -m bench.list_stages [--entries N] [--rounds N]
"""

from __future__ import annotations

import gc
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from bench.lists import ROWS, Rows, rows_of
from bench.nodes import LIST, PUBLISHER
from bench.stages import Halves
from gateway.contract.ids import Channel, FeedOrigin
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.node.assembly.node import Node
from gateway.node.run import GC_THRESHOLD
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2, watchlist_service_pb2
from gateway.watchlists.commands.imports import FinishImportCommand, Import, ImportRowsCommand
from gateway.watchlists.commands.proposals import Lists
from gateway.watchlists.rules.policies import ListPolicy

TURN_STEPS = 12
"""Steps of a projection in one transaction, about as many as a turn of the writer has."""

ResultT = TypeVar("ResultT")


class ListStages:
    """Processor time by stage, in seconds."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = time.thread_time()
        yield
        self.cpu_s[name] = self.cpu_s.get(name, 0.0) + time.thread_time() - began


def measure(halves: Halves, rows: Rows) -> ListStages:
    """Brings a list from an import to the partner's lists."""
    stages = ListStages()
    gc.collect()
    gc.freeze()  # as a node does when it has started
    gc.set_threshold(GC_THRESHOLD)
    _project(ListStages(), halves.cn, "the lists before, which are empty")
    _import(stages, halves.cn, rows)
    _project(stages, halves.cn, "cn: own list, distribution")
    _replicate(stages, halves)
    _project(stages, halves.hk, "hk: partner's list")
    return stages


def _import(stages: ListStages, node: Node, rows: Rows) -> None:
    lists = Lists(
        federation=FEDERATION,
        node=PUBLISHER,
        directory=node._directory.directory,
        clock=node.writer._clock,
        policies=lambda _: ListPolicy(four_eyes=False),
    )
    importing = Import(lists, watchlist_service_pb2.ImportOpening(list=LIST), "bench")
    for at in range(0, len(rows), ROWS):
        chunk = [
            watchlist_service_pb2.ImportRow(id=entry_id, content=content, line=line)
            for line, (entry_id, content) in enumerate(rows[at : at + ROWS], at + 1)
        ]
        request = watchlist_service_pb2.ImportEntriesRequest(rows=watchlist_service_pb2.ImportRows(rows=chunk))
        sent = request.SerializeToString()
        with stages.timed("cn import: parse"):
            received = watchlist_service_pb2.ImportEntriesRequest.FromString(sent)
        with stages.timed("cn import: check"):
            checked = importing.check(received.rows.rows)
        command = ImportRowsCommand(importing, checked)
        counts = _transact(stages, node, "cn import: append", command.execute)
        counts.take(importing)
    importing.end(complete=True)
    _transact(stages, node, "cn import: append", FinishImportCommand(importing).execute)


def _project(stages: ListStages, node: Node, name: str) -> None:
    more = True

    def turn(tx: Transaction) -> bool:
        return all(tx.project(500) for _ in range(TURN_STEPS))

    while more:
        more = _transact(stages, node, name, turn)


def _replicate(stages: ListStages, halves: Halves) -> None:
    cn, hk = halves.cn, halves.hk
    origin = FeedOrigin.parse(f"{FEDERATION}/cn/hk/{Channel.WATCHLIST.value}")
    with cn.database.read() as conn:
        feed = feeds.get(conn, origin)
    first = 0
    while first < feed.size:
        with stages.timed("cn sending: read"):
            batch = cn._outgoing.read_batch(feed, first)
        assert batch is not None
        first += len(batch.entries)
        request = exchange_service_pb2.ReplicateRequest(batch=batch)
        with stages.timed("cn sending: serialise"):
            sent = request.SerializeToString()
        with stages.timed("hk receiving: parse"):
            received = exchange_service_pb2.ReplicateRequest.FromString(sent)
        with stages.timed("hk receiving: check"):
            command = hk._receiver.open_batch(PUBLISHER, received.batch)
        _transact(stages, hk, "hk receiving: store", command.execute)


def _transact(stages: ListStages, node: Node, name: str, work: Callable[[Transaction], ResultT]) -> ResultT:
    """What the writer does with a group: work, seal, commit."""
    writer = node.writer
    with stages.timed(name), node.database.write() as conn:
        tx = Transaction(
            conn,
            own_node=writer._own_node,
            signers=writer._signers,
            now_ms=writer._clock(),
            projector=writer._projector,
        )
        result = work(tx)
        tx.seal()
    return result


def show(least: dict[str, float], entries: int, console: Console) -> None:
    """Prints the stages in the order of the way, and sums by node."""
    table = Table("stage", "processor µs per entry", title=f"The way of an entry of a list of {entries:,}, taken apart")
    table.columns[1].justify = "right"
    sums = {"cn": 0.0, "hk": 0.0}
    for name, cpu_s in least.items():
        table.add_row(name, f"{cpu_s / entries * 1e6:.1f}")
        sums[name[:2]] += cpu_s
    table.add_section()
    for node, cpu_s in sums.items():
        table.add_row(f"sum {node}", f"{cpu_s / entries * 1e6:.1f}")
    console.print(table)


def main(
    entries: Annotated[int, typer.Option(min=1, help="Entries in the list.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of which the least counts.")] = 3,
) -> None:
    """Measure and print what each stage of a list entry's way costs."""
    rows = rows_of(entries)
    least: dict[str, float] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix=f"gateway-bench-{uuid.uuid4().hex[:4]}-") as folder:
            halves = Halves(Path(folder))
            try:
                for name, cpu_s in measure(halves, rows).cpu_s.items():
                    least[name] = min(least.get(name, float("inf")), cpu_s)
            finally:
                halves.close()
    show(least, entries, Console())


if __name__ == "__main__":
    typer.run(main)
