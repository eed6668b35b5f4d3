"""The link between cn and hk is cut while cn goes on publishing, and healed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from statistics import median

from demo import case
from demo.facts import Outage
from demo.pairs import pair
from demo.play import Play
from gateway.client import AlertContent
from gateway.errors import GatewayError

ALERTS = 200
PER_SECOND = 100
"""What is published while the link is cut."""

_TELL_EVERY = ALERTS // 4


async def cut_off(play: Play) -> None:
    """Cuts, publishes, heals, waits until everything has arrived."""
    play.screen.heading("4  The link between cn and hk is cut, and healed")
    play.stage.cut()
    play.screen.say(f"✂ cut: connections reset, new ones refused. cn goes on publishing, {PER_SECOND} alerts a second:")
    publishing = asyncio.create_task(
        _publish(play, list(islice(case.routine_alerts(datetime.now(UTC), "OUT"), ALERTS)))
    )
    try:
        alert = next(case.routine_alerts(datetime.now(UTC), "HKMO"))
        await play.publish("hk", alert, "mo", "alert B meanwhile: others aren't affected")
        others_ms = play.facts.carried[-1].shown_ms
        stored_ms = await publishing
    finally:
        publishing.cancel()
    size, backlog = await play.backlog("cn", "hk")
    play.screen.say(
        f"  {len(stored_ms)} of {ALERTS} stored and acknowledged, median {median(stored_ms or [0]):.1f} ms; "
        f"backlog {backlog}"
    )
    await play.screen.beat()
    recovery_ms = await _heal(play, size)
    play.screen.say(f"  healed; everything receipted and shown at hk after {recovery_ms:,.0f} ms")
    play.facts.outage = Outage(ALERTS, len(stored_ms), median(stored_ms or [0]), backlog, others_ms, recovery_ms)
    await play.screen.beat(1)


async def _publish(play: Play, contents: Sequence[AlertContent]) -> list[float]:
    """Publishes at a steady rate; returns the milliseconds that each took until it was durable."""
    client = play.stage.system("cn", "risk-engine")
    stored_ms: list[float] = []

    async def one(content: AlertContent) -> None:
        began = time.perf_counter()
        try:
            response = await client.publish(content, ["hk"])
        except GatewayError as error:
            play.facts.problems.append(f"publishing while the link was cut: {error.message}")
            return
        stored_ms.append(1000 * (time.perf_counter() - began))
        play.facts.note_published(pair("cn", "hk"), response.alert_id)

    async with asyncio.TaskGroup() as tasks:
        for number, content in enumerate(contents, 1):
            tasks.create_task(one(content))
            if number % _TELL_EVERY == 0:
                size, backlog = await play.backlog("cn", "hk")
                play.screen.say(f"  {size:>5,} entries, backlog {backlog:>4}")
            await asyncio.sleep(1 / PER_SECOND)
    return stored_ms


async def _heal(play: Play, size: int) -> float:
    began = time.perf_counter()
    play.stage.heal()

    async def receipted() -> bool | None:
        held, backlog = await play.backlog("cn", "hk")
        return held - backlog >= size or None

    await play.wait("hk's receipt after the link was healed", receipted, poll_s=0.01)
    await play.everything_shown("cn", "hk")
    return 1000 * (time.perf_counter() - began)
