"""What metrics and traces cost per alert: lone alerts at a node with them, and at one that counts nothing, in turns.

The two nodes run in this process, each without a partner that it connects to. Processor time is compared, since the
machine may do other things; blocks alternate, and the order changes from round to round.

    python -m bench.telemetry [ROUNDS]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.alerts import contents
from bench.nodes import NodeProcess, free_port, write_federation
from gateway.client import GatewayClient
from gateway.node.assembly.node import Node
from gateway.node.defaults import LinkMode
from gateway.node.sections.observed_settings import TraceSettings
from gateway.node.settings import LinkSettings, load_settings
from gateway.rpc.call_metrics import CallMetrics
from tests.support.otlp import otlp_receiver

BLOCK = 100
"""Alerts in a block: some seconds."""

SCRAPE_S = 1.0
"""Seconds between scrapes: fifteen times as often as usual."""

NAMES = ("cn", "hk")


class _Nothing:
    """A counter that counts nothing."""

    def labels(self, *_: str) -> _Nothing:
        return self

    def inc(self, _: float = 1) -> None:
        return

    def observe(self, _: float) -> None:
        return


class _Uncounted(CallMetrics):
    """An interceptor that passes every call on."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return await continuation(handler_call_details)


@contextmanager
def uncounted() -> Iterator[None]:
    """Nodes that are made meanwhile have no counters, histograms and no interceptor for them."""
    nothing = _Nothing()
    with (
        patch("gateway.telemetry.metrics.Counter", lambda *_, **__: nothing),
        patch("gateway.telemetry.metrics.Histogram", lambda *_, **__: nothing),
        patch("gateway.node.assembly.callers.CallMetrics", _Uncounted),
    ):
        yield


@asynccontextmanager
async def node(root: Path, *, metrics: bool, traces: str = "") -> AsyncIterator[GatewayClient]:
    """A client of a lone node."""
    ports = {name: (free_port(), free_port()) for name in NAMES}
    federation = write_federation(root, ports)
    settings = load_settings(federation.node("cn").path / "gateway.toml").model_copy(
        update={
            "links": {"hk": LinkSettings(mode=LinkMode.PULL)},
            "metrics_bind": "0" if metrics else "",
            "traces": TraceSettings(endpoint=traces),
        }
    )
    made = Node(settings)
    await made.start()
    scraping = asyncio.create_task(_scrape(made.telemetry.port)) if metrics else None
    try:
        async with NodeProcess("cn", federation.node("cn"), ports["cn"][1]).client() as client:
            yield client
    finally:
        if scraping is not None:
            scraping.cancel()
        await made.stop()


async def _scrape(port: int) -> None:
    def fetch() -> None:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read()

    while True:
        await asyncio.to_thread(fetch)
        await asyncio.sleep(SCRAPE_S)


async def block(client: GatewayClient) -> tuple[float, float]:
    """Milliseconds of processor time and of waiting for one alert, means of a block."""
    bodies = contents()
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(BLOCK):
        await client.publish(bodies[number % len(bodies)], ["hk"])
    return (time.process_time() - cpu) / BLOCK * 1e3, (time.perf_counter() - wall) / BLOCK * 1e3


async def run(root: Path, rounds: int) -> None:
    """Measure and print."""
    taken: dict[str, list[tuple[float, float]]] = {"uncounted": [], "counted, scraped": [], "and traced": []}
    with otlp_receiver() as receiver:
        async with AsyncExitStack() as stack:
            with uncounted():
                first = await stack.enter_async_context(node(root / "uncounted", metrics=False))
                await block(first)
            second = await stack.enter_async_context(node(root / "counted", metrics=True))
            url = f"http://127.0.0.1:{receiver.port}"
            third = await stack.enter_async_context(node(root / "traced", metrics=True, traces=url))
            clients = dict(zip(taken, (first, second, third), strict=True))
            for client in clients.values():
                await block(client)
            for number in range(rounds):
                for name in sorted(clients, reverse=number % 2 == 1):
                    taken[name].append(await block(clients[name]))
    base = taken["uncounted"]
    for name, blocks in taken.items():
        cpu, wall = (statistics.median(column) for column in zip(*blocks, strict=True))
        more = statistics.quantiles(
            [mine[0] - other[0] for mine, other in zip(blocks, base, strict=True)], n=4, method="inclusive"
        )
        spread = ", ".join(f"{quartile:+.3f}" for quartile in more)
        print(f"{name:18} {cpu:.3f} ms of processor for an alert (quartiles of more: {spread}), {wall:.1f} ms to wait")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else 7))
