"""Measures how soon somebody is told: an alert by watch at the partner, and the alarm of an outbox that takes nothing.

    python -m bench.told [--alerts 50] [--json FILE]

Two gateways on this machine. The time of an alert runs from before its publication at cn until the notification comes
out of hk's stream, which the console's bell shows. The time of the alarm runs from the publication of an alert while
hk's NATS server is down until OUTBOX_WAITS stands in hk's status.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import aclosing
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.alerts import contents
from bench.nodes import free_port, three_nodes
from gateway.client import GatewayClient
from gateway.v1.notification_service_pb2 import NotificationKind, NotificationRule

SETTINGS = """
[notifications]
enabled = true
[notifications.outbox]
nats = "nats://127.0.0.1:{port}"
"""
"""Of hk: a server that isn't there."""

LOOK_S = 0.1
"""Seconds between two looks at the status."""

ALARM_S = 120.0
"""Seconds after which the alarm is given up."""


async def told(cn: GatewayClient, hk: GatewayClient, alerts: int) -> list[float]:
    """Seconds of each alert, one after the other."""
    await hk.notifications.set_rules([NotificationRule(kinds=[NotificationKind.NOTIFICATION_KIND_NEW_ALERT])])
    seconds: list[float] = []
    content = contents()
    watching = hk.notifications.watch()
    async with aclosing(watching):
        await anext(watching)
        for number in range(alerts + 1):
            began_s = time.perf_counter()
            published = await cn.publish(content[number % len(content)], ["hk"])
            while True:
                seen = await anext(watching)
                if published.alert_id in {one.alert.alert_id for one in seen.notifications}:
                    break
            if number:  # the first waits for the link
                seconds.append(time.perf_counter() - began_s)
    return seconds


async def alarmed(cn: GatewayClient, hk: GatewayClient) -> float:
    """Seconds until the alarm."""
    began_s = time.perf_counter()
    await cn.publish(contents()[0], ["hk"])
    async with asyncio.timeout(ALARM_S):
        while "OUTBOX_WAITS" not in {alarm.code for alarm in (await hk.node.status()).alarms}:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
    return time.perf_counter() - began_s


async def measure(folder: Path, alerts: int) -> tuple[list[float], float]:
    async with three_nodes(folder) as nodes:
        cn, hk = nodes["cn"], nodes["hk"]
        with hk.settings.open("a", encoding="utf-8") as settings:
            settings.write(SETTINGS.format(port=free_port()))
        await asyncio.gather(cn.start(), hk.start())
        async with cn.client() as publisher, hk.client() as receiver:
            alarm_s = await alarmed(publisher, receiver)
            return await told(publisher, receiver, alerts), alarm_s


def main(
    alerts: Annotated[int, typer.Option(min=1, help="Alerts that are timed.")] = 50,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="bench-told-") as folder:
        seconds, alarm_s = asyncio.run(measure(Path(folder) / "nodes", alerts))
    figures = {
        "told of an alert": {"unit": "s", "median": median(seconds), "min": min(seconds), "max": max(seconds)},
        "alarm of the outbox": {"unit": "s", "median": alarm_s, "min": alarm_s, "max": alarm_s},
    }
    table = Table("what", "median s", "least s", "most s")
    for name, row in figures.items():
        table.add_row(name, *(f"{row[key]:.3f}" for key in ("median", "min", "max")))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"figures": figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
