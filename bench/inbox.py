"""The inbox and the search of a node with a million alerts, and what each alert costs them.

    python -m bench.inbox [--alerts 1000000] [--waiting 20000] [--no-search] [--dir FOLDER]

A sample goes through the product's own way: published at cn, delivered to hk, listed and indexed; its cost per alert is
what a node pays beside publishing. Then the sample's rows are copied with ids, deadlines, containers and names of their
own: one in `--alerts / --waiting` wants action, or all with `--waiting 0`. What is timed is InboxQueries and
RelatedAlerts at the node, without gRPC. Times are medians of 20 in milliseconds; those of the processor hold on a busy
machine too.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from bench import alerts as load
from bench import environment
from gateway.alerts.commands.following import AlertFollower, FollowCommand, prepare_batch
from gateway.alerts.commands.publish_command import PublishCommand
from gateway.casework.service.indexer import AlertIndexer
from gateway.casework.service.lister import InboxLister
from gateway.contract.timestamps import to_timestamp
from gateway.db.database import Database
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as casework
from tests.support.databases import new_database
from tests.support.desk import Desk
from tests.support.nodes import PaperNode, exchange, paper_nodes

SAMPLE = 2_000
"""Alerts that go through everything."""

ASKED = 20
FIRST_PAGE_MS = 50
"""Target for the first page at the node, in milliseconds."""

AT_ONCE = 20_000
DAY_MS = 24 * 3600 * 1000


def main(
    count: Annotated[int, typer.Option("--alerts", min=SAMPLE, help="Alerts at the node.")] = 1_000_000,
    waiting: Annotated[int, typer.Option(min=0, help="Alerts that want action; 0 for all.")] = 20_000,
    searched: Annotated[bool, typer.Option("--search/--no-search", help="Whether copies are indexed too.")] = True,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the databases go.")] = None,
) -> None:
    """Measures, and prints tables; the exit code is 0 whatever the figures say."""
    console = Console()
    place = Path(tempfile.mkdtemp(prefix="gateway-inbox-", dir=folder))
    console.print(f"busy before: {environment.busy():.0%} of the cores, databases on {environment.file_system(place)}")
    databases = (new_database(f"sqlite:///{place}/{number}.sqlite3") for number in range(2))
    with paper_nodes(place, lambda: next(databases)) as (cn, hk):
        with console.status("publishing the sample"):
            costs = _sample(cn, hk)
        with console.status("copying it") as status:
            filled_s = _multiply(hk, count, count // (waiting or count), searched, status.update)
        desk = Desk(hk, "officer")
        _print(console, costs, _timed(hk.database, desk), count, waiting or count, filled_s)
    shutil.rmtree(place)


def _sample(cn: PaperNode, hk: PaperNode) -> list[tuple[str, float]]:
    """Costs of the sample in microseconds of the processor per alert."""
    requests = islice(load.requests(SAMPLE, recipient="hk"), SAMPLE)
    began = time.process_time()
    for request in requests:
        request.content.valid_until.CopyFrom(to_timestamp(cn.clock.now + 30 * DAY_MS))
        prepared = cn.publisher.prepare(request, "risk-engine")
        cn.writer.run(PublishCommand([prepared], principal="system/cn/risk-engine"))
    exchange(cn, hk)
    costs = [("publish at cn, deliver, project at hk", time.process_time() - began)]
    spent = dict.fromkeys(("inbox: read", "inbox: write", "search: read and cut", "search: write"), 0.0)
    followers: tuple[tuple[AlertFollower, str, str], ...] = (
        (InboxLister(), "inbox: read", "inbox: write"),
        (AlertIndexer(), "search: read and cut", "search: write"),
    )
    for follower, read, write in followers:
        while True:
            began = time.process_time()
            parts = prepare_batch(hk.database, [follower], limit=250).parts
            read_at = time.process_time()
            spent[read] += read_at - began
            if not parts:
                break
            hk.writer.run(FollowCommand(parts))
            spent[write] += time.process_time() - read_at
    return [(name, seconds / SAMPLE * 1e6) for name, seconds in [*costs, *spent.items()]]


_MADE = {
    "made_alerts": "CREATE TEMPORARY TABLE made_alerts AS SELECT row_number() OVER () - 1 AS k, * FROM alerts",
    "made_items": (
        "CREATE TEMPORARY TABLE made_items AS SELECT k, i.* FROM made_alerts JOIN inbox_items i USING (alert_id)"
    ),
    "made_words": (
        "CREATE TEMPORARY TABLE made_words AS SELECT k, d.* FROM made_alerts JOIN alert_documents d USING (alert_id)"
    ),
    "numbers": (
        "CREATE TEMPORARY TABLE numbers AS WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n "
        "WHERE i + 1 < :count) SELECT i, i % :sample AS k, printf('%08x-%04x-7%03x-8000-%012x', "
        "(:begin + i * 30000) >> 16, (:begin + i * 30000) & 65535, i & 4095, i) AS id, "
        "abs(random()) % :one_in = 0 AS wants, "
        "CASE WHEN abs(random()) % 2 THEN :now - :day + abs(random()) % (8 * :day) ELSE 0 END AS due, "
        "substr('ABC', 1 + abs(random()) % 3, 1) AS letter FROM n"
    ),
}
"""The sample, and for each copy its id, whether it wants action, its deadline and its priority."""

_COPIED = {
    "alerts": {
        "alert_id": "id",
        "open_until": "CASE WHEN wants THEN :now + 30 * :day ELSE 0 END",
        "reply_due": "CASE WHEN wants THEN due ELSE 0 END",
        "status": "CASE WHEN wants THEN 'published' ELSE 'closed' END",
    },
    "inbox_items": {
        "alert_id": "id",
        "open_until": "CASE WHEN wants THEN :now + 30 * :day ELSE 0 END",
        "due_at": "CASE WHEN wants THEN due ELSE 0 END",
        "act_by": "CASE WHEN NOT wants THEN 0 WHEN due > 0 THEN due ELSE :now + i % :day END",
        "status": "CASE WHEN wants THEN 'published' ELSE 'closed' END",
        "wanted": "CASE WHEN wants AND due > 0 THEN 5 WHEN wants THEN 1 ELSE 0 END",
        "priority": "letter",
    },
    "alert_documents": {
        "doc": "10000000 + i",
        "alert_id": "id",
        "words": "words || printf(' etstu%07d ttstu%07d', i, i)",
    },
}
"""What is a copy's own, by table and column."""


def _multiply(hk: PaperNode, count: int, one_in: int, searched: bool, tell: Callable[[str], None]) -> float:
    """Copies rows of the sample; returns seconds."""
    began, now = time.perf_counter(), hk.clock.now
    values = {"first": SAMPLE, "count": count, "sample": SAMPLE, "one_in": one_in, "now": now, "day": DAY_MS}
    values["begin"] = now - 400 * DAY_MS
    with hk.database.write() as conn:
        for statement in _MADE.values():
            conn.execute(text(statement), {name: value for name, value in values.items() if f":{name}" in statement})
        for (table, own), made in zip(_COPIED.items(), _MADE, strict=False):
            if table == "alert_documents" and not searched:
                continue
            tell(f"copying {table}")
            columns = [row.name for row in conn.execute(text(f"PRAGMA table_info({table})"))]
            chosen = ", ".join(own.get(column, f"{made}.{column}") for column in columns)
            statement = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM numbers "
            statement += f"JOIN {made} USING (k) ORDER BY i"
            conn.execute(text(statement), {name: value for name, value in values.items() if f":{name}" in statement})
        if searched:
            tell("indexing words")
            conn.execute(text("INSERT INTO alert_words (alert_words) VALUES ('rebuild')"))
    return time.perf_counter() - began


def _timed(database: Database, desk: Desk) -> Iterator[tuple[str, float, float]]:
    some = desk.page(size=1, scope=casework.INBOX_SCOPE_ALL, order=casework.INBOX_ORDER_NEWEST).rows[0].summary.alert
    name = some.content.subject.parties[0].names[0].text if some.content.subject.parties else "Placeholder"
    calls: dict[str, Callable[[], object]] = {
        "first page": lambda: desk.page(size=50),
        "first page with numbers beside filters": lambda: desk.page(size=50, facets=True),
        "overdue": lambda: desk.page(size=50, overdue=True),
        "priority A, not assigned": lambda: desk.page(
            size=50, priorities=[alert_pb2.PRIORITY_A], assignees=casework.ASSIGNEE_SCOPE_NOBODY
        ),
        "a partner without any": lambda: desk.page(size=50, partners=["mo"]),
        "all, newest first": lambda: desk.page(
            size=50, scope=casework.INBOX_SCOPE_ALL, order=casework.INBOX_ORDER_NEWEST
        ),
        "search: a container": lambda: desk.page(size=50, text="TSTU0012345"),
        "search: the beginning of one": lambda: desk.page(size=50, text="TSTU00123"),
        "search: a word of all": lambda: desk.page(size=50, text="antimony"),
        f"search: a name ({name[:20]})": lambda: desk.page(size=50, text=name),
        "alerts about the same things": lambda: desk.related(some.publisher, some.id),
    }
    for what, call in calls.items():
        took, computed = [], []
        for _ in range(ASKED):
            began, began_cpu = time.perf_counter(), time.thread_time()
            call()
            took.append((time.perf_counter() - began) * 1000)
            computed.append((time.thread_time() - began_cpu) * 1000)
        yield what, median(took), median(computed)


def _print(
    console: Console,
    costs: list[tuple[str, float]],
    timed: Iterator[tuple[str, float, float]],
    count: int,
    waiting: int,
    filled_s: float,
) -> None:
    table = Table(title=f"Cost per alert, a sample of {SAMPLE:,}")
    table.add_column("step")
    table.add_column("µs of the processor", justify="right")
    for name, micros in costs:
        table.add_row(name, f"{micros:,.0f}")
    console.print(table)
    table = Table(title=f"{count:,} alerts, of which {waiting:,} want action (copied in {filled_s:,.0f} s)")
    for column in ("what", "ms", "of the processor"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, took, computed in timed:
        table.add_row(name, f"{took:.1f}", f"{computed:.1f}")
    console.print(table)
    console.print(f"target: the first page within {FIRST_PAGE_MS} ms")


if __name__ == "__main__":
    typer.run(main)
