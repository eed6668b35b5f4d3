"""What each alert costs those that follow alerts: the inbox, the search, figures and link graphs, all on.

    python -m bench.followers [--alerts 2000] [--lone 200]

Alerts go from cn to hk; the followers of hk then work as the node and its process for names do, here in one process.
Figures are microseconds of the processor per alert at hk, without delivery and projection: in batches, as on a busy
node, and one at a time, as on a quiet one, where reads and commits of few rows are the cost.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import alerts as load
from gateway.alerts.commands.following import AlertFollower, FollowCommand, prepare_batch
from gateway.alerts.commands.publish_command import PublishCommand
from gateway.casework.service.indexer import AlertIndexer
from gateway.casework.service.lister import InboxLister
from gateway.contract.timestamps import to_timestamp
from gateway.figures.service.counting import FigureCounter
from gateway.link_analysis.service.indexer import LinkIndexer
from gateway.node.capabilities.alert_following import BATCHES
from gateway.v1 import alert_service_pb2
from tests.support.databases import new_database
from tests.support.nodes import PaperNode, exchange, paper_nodes

DAY_MS = 24 * 3600 * 1000
WARM = 200
"""Alerts before those that count: vocabularies are loaded and statements prepared."""

_Requests = Iterator[alert_service_pb2.PublishAlertRequest]


def main(
    count: Annotated[int, typer.Option("--alerts", min=1, help="Alerts in batches.")] = 2_000,
    lone: Annotated[int, typer.Option("--lone", min=1, help="Alerts one at a time.")] = 200,
) -> None:
    """Measures, and prints a table."""
    place = Path(tempfile.mkdtemp(prefix="gateway-followers-"))
    databases = (new_database(f"sqlite:///{place}/{number}.sqlite3") for number in range(2))
    table = Table("", "in the node: read", "write", "names' process: read", "write", "all")
    with paper_nodes(place, lambda: next(databases)) as (cn, hk):
        requests = iter(load.requests(WARM + count + lone, recipient="hk"))
        _costs(cn, hk, requests, [WARM])
        for what, rounds in (("in batches", [count]), ("one at a time", [1] * lone)):
            costs = [seconds / sum(rounds) * 1e6 for seconds in _costs(cn, hk, requests, rounds)]
            table.add_row(what, *(f"{cost:.0f}" for cost in (*costs, sum(costs))))
    shutil.rmtree(place)
    console = Console()
    console.print("microseconds of the processor per alert")
    console.print(table)


def _costs(cn: PaperNode, hk: PaperNode, requests: _Requests, rounds: Sequence[int]) -> list[float]:
    """Seconds of the processor for each column, over rounds of so many alerts."""
    in_node: list[AlertFollower] = [InboxLister(), FigureCounter(node=hk.name, utc_offset_minutes=480)]
    in_process: list[AlertFollower] = [AlertIndexer(), LinkIndexer()]
    spent = [0.0] * 4
    for size in rounds:
        for request in islice(requests, size):
            request.content.valid_until.CopyFrom(to_timestamp(cn.clock.now + 30 * DAY_MS))
            prepared = cn.publisher.prepare(request, "risk-engine")
            cn.writer.run(PublishCommand([prepared], principal="system/cn/risk-engine"))
        exchange(cn, hk)
        for at, followers in enumerate((in_node, in_process)):
            more, limit = True, BATCHES.fewest
            while more:
                began = time.process_time()
                batch = prepare_batch(hk.database, followers, limit=limit)
                read_at = time.process_time()
                if batch.parts:
                    hk.writer.run(FollowCommand(batch.parts))
                more = batch.is_cut
                spent[2 * at] += read_at - began
                wrote = time.process_time() - read_at
                spent[2 * at + 1] += wrote
                limit = BATCHES.after(limit, wrote, is_cut=more)
    return spent


if __name__ == "__main__":
    typer.run(main)
