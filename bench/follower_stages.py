"""What each stage of following alerts for the search and for link graphs costs: one database, no network, no process.

    python -m bench.follower_stages [--alerts 20000] [--lone 200] [--postgresql] [--profile]

Alerts are published in bulk at one node; then the followers of its process for names work, first in batches as behind a
bulk, then one alert at a time. Figures are microseconds of the processor per alert, without PostgreSQL's server, which
is told beside them. Numbers are each alert's own, and one in ten names a party that none named before: traffic repeats
parties, not containers.
"""

from __future__ import annotations

import cProfile
import gc
import pickle
import pstats
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from bench import alerts as load
from bench.history import postgresql_server
from bench.postgresql import used_s
from gateway.alerts.commands.following import AlertFollower, FollowCommand
from gateway.alerts.commands.publish_command import PublishCommand
from gateway.alerts.tables.followed_steps import FollowedSteps
from gateway.casework.service.indexer import AlertIndexer
from gateway.casework.tables import progress as casework_progress
from gateway.contract.timestamps import to_timestamp
from gateway.db.database import Database
from gateway.db.migrate import upgrade
from gateway.feed.service.writing.transaction import Command, Transaction
from gateway.link_analysis.service.indexer import LinkIndexer
from gateway.node.capabilities.alert_following import BATCHES
from gateway.node.workers.collection import collect_seldom
from gateway.v1 import alert_service_pb2
from tests.support.nodes import PaperNode, paper_nodes

AT_ONCE = 500
"""Alerts in one commit while the database is filled."""

WARM = 500
"""Alerts before those that count: vocabularies are loaded and statements prepared."""

NEW_PARTY_EVERY = 10
"""One alert in so many names a party that no alert named before."""

DAY_MS = 24 * 3600 * 1000

_Requests = Iterator[alert_service_pb2.PublishAlertRequest]


@dataclass
class Costs:
    """Seconds of the processor by stage, and what each batch had of the writer."""

    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    held_s: list[float] = field(default_factory=list)
    server_s: float = 0.0

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Of the thread that calls it."""
        began = time.thread_time()
        yield
        self.spent[stage] += time.thread_time() - began


@dataclass(frozen=True, slots=True)
class TimedCommand:
    """A follower's command, timed in the writer's thread."""

    stage: str
    command: Command[object]
    costs: Costs

    @property
    def weight(self) -> int:
        return self.command.weight

    def execute(self, tx: Transaction) -> Any:
        with self.costs.timed(self.stage):
            return self.command.execute(tx)


def main(
    count: Annotated[int, typer.Option("--alerts", min=1, help="Alerts in batches.")] = 20_000,
    lone: Annotated[int, typer.Option("--lone", min=1, help="Alerts one at a time.")] = 200,
    postgresql: Annotated[bool, typer.Option("--postgresql", help="On PostgreSQL.")] = False,
    profile: Annotated[bool, typer.Option("--profile", help="Also print where preparing spends its time.")] = False,
) -> None:
    """Measures, and prints a table."""
    with tempfile.TemporaryDirectory(prefix="gateway-followers-") as folder:
        place = Path(folder)
        with postgresql_server(place / "server") if postgresql else nullcontext() as databases:
            database = Database(f"sqlite:///{place}/alerts.sqlite3" if databases is None else databases("alerts"))
            upgrade(database)
            with paper_nodes(place, lambda: database, ["cn"]) as (node,):
                costs = _measured(node, count, lone, _server(place) if postgresql else None, profile)
            database.close()
    _print(costs, count, lone)


def _server(place: Path) -> psutil.Process:
    return psutil.Process(int((place / "server" / "postmaster.pid").read_text("utf-8").split()[0]))


def _measured(node: PaperNode, count: int, lone: int, server: psutil.Process | None, profile: bool) -> dict[str, Costs]:
    requests = _requests(WARM + count + lone)
    followers: list[AlertFollower] = [AlertIndexer(), LinkIndexer()]
    _publish(node, requests, WARM)
    _follow(node, followers, Costs())
    gc.collect()
    collect_seldom()
    costs = {"in batches": Costs(), "one at a time": Costs()}
    _publish(node, requests, count)
    profiler = cProfile.Profile(time.thread_time) if profile else None
    before = used_s(server) if server else 0.0
    with profiler or nullcontext():
        _follow(node, followers, costs["in batches"])
    costs["in batches"].server_s = used_s(server) - before if server else 0.0
    if profiler is not None:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
    for _ in range(lone):
        _publish(node, requests, 1)
        before = used_s(server) if server else 0.0
        _follow(node, followers, costs["one at a time"])
        costs["one at a time"].server_s += used_s(server) - before if server else 0.0
    return costs


def _requests(count: int) -> _Requests:
    """Alerts with numbers of their own; some with a party that no other names."""
    for number, request in enumerate(load.requests(count, recipient="hk")):
        request.content.case_reference = f"CASE-2026-{number:07d}"
        subject = request.content.subject
        subject.references[0].value = f"5304{number * 7919:014d}"
        subject.equipment[0].id, subject.equipment[0].seals[0] = f"GWBU{number:07d}", f"CN{number:08d}"
        if number % NEW_PARTY_EVERY == 0:
            subject.parties[0].names[0].text = f"示例有色金属贸易有限公司第{number}号"
            subject.parties[0].identifiers[0].value = f"X{number:09d}"
        yield request


def _publish(node: PaperNode, requests: _Requests, count: int) -> None:
    while count > 0 and (group := list(islice(requests, min(AT_ONCE, count)))):
        for request in group:
            request.content.valid_until.CopyFrom(to_timestamp(node.clock.now + 30 * DAY_MS))
        prepared = [node.publisher.prepare(request, "risk-engine") for request in group]
        node.writer.run(PublishCommand(prepared, principal="system/cn/risk-engine"))
        count -= len(group)
    node.settle()


def _follow(node: PaperNode, followers: list[AlertFollower], costs: Costs) -> None:
    is_cut, limit = True, BATCHES.fewest
    while is_cut:
        parts: list[TimedCommand] = []
        with node.database.read() as conn:
            steps = FollowedSteps(conn, limit)
            with costs.timed("read steps"):
                followed = steps.after(casework_progress.read(conn).indexed_position)
            with costs.timed("parse"):
                for step in followed:
                    steps.event(step.payload)
            for follower in followers:
                with costs.timed(f"{follower.name}: prepare"):
                    part = follower.prepare(steps)
                if part is not None:
                    parts.append(TimedCommand(f"{follower.name}: write", part, costs))
            is_cut = steps.is_cut
        with costs.timed("pass to the node"):
            passed = pickle.loads(pickle.dumps([part.command for part in parts], pickle.HIGHEST_PROTOCOL))  # noqa: S301
        parts = [TimedCommand(part.stage, given, costs) for part, given in zip(parts, passed, strict=True)]
        if parts:
            limit = BATCHES.after(limit, _write(node, parts, costs), is_cut=is_cut)


def _write(node: PaperNode, parts: list[TimedCommand], costs: Costs) -> float:
    """Seconds of the processor: what a batch has of the writer where nothing else runs."""
    before = sum(costs.spent[part.stage] for part in parts)
    began = time.process_time()
    node.writer.run(FollowCommand(tuple(parts)))
    took = time.process_time() - began
    costs.held_s.append(took)
    costs.spent["commit"] += took - (sum(costs.spent[part.stage] for part in parts) - before)
    return took


def _print(costs: dict[str, Costs], count: int, lone: int) -> None:
    table = Table("µs of the processor per alert", *costs)
    alerts = dict(zip(costs, (count, lone), strict=True))
    for stage in costs["in batches"].spent:
        table.add_row(stage, *(f"{one.spent[stage] / alerts[what] * 1e6:.1f}" for what, one in costs.items()))
    table.add_row("all", *(f"{sum(one.spent.values()) / alerts[what] * 1e6:.1f}" for what, one in costs.items()))
    table.add_row("PostgreSQL's server", *(f"{one.server_s / alerts[what] * 1e6:.1f}" for what, one in costs.items()))
    table.add_row("batches", *(str(len(one.held_s)) for one in costs.values()))
    for name, share in (("median", 0.5), ("95 % below", 0.95)):
        held = (sorted(one.held_s)[int(share * len(one.held_s))] * 1e3 for one in costs.values())
        table.add_row(f"ms of the writer, {name}", *(f"{ms:.1f}" for ms in held))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
