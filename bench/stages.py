"""What each stage of an alert's way costs: both nodes in this process, the same objects, no network, one thread.

Figures are processor time per alert, the least of several rounds: other load on the machine hardly shows in them. What
gRPC costs on top is the batched floor's.

    python -m bench.stages [--group N] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import gc
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from bench import alerts
from bench.nodes import ORIGIN, PUBLISHER, RECIPIENT, write_federation
from bench.results import Figures, Series, write
from gateway.alerts.codec import quality_notices
from gateway.alerts.commands.placing import PublishCommand
from gateway.contract.ids import FeedOrigin
from gateway.contract.validation import violations
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.node.assembly.node import Node
from gateway.node.settings import load_settings
from gateway.v1 import exchange_service_pb2
from gateway.v1.alert_service_pb2 import (
    PublishAlertResponse,
    PublishAlertsRequest,
    PublishAlertsResponse,
    PublishResult,
)

GROUP = 500
"""Alerts in one message and one transaction, as under full load."""

ROUNDS = 12
"""Rounds of which the least counts."""

ResultT = TypeVar("ResultT")


class Stages:
    """Times by stage: the least processor time per alert in µs, that of each round, and the least wall time."""

    def __init__(self, group: int) -> None:
        self.group = group
        self.cpu_us: dict[str, float] = {}
        self.wall_us: dict[str, float] = {}
        self.rounds_us: dict[str, list[float]] = {}

    @property
    def parts(self) -> dict[str, list[float]]:
        """Processor time of each round by stage, without the stages that are inside others."""
        return {name: values for name, values in self.rounds_us.items() if not name.startswith("  ")}

    @property
    def sums_us(self) -> list[float]:
        """Processor time per alert of all stages together, round by round."""
        return [sum(values) for values in zip(*self.parts.values(), strict=True)]

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        cpu, wall = time.thread_time(), time.perf_counter()
        yield
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        self.rounds_us.setdefault(name, []).append(cpu / self.group * 1e6)
        self.cpu_us[name] = min(self.cpu_us.get(name, float("inf")), cpu / self.group * 1e6)
        self.wall_us[name] = min(self.wall_us.get(name, float("inf")), wall / self.group * 1e6)

    def run(self, name: str, work: Callable[[], ResultT]) -> ResultT:
        with self.timed(name):
            return work()


class Halves:
    """Both nodes, made as ever and not started: this module plays their writers."""

    def __init__(self, root: Path) -> None:
        write_federation(root, {PUBLISHER: (1, 2), RECIPIENT: (3, 4)})
        self.cn, self.hk = (Node(load_settings(root / name / "gateway.toml")) for name in (PUBLISHER, RECIPIENT))

    def close(self) -> None:
        self.cn.database.close()
        self.hk.database.close()


def measure(halves: Halves, group: int = GROUP, rounds: int = ROUNDS) -> Stages:
    """Sends `rounds` groups of `group` alerts through all stages."""
    stages = Stages(group)
    gc.collect()
    gc.freeze()  # as a node does when it has started
    for _ in range(rounds):
        batch = _publish(stages, halves.cn)
        _receive(stages, halves.hk, batch)
    return stages


def _publish(stages: Stages, node: Node) -> bytes:
    origin = FeedOrigin.parse(ORIGIN)
    requests = list(alerts.requests(stages.group, recipient=RECIPIENT))
    sent = stages.run("client: serialise", PublishAlertsRequest(alerts=requests).SerializeToString)
    request = stages.run("cn publish: parse", lambda: PublishAlertsRequest.FromString(sent))
    stages.run("  of which validation", lambda: [violations(one) for one in request.alerts])
    stages.run("  of which identifiers", lambda: [quality_notices(one.content) for one in request.alerts])
    publisher = node._publisher
    prepared = stages.run("cn publish: prepare", lambda: [publisher.prepare(one, "bench") for one in request.alerts])
    results = _transact(stages, node, "cn publish", lambda tx: PublishCommand(prepared, principal="bench").execute(tx))
    answer = stages.run(
        "cn publish: answer",
        PublishAlertsResponse(results=[_published(one) for one in results]).SerializeToString,
    )
    stages.run("client: parse answer", lambda: PublishAlertsResponse.FromString(answer))
    _project(stages, node, "cn projection")
    with node.database.read() as conn:
        feed = feeds.get(conn, origin)
    batch = stages.run("cn sending: read", lambda: node._outgoing.read_batch(feed, feed.size - stages.group))
    return stages.run("cn sending: serialise", exchange_service_pb2.ReplicateRequest(batch=batch).SerializeToString)


def _published(result: object) -> PublishResult:
    assert isinstance(result, PublishAlertResponse), result
    return PublishResult(published=result)


def _receive(stages: Stages, node: Node, sent: bytes) -> None:
    request = stages.run("hk receiving: parse", lambda: exchange_service_pb2.ReplicateRequest.FromString(sent))
    work = stages.run("hk receiving: check", lambda: node._receiver.open_batch(PUBLISHER, request.batch))
    _transact(stages, node, "hk receiving", work.execute)
    _project(stages, node, "hk projection")


def _project(stages: Stages, node: Node, name: str) -> None:
    _transact(stages, node, name, lambda tx: tx._projector.advance(tx, 4 * stages.group, isolated=False))


def _transact(stages: Stages, node: Node, name: str, stage: Callable[[Transaction], ResultT]) -> ResultT:
    """What the writer does with a group: stage, seal, commit."""
    writer, transaction = node.writer, ExitStack()
    with transaction:
        conn = stages.run(f"{name}: begin", lambda: transaction.enter_context(node.database.write(ahead=True)))
        tx = Transaction(
            conn,
            own_node=writer.own_node,
            signers=writer._signers,
            now_ms=writer._clock(),
            projector=writer._projector,
        )
        result = stages.run(f"{name}: stage", lambda: stage(tx))
        stages.run(f"{name}: seal", tx.seal)
        stages.run(f"{name}: commit", transaction.close)
    return result


def show(stages: Stages, console: Console) -> None:
    """Prints the stages in the order of the way, and sums by part."""
    table = Table("stage", "processor µs per alert", "median", "wall µs", title="The way of an alert, taken apart")
    for column in table.columns[1:]:
        column.justify = "right"
    sums: dict[str, float] = {}
    for name, cpu_us in stages.cpu_us.items():
        middle = median(stages.rounds_us[name])
        table.add_row(name, f"{cpu_us:.1f}", f"{middle:.1f}", f"{stages.wall_us[name]:.1f}")
        if not name.startswith("  "):
            part = name.partition(":")[0]
            sums[part] = sums.get(part, 0.0) + cpu_us
    table.add_section()
    for part, total in sums.items():
        middle = sum(median(values) for name, values in stages.parts.items() if name.partition(":")[0] == part)
        table.add_row(f"sum {part}", f"{total:.1f}", f"{middle:.1f}", "")
    table.add_row("sum", f"{sum(sums.values()):.1f}", f"{median(stages.sums_us):.1f}", "")
    console.print(table)


def main(
    group: Annotated[int, typer.Option(min=1, max=500, help="Alerts in one message and one transaction.")] = GROUP,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of which the least counts.")] = ROUNDS,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the sum, for bench.charts --add.")] = None,
) -> None:
    """Measure and print what each stage of an alert's way costs."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        halves = Halves(Path(folder))
        try:
            taken = measure(halves, group, rounds)
            show(taken, Console())
            name = f"python {platform.python_version()}: stages, {group} alerts in a transaction"
            sums = Figures({name: Series("µs", taken.sums_us)})
            write(json_file, sums, command=f"python -m bench.stages --group {group}")
        finally:
            halves.close()


if __name__ == "__main__":
    typer.run(main)
