"""What the console's first views cost with many alerts, beside a page without any: time until the last byte, and bytes.

python -m bench.pages [--alerts N] [--rounds N] [--json FILE]
"""

from __future__ import annotations

import gzip
import http.client
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bench.results import Figures, show, write
from gateway.client import new_alert
from gateway.v1 import alert_pb2, alert_service_pb2
from gateway.v1 import casework_service_pb2 as casework
from tests.support.console.trial import ConsoleTrial, Office
from tests.support.federation import alert, eventually

WITHIN_S = 600.0
"""For alerts to reach the partner's inbox."""

FLOOR = "/evidence/verify"
"""A page that reads nothing of an alert."""

PRIORITIES = (alert_pb2.PRIORITY_A, *(alert_pb2.PRIORITY_B,) * 5, *(alert_pb2.PRIORITY_C,) * 14)
"""The mix of a customs day."""


def alerts_of_a_day(number: int) -> Iterator[alert_service_pb2.PublishAlertRequest]:
    """So many alerts for hk, each about a container of its own."""
    for at, priority in zip(range(number), itertools.cycle(PRIORITIES)):
        content = alert(priority=priority, case_reference=f"CASE-{at:06}")
        del content.subject.equipment[:]
        content.subject.equipment.add(id=f"BNCU{at:07}")
        yield new_alert(content, ["hk"])


async def fill(trial: ConsoleTrial, number: int) -> str:
    """Alerts in hk's inbox; the id of one."""
    async with trial.federation.client("cn", "publisher") as cn, trial.federation.client("hk", "officer") as hk:
        ids = [outcome.result().alert_id async for outcome in cn.publish_many(alerts_of_a_day(number))]

        async def arrived() -> bool:
            (everything,) = await hk.casework.inbox_counts([casework.InboxFilter(scope=casework.INBOX_SCOPE_ALL)])
            return everything.total >= min(number, 10_000)

        await eventually(arrived, what="the alerts in the inbox", within_s=WITHIN_S)
        return ids[0]


class Reader:
    """A person's browser, without what it draws: one connection, one session."""

    def __init__(self, office: Office, token: str) -> None:
        self._office = office
        self._headers = {
            "Host": f"{office.host}:{office.port}",
            "Cookie": f"{office.cookie}={token}",
            "Accept-Encoding": "gzip",
        }
        self._connection = http.client.HTTPConnection("127.0.0.1", office.port, timeout=60)

    def get(self, path: str) -> tuple[float, int, int]:
        """Milliseconds until the last byte, bytes on the line and of the page."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        content = response.read()
        taken = (time.perf_counter() - began) * 1000
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status}\n{self._office.log[-2000:]}")
        packed = response.getheader("content-encoding") == "gzip"
        return taken, len(content), len(gzip.decompress(content)) if packed else len(content)


def measure(folder: Path, number: int, rounds: int) -> Figures:
    """The pages in turn, so many rounds."""
    figures = Figures()
    with ConsoleTrial(folder) as trial:
        trial.start("cn", "hk")
        one = trial.run(fill(trial, number), within_s=2 * WITHIN_S)
        officer = Reader(trial["hk"], trial.session("hk", "officer"))
        supervisor = Reader(trial["hk"], trial.session("hk", "supervisor"))
        pages = {
            "floor: a form": (officer, FLOOR),
            "inbox": (officer, "/inbox"),
            "inbox, all, newest first": (officer, "/inbox?scope=all&order=newest"),
            "inbox, a search": (officer, f"/inbox?q=BNCU{number // 2:07}"),
            "inbox, 100 chosen": (officer, "/inbox?choose=all"),
            "load by person": (supervisor, "/inbox/load"),
            "an alert in its list": (officer, f"/alerts/cn/{one}?list=&at=0"),
            "a quick look": (officer, f"/alerts/cn/{one}/glance?list=&at=0"),
            "notifications": (officer, "/notifications"),
            "watchlists": (officer, "/watchlists"),
        }
        for reader, path in pages.values():
            reader.get(path)  # templates and validators are compiled
        for _ in range(rounds):
            for name, (reader, path) in pages.items():
                taken, sent, whole = reader.get(path)
                figures.note(name, "ms", taken)
                figures.note(f"{name}: sent", "kB", sent / 1000)
                figures.note(f"{name}: whole", "kB", whole / 1000)
    return figures


def main(
    alerts: Annotated[int, typer.Option(min=1, help="Alerts in the inbox.")] = 10_000,
    rounds: Annotated[int, typer.Option(min=1, help="How often each page is asked for.")] = 11,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where the figures go too.")] = None,
) -> None:
    """Measure the console's first views."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-bench-"))
    try:
        figures = measure(folder, alerts, rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(figures, f"First views with {alerts:,} alerts")
    write(json_file, figures, command="python -m bench.pages")


if __name__ == "__main__":
    typer.run(main)
