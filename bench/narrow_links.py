"""Measures how a backlog of alerts drains over a line of 64 kbit/s, and over one of 2 Mbit/s with 200 ms delay.

Two nodes as processes with real TLS and durable commits; between them the tests' network, which forwards no more than
the line's rate, over all connections together, and delays each direction. The backlog is published in bulk while the
partner is down. "Of the line" is the backlog's payload, divided by what the line could have carried in the time from
the partner's return to the last receipt. While it drains, alerts of priority A are published, and the time until a
watcher at the partner has them is taken.

    python -m bench.narrow_links [--alerts N] [--bytes N] [--line KBIT/S:DELAY_MS]… [--dir FOLDER]
"""

from __future__ import annotations

import asyncio
import random
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.alerts import requests as alerts
from bench.nodes import ORIGIN, PUBLISHER, RECIPIENT, Pair, running_pair
from gateway.client import GatewayClient
from gateway.v1 import alert_pb2
from gateway.v1.alert_service_pb2 import PublishAlertRequest
from gateway.v1.node_service_pb2 import Link
from tests.support.proxy import Network, Proxy

LINES = ("64:0", "2000:200")

URGENT_EVERY_S = 5.0
"""Seconds between two urgent alerts while the backlog drains."""

_TEXT = (
    "antimony ingots declared as refined lead shipper forwarder consignee Shenzhen Kwai Chung terminal barge seal "
    "reseal weight differs manifest amended twice before departure buyer unknown to the licence end use statement"
)


@dataclass
class Drain:
    """One line's figures: bytes, seconds, and milliseconds of urgent alerts."""

    payload: int = 0
    on_the_line: int = 0
    seconds: float = 0.0
    urgent_ms: list[float] = field(default_factory=list)


def main(
    count: Annotated[int, typer.Option("--alerts", min=1, help="Alerts of priority C in the backlog.")] = 1_000,
    size: Annotated[int, typer.Option("--bytes", min=600, help="Bytes of each alert, about.")] = 5_000,
    line: Annotated[list[str] | None, typer.Option(help="Rate in kbit/s and delay of a direction in ms.")] = None,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the databases go.")] = None,
) -> None:
    """Measure how a backlog drains over narrow links."""
    table = Table("line", "seconds", "of the line", "bytes sent, of payload", "urgent alert, median / max ms")
    for spec in line or LINES:
        kbit_s, _, delay_ms = spec.partition(":")
        place = Path(tempfile.mkdtemp(prefix="gateway-bench-", dir=folder))
        drain = asyncio.run(_measure(place, count, size, float(kbit_s), float(delay_ms or 0)))
        shutil.rmtree(place)
        line_bytes = float(kbit_s) * 125 * drain.seconds
        urgent = drain.urgent_ms or [float("nan")]
        table.add_row(
            f"{kbit_s} kbit/s, {delay_ms or 0} ms",
            f"{drain.seconds:,.1f}",
            f"{drain.payload / line_bytes:.0%}",
            f"{drain.on_the_line / drain.payload:.2f}",
            f"{statistics.median(urgent):,.0f} / {max(urgent):,.0f} ({len(drain.urgent_ms)})",
        )
    Console().print(table)


async def _measure(place: Path, count: int, size: int, kbit_s: float, delay_ms: float) -> Drain:
    drain = Drain()
    with Network() as network:
        async with running_pair(place, network=network) as pair:
            proxy = pair.proxies[PUBLISHER]
            await _publish(pair.cn_client, alert_pb2.PRIORITY_A, 1, 600)
            await pair.settled()
            await pair.hk.stop()
            for narrowed in pair.proxies.values():
                narrowed.narrow(kbit_s * 1_000)
                narrowed.delay(delay_ms / 1_000)
            drain.payload = await _publish(pair.cn_client, alert_pb2.PRIORITY_C, count, size)
            await pair.hk.start()
            await _drain(pair, proxy, drain)
    return drain


async def _drain(pair: Pair, proxy: Proxy, drain: Drain) -> None:
    began, before = time.monotonic(), proxy.sent
    watching = asyncio.create_task(_urgent(pair, drain))
    size = (await _backlog_link(pair)).size
    while (await _backlog_link(pair)).receipted_size < size:  # noqa: ASYNC110  the state is another process's
        await asyncio.sleep(0.25)
    drain.seconds, drain.on_the_line = time.monotonic() - began, proxy.sent - before
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def _backlog_link(pair: Pair) -> Link:
    (link,) = [link for link in await pair.cn_client.node.links() if link.origin == ORIGIN]
    return link


async def _urgent(pair: Pair, drain: Drain) -> None:
    while True:
        await asyncio.sleep(URGENT_EVERY_S)
        position = (await pair.hk_client.node.status()).position
        began = time.monotonic()
        (request,) = alerts(1, recipient=RECIPIENT)
        request.content.priority = alert_pb2.PRIORITY_A
        published = await pair.cn_client.publish(request.content, [RECIPIENT])
        async for change in pair.hk_client.watch(position):
            if change.alert.alert_id == published.alert_id:
                drain.urgent_ms.append((time.monotonic() - began) * 1_000)
                break


async def _publish(client: GatewayClient, priority: alert_pb2.Priority.ValueType, count: int, size: int) -> int:
    """Publishes in bulk; returns the payload's bytes."""
    requests = [_filled(request, size, number) for number, request in enumerate(alerts(count, recipient=RECIPIENT))]
    for request in requests:
        request.content.priority = priority
    outcomes = [outcome async for outcome in client.publish_many(requests)]
    assert all(outcome.result().alert_id for outcome in outcomes)
    return sum(request.content.ByteSize() for request in requests)


def _filled(request: PublishAlertRequest, size: int, number: int) -> PublishAlertRequest:
    """Adds words until the alert has that many bytes."""
    chance, narrative, known = random.Random(number), request.content.narratives[0], _TEXT.split()
    while (missing := size - request.content.ByteSize()) > 0:
        words = chance.choices(known, k=missing // 10 + 1)
        narrative.text += " " + " ".join([*words, f"{chance.randrange(10**9)}"])
    return request


if __name__ == "__main__":
    typer.run(main)
