"""cn's gateway is killed with kill -9 in the middle of publishing and started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from itertools import islice

from demo import case
from demo.facts import Crash
from demo.pairs import pair
from demo.play import Play
from gateway.client import new_alert
from gateway.v1.alert_service_pb2 import PublishAlertRequest

ALERTS = 150
KILL_AFTER = 50
"""Alerts in all, and after how many acknowledged ones the gateway is killed."""

_PAUSE_S = 0.006
_BATCH = 10


async def killed(play: Play) -> None:
    """Kills cn while its risk engine publishes over one stream, starts it again, and lets the client go on."""
    play.screen.heading("5  kill -9 of cn's gateway while it publishes")
    gateway, client = play.stage.gateways["cn"], play.stage.system("cn", "risk-engine")
    before = published = 0
    restarts: list[asyncio.Task[float]] = []
    # A gateway that doesn't start again ends the scene at once: the client alone would hope for a minute.
    async with asyncio.TaskGroup() as tasks, aclosing(client.publish_many(_alerts(), batch=_BATCH)) as outcomes:
        async for outcome in outcomes:
            published += 1
            play.facts.note_published(pair("cn", "hk"), outcome.result().alert_id)
            if published == KILL_AFTER:
                before, pid = published, gateway.pid
                await gateway.kill()
                play.screen.say(f"☠ kill -9 {pid} after {before} acknowledged alerts; started again at once")
                restarts.append(tasks.create_task(gateway.start()))
    restart_ms = 1000 * sum(task.result() for task in restarts)
    play.screen.say(f"  serving again after {restart_ms:,.0f} ms: a normal start, no repair")
    play.screen.say(
        f"  {published} of {ALERTS} acknowledged: the client sent the unanswered ones again, each counts once"
    )
    await play.everything_shown("cn", "hk")
    play.facts.crash = Crash(ALERTS, before, published, restart_ms)
    await play.screen.beat(1)


async def _alerts() -> AsyncIterator[PublishAlertRequest]:
    for content in islice(case.routine_alerts(datetime.now(UTC), "KILL"), ALERTS):
        yield new_alert(content, ["hk"])
        await asyncio.sleep(_PAUSE_S)
