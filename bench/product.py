"""What the product does: single publishes, bulk, and the way to a watcher at the partner.

Requests are made before the clock starts; acknowledged means durable at the publisher, receipted means durable at both
with the recipient's cosignature back at the publisher.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from bench import alerts
from bench.nodes import RECIPIENT, Pair
from bench.results import Tell, quantile
from gateway.v1.alert_service_pb2 import PublishAlertRequest

BATCH = 250
"""Alerts in one message of the bulk stream."""

LATENCY_RATES = (100.0, 300.0)
"""Alerts per second while latency is measured: an authority's usual load, and three times that."""


ANSWERED_S = 0.5
"""Seconds after the last alert came in which its answer and the receipt for that have come too."""


@dataclass(frozen=True)
class Bulk:
    """One bulk run: alerts per second until each point, and processor time per alert in µs.

    Attributes:
        acknowledged: until the client has every answer.
        receipted: until the publisher has the last receipt. This is the figure that counts.
        projected: until the recipient's officers see every alert.
        cn_us, hk_us, client_us: processor time per alert until both nodes had nothing left to do.
    """

    acknowledged: float
    receipted: float
    projected: float
    cn_us: float
    hk_us: float
    client_us: float


@dataclass(frozen=True)
class Latencies:
    """Milliseconds from the scheduled moment of a publish to the watcher having it.

    Attributes:
        cn_us, hk_us: processor time per alert until both nodes had nothing left to do, all else that they did included.
        alerts: their number.
    """

    p50_ms: float
    p99_ms: float
    max_ms: float
    cn_us: float
    hk_us: float
    alerts: int


async def publish(pair: Pair, count: int, in_flight: int) -> float:
    """Single publishes acknowledged per second, with so many at once."""
    await pair.settled()
    requests = iter(list(alerts.requests(count, recipient=RECIPIENT)))

    async def caller() -> None:
        for request in requests:
            await pair.cn_client.publish(request.content, request.recipients, request_id=request.request_id)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return count / (time.perf_counter() - started)


async def bulk(pair: Pair, count: int, batch: int = BATCH) -> Bulk:
    """Alerts from one client over one stream to the publisher and on to the recipient."""
    before = await pair.settled()
    requests = list(alerts.requests(count, recipient=RECIPIENT))
    cpu = pair.cn.cpu_s, pair.hk.cpu_s, time.process_time()
    started = time.perf_counter()
    await _publish_all(pair, requests, batch)
    acknowledged = time.perf_counter() - started
    await pair.receipted(before + count)
    receipted = time.perf_counter() - started
    await pair.projected(pair.hk_client)
    projected = time.perf_counter() - started
    client_s = time.process_time() - cpu[2]
    await pair.settled()
    return Bulk(
        acknowledged=count / acknowledged,
        receipted=count / receipted,
        projected=count / projected,
        cn_us=(pair.cn.cpu_s - cpu[0]) / count * 1e6,
        hk_us=(pair.hk.cpu_s - cpu[1]) / count * 1e6,
        client_us=client_s / count * 1e6,
    )


async def fill(pair: Pair, size: int, *, tell: Tell, chunk: int = 20_000) -> None:
    """Brings the publisher's feed to `size` entries by the bulk path."""
    while (now := await pair.settled()) < size:
        tell(f"filling: {now:,} of {size:,} entries")
        count = min(chunk, size - now)
        await _publish_all(pair, list(alerts.requests(count, recipient=RECIPIENT)), BATCH)
        await pair.receipted(now + count)


async def latency(pair: Pair, seconds: float, *, rate: float = LATENCY_RATES[0], seed: int = 1) -> Latencies:
    """Publishes at random moments, `rate` a second on average, and watches at the partner.

    The moments are fixed beforehand and each latency counts from its moment, not from when the call could be made: a
    system that stalls is charged for everyone who would have had to wait (no coordinated omission). Publisher and
    watcher are in this process and share its monotonic clock.
    """
    await pair.settled()
    start_position = (await pair.hk_client.node.status()).position
    chance = random.Random(seed)
    due, at = [], 0.2
    while at < seconds + 0.2:
        due.append(at)
        at += chance.expovariate(rate)
    requests = [_numbered(number, body) for number, body in enumerate(alerts.requests(len(due), recipient=RECIPIENT))]
    seen_at: dict[int, float] = {}
    watching = asyncio.create_task(_watch(pair, start_position, len(due), seen_at))
    await asyncio.sleep(0.3)  # the watch is open before the first alert
    cpu = pair.cn.cpu_s, pair.hk.cpu_s
    started = time.perf_counter()
    async with asyncio.TaskGroup() as calls:
        for moment, request in zip(due, requests, strict=True):
            await asyncio.sleep(started + moment - time.perf_counter())
            calls.create_task(
                pair.cn_client.publish(request.content, request.recipients, request_id=request.request_id)
            )
    async with asyncio.timeout(30):
        await watching
    await asyncio.sleep(ANSWERED_S)  # without asking the nodes, which would cost them something
    spent = [node.cpu_s - before for node, before in zip((pair.cn, pair.hk), cpu, strict=True)]
    taken = [(seen_at[number] - started - moment) * 1000 for number, moment in enumerate(due)]
    cn_us, hk_us = (cpu_s / len(due) * 1e6 for cpu_s in spent)
    return Latencies(quantile(taken, 0.50), quantile(taken, 0.99), max(taken), cn_us, hk_us, len(due))


async def _watch(pair: Pair, position: int, count: int, seen_at: dict[int, float]) -> None:
    async for change in pair.hk_client.watch(position):
        if change.event.WhichOneof("event") == "published":
            seen_at[int(change.event.published.content.case_reference.rpartition("-")[2])] = time.perf_counter()
            if len(seen_at) == count:
                return


def _numbered(number: int, request: PublishAlertRequest) -> PublishAlertRequest:
    request.content.case_reference = f"CASE-LATENCY-{number}"
    return request


async def _publish_all(pair: Pair, requests: list[PublishAlertRequest], batch: int) -> None:
    async for outcome in pair.cn_client.publish_many(requests, batch=batch):
        outcome.result()
