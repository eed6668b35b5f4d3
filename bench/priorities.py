"""Measures how long an alert of priority A takes to the partner, alone and behind a backlog of priority C.

Three processes on loopback, real TLS, SQLite with synchronous=FULL. "After an outage" is from the moment at which the
partner's node serves again; before it, everything was published while that node was stopped.

    python -m bench.priorities [--backlog N] [--rounds N] [--dir FOLDER]
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.alerts import requests as alerts
from bench.nodes import RECIPIENT, Pair, running_pair
from gateway.client import GatewayClient
from gateway.v1 import alert_pb2

FIRST = 20
"""Alerts before the first measurement: both nodes have opened all feeds and warmed up."""


@dataclass
class Times:
    """Milliseconds until the alert of priority A was at a watcher of the partner, a value for each round.

    Attributes:
        alone: with an idle link.
        returned: after an outage, with nothing else to send.
        backlog: after an outage, published behind the backlog.
        under_way: published when the first alert of the backlog was applied.
        last: after an outage, until the last of the backlog was applied.
    """

    alone: list[float] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)
    backlog: list[float] = field(default_factory=list)
    under_way: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)


def main(
    backlog: Annotated[int, typer.Option(min=1, help="Alerts of priority C.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; medians are shown.")] = 3,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the databases go.")] = None,
) -> None:
    """Measure an urgent alert's way beside a backlog."""
    place = Path(tempfile.mkdtemp(prefix="gateway-bench-", dir=folder))
    times = asyncio.run(_measure(place, backlog, rounds))
    shutil.rmtree(place)
    table = Table("an alert of priority A", "ms", "to the same without backlog", title=f"Backlog of {backlog:,} alerts")
    alone, returned = statistics.median(times.alone), statistics.median(times.returned)
    for name, values, base in (
        ("idle link", times.alone, alone),
        ("published when the first of the backlog was applied", times.under_way, alone),
        ("after an outage, without backlog", times.returned, returned),
        ("after an outage, behind the backlog", times.backlog, returned),
        ("the backlog's last alert, after an outage", times.last, returned),
    ):
        median = statistics.median(values)
        table.add_row(name, f"{median:,.0f}", f"{median / base:.1f}")
    Console().print(table)


async def _measure(place: Path, backlog: int, rounds: int) -> Times:
    times = Times()
    async with running_pair(place) as pair:
        await _publish(pair.cn_client, alert_pb2.PRIORITY_C, FIRST)
        await asyncio.sleep(2.0)
        await pair.settled()
        for _ in range(rounds):
            times.alone.append(await _urgent(pair))
            await _outage(pair, times, 0)
            await _outage(pair, times, backlog)
            await _under_way(pair, times, backlog)
    return times


async def _urgent(pair: Pair) -> float:
    """Publishes an alert of priority A; milliseconds until a watcher has it."""
    position = (await pair.hk_client.node.status()).position
    began = time.monotonic()
    (urgent,) = await _publish(pair.cn_client, alert_pb2.PRIORITY_A, 1)
    await _applied(pair.hk_client, urgent, position)
    return (time.monotonic() - began) * 1_000


async def _outage(pair: Pair, times: Times, backlog: int) -> None:
    position = (await pair.hk_client.node.status()).position
    await pair.hk.stop()
    ordinary = await _publish(pair.cn_client, alert_pb2.PRIORITY_C, backlog)
    (urgent,) = await _publish(pair.cn_client, alert_pb2.PRIORITY_A, 1)
    await pair.hk.start()
    began = time.monotonic()
    await _applied(pair.hk_client, urgent, position)
    (times.backlog if backlog else times.returned).append((time.monotonic() - began) * 1_000)
    if ordinary:
        await _applied(pair.hk_client, ordinary[-1], position)
        times.last.append((time.monotonic() - began) * 1_000)
    await pair.settled()


async def _under_way(pair: Pair, times: Times, backlog: int) -> None:
    position = (await pair.hk_client.node.status()).position
    await pair.hk.stop()
    await _publish(pair.cn_client, alert_pb2.PRIORITY_C, backlog)
    await pair.hk.start()
    await _applied(pair.hk_client, "", position)
    times.under_way.append(await _urgent(pair))
    await pair.settled()


async def _publish(client: GatewayClient, priority: alert_pb2.Priority.ValueType, count: int) -> Sequence[str]:
    requests = list(alerts(count, recipient=RECIPIENT))
    for request in requests:
        request.content.priority = priority
    return [outcome.result().alert_id async for outcome in client.publish_many(requests)]


async def _applied(client: GatewayClient, alert_id: str, position: int) -> None:
    """Waits until a watcher has a change of an alert, or of any without an id."""
    async for change in client.watch(position):
        if alert_id in ("", change.alert.alert_id):
            return


if __name__ == "__main__":
    typer.run(main)
