"""A day's traffic in an hour: does anything grow that shouldn't?

Two nodes as processes with real TLS and durable commits. Alerts come at a steady rate; by default as many in an hour as
50 a second make in a day, 4.3 million. Of a hundred 5 have priority A, 25 B. The partner watches all and acknowledges
some. Every ten seconds memory, open files, threads and processes of each node with its workers are taken, and the
backlog and the lag: the time from an alert's acknowledgement to the partner's watcher. The slopes are those of straight
lines through the last two thirds; what a day would add is the slope times the rest of the day's traffic.

    python -m bench.soak [--minutes N] [--per-day N] [--dir FOLDER] [--out FILE]
"""

from __future__ import annotations

import asyncio
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import psutil
import typer

from bench.alerts import requests as alerts
from bench.nodes import PUBLISHER, RECIPIENT, NodeProcess, Pair, running_pair
from gateway.client import GatewayClient
from gateway.errors import GatewayError
from gateway.v1 import alert_pb2
from gateway.v1.alert_service_pb2 import PublishAlertRequest

SAMPLE_S = 10.0
"""Seconds between two samples."""

PER_DAY = 50 * 24 * 3600
"""Alerts of a day at 50 a second."""

TIMED_EACH = 50
"""Of so many alerts one is timed."""

ACKNOWLEDGED_EACH = 500
"""Of so many alerts one is acknowledged by the partner."""


@dataclass
class Sample:
    """What was seen at one moment; numbers of a node are those of its process with its workers."""

    minutes: float
    published: int
    backlog: int
    lag_ms: float
    lag_p99_ms: float
    memory_mb: dict[str, float]
    files: dict[str, float]
    threads: dict[str, float]
    processes: dict[str, float]
    database_mb: dict[str, float]


@dataclass
class Traffic:
    """What is under way."""

    rate: float
    until_s: float
    published: int = 0
    refused: int = 0
    acknowledged: int = 0
    sent_s: dict[str, float] = field(default_factory=dict)
    lags_s: list[float] = field(default_factory=list)
    due: asyncio.Queue[str] = field(default_factory=asyncio.Queue)


def main(
    minutes: Annotated[float, typer.Option(min=1, help="How long.")] = 60.0,
    per_day: Annotated[int, typer.Option(min=1, help="Alerts of a day, which come in an hour.")] = PER_DAY,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the databases go.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the report goes, too.")] = None,
) -> None:
    """Let two nodes exchange a day's traffic in an hour, and report what grows."""
    place = Path(tempfile.mkdtemp(prefix="gateway-bench-", dir=folder))
    samples, traffic = asyncio.run(_soak(place, minutes, per_day / 3600))
    shutil.rmtree(place)
    report = _report(samples, traffic, minutes, per_day)
    typer.echo(report)
    if out is not None:
        out.write_text(report + "\n", encoding="utf-8")


async def _soak(place: Path, minutes: float, rate: float) -> tuple[list[Sample], Traffic]:
    async with running_pair(place) as pair:
        position = (await pair.hk_client.node.status()).position
        began = time.monotonic()
        traffic = Traffic(rate, began + minutes * 60)
        watching = [
            asyncio.create_task(_watch(pair.hk_client, traffic, position)),
            asyncio.create_task(_acknowledge(pair.hk_client, traffic)),
        ]
        sampling = asyncio.create_task(_sample(pair, traffic, began))
        async for outcome in pair.cn_client.publish_many(_requests(traffic)):
            try:
                alert_id = outcome.result().alert_id
            except GatewayError:
                traffic.refused += 1
                continue
            traffic.published += 1
            if traffic.published % TIMED_EACH == 0:
                traffic.sent_s[alert_id] = time.monotonic()
        samples = await sampling
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await pair.settled()
    return samples, traffic


async def _requests(traffic: Traffic) -> AsyncIterator[PublishAlertRequest]:
    began, count = time.monotonic(), 0
    while time.monotonic() < traffic.until_s:
        for request in alerts(200, recipient=RECIPIENT, seed=1):
            yield request
            count += 1
        await asyncio.sleep(began + count / traffic.rate - time.monotonic())


async def _watch(client: GatewayClient, traffic: Traffic, position: int) -> None:
    seen = 0
    async for change in client.watch(position):
        seen += 1
        if (sent_s := traffic.sent_s.pop(change.alert.alert_id, None)) is not None:
            traffic.lags_s.append(time.monotonic() - sent_s)
        if seen % ACKNOWLEDGED_EACH == 0 and change.alert.publisher != RECIPIENT:
            traffic.due.put_nowait(change.alert.alert_id)


async def _acknowledge(client: GatewayClient, traffic: Traffic) -> None:
    while True:
        alert_id = await traffic.due.get()
        try:
            reference = alert_pb2.AlertReference(alert_id=alert_id, publisher=PUBLISHER)
            shown = await client.get_alert(reference)
            await client.acknowledge(reference, revision=shown.alert.revision)
            traffic.acknowledged += 1
        except GatewayError:
            continue  # acknowledged before, or expired


async def _sample(pair: Pair, traffic: Traffic, began: float) -> list[Sample]:
    samples: list[Sample] = []
    while time.monotonic() < traffic.until_s:
        await asyncio.sleep(min(SAMPLE_S, max(0.1, traffic.until_s - time.monotonic())))
        lags, traffic.lags_s = sorted(traffic.lags_s), []
        nodes = {node.name: [psutil.Process(node.pid), *psutil.Process(node.pid).children()] for node in _nodes(pair)}
        samples.append(
            Sample(
                minutes=(time.monotonic() - began) / 60,
                published=traffic.published,
                backlog=sum(link.backlog for link in await pair.cn_client.node.links()),
                lag_ms=statistics.median(lags) * 1_000 if lags else float("nan"),
                lag_p99_ms=lags[len(lags) * 99 // 100] * 1_000 if lags else float("nan"),
                memory_mb=_each(nodes, lambda process: process.memory_info().rss / 1e6),
                files=_each(nodes, lambda process: process.num_fds()),
                threads=_each(nodes, lambda process: process.num_threads()),
                processes=_each(nodes, lambda _: 1),
                database_mb={node.name: node.database_mb for node in _nodes(pair)},
            )
        )
        if len(samples) % 6 == 0:
            typer.echo(_line(samples[-1]))
    return samples


def _nodes(pair: Pair) -> tuple[NodeProcess, NodeProcess]:
    return pair.cn, pair.hk


def _each(nodes: dict[str, list[psutil.Process]], measure: Callable[[psutil.Process], float]) -> dict[str, float]:
    return {name: float(sum(measure(process) for process in processes)) for name, processes in nodes.items()}


def _line(sample: Sample) -> str:
    nodes = "  ".join(
        f"{name}: {sample.memory_mb[name]:.0f} MB {sample.files[name]:.0f} files {sample.threads[name]:.0f} threads"
        for name in sample.memory_mb
    )
    return (
        f"{sample.minutes:5.1f} min {sample.published:>9,} published, backlog {sample.backlog:>6,}, "
        f"lag {sample.lag_ms:.0f}/{sample.lag_p99_ms:.0f} ms  {nodes}"
    )


_MEASURES: tuple[tuple[str, Callable[[Sample, str], float]], ...] = (
    ("memory, MB", lambda sample, node: sample.memory_mb[node]),
    ("open files", lambda sample, node: sample.files[node]),
    ("threads", lambda sample, node: sample.threads[node]),
    ("processes", lambda sample, node: sample.processes[node]),
    ("database, MB", lambda sample, node: sample.database_mb[node]),
)


def _report(samples: Sequence[Sample], traffic: Traffic, minutes: float, per_day: int) -> str:
    settled = samples[len(samples) // 3 :]
    times = [sample.minutes / 60 for sample in settled]
    rows = [
        f"{traffic.published:,} alerts published in {minutes:g} minutes ({traffic.published / minutes / 60:,.0f} a "
        f"second; {traffic.published / per_day:.0%} of a day at {per_day / 86_400:g} a second), "
        f"{traffic.refused:,} refused, "
        f"{traffic.acknowledged:,} acknowledged by the partner.",
        "",
        "| | begin | end | slope for each day's traffic |",
        "|---|---|---|---|",
    ]
    for node in ("cn", "hk"):
        for name, measure in _MEASURES:
            values = [measure(sample, node) for sample in settled]
            rows.append(f"| {node}: {name} | {values[0]:,.0f} | {values[-1]:,.0f} | {_slope(times, values):+,.1f} |")
    for name, of in (("backlog, entries", "backlog"), ("lag, median ms", "lag_ms"), ("lag, 99 % ms", "lag_p99_ms")):
        seen = [(hour, getattr(sample, of)) for hour, sample in zip(times, settled, strict=True)]
        known = [(hour, value) for hour, value in seen if not math.isnan(value)]
        slope = _slope([hour for hour, _ in known], [value for _, value in known])
        rows.append(f"| {name} | {known[0][1]:,.0f} | {known[-1][1]:,.0f} | {slope:+,.1f} |")
    return "\n".join(rows)


def _slope(hours: Sequence[float], values: Sequence[float]) -> float:
    """Change in an hour, which has a day's traffic."""
    if len(values) < 2:
        return float("nan")
    return statistics.linear_regression(hours, values).slope


if __name__ == "__main__":
    typer.run(main)
