"""The console beside a node with a million alerts: time of a first view, weight of pages, and what it costs the node.

    python -m bench.console [--alerts 1000000] [--dir FOLDER]

Server time is that of a plain request; first contentful paint is the browser's own, in a new window without a cache.
Needs Chromium (`make test-packages`). Some minutes, mostly to fill the node.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import psutil
import typer
from playwright.sync_api import Browser
from rich.console import Console
from rich.table import Table

from bench import alerts, environment
from gateway.v1.alert_service_pb2 import PublishAlertRequest
from gateway.v1.casework_service_pb2 import InboxFilter
from tests.support.console.chromium import running_browser
from tests.support.console.desk import desks
from tests.support.console.trial import ConsoleTrial
from tests.support.console.visitor import Visitor
from tests.support.federation import eventually

FIRST_VIEW_MS = 300
WEIGHT_KB = 150
APPEARS_S = 1.0
"""Targets: milliseconds to the first contentful paint, kB of a page without pictures, seconds from node to page."""

SOON_S = 600
"""Validity of the alerts that shall appear, in seconds: it ends before somebody must have acted on any other."""

ASKED = 30
"""Requests of each page."""

PAINTED = 5
"""New windows for each page."""

BULK = 20_000
"""Alerts of a run that measures the node's speed."""

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"

APPEARANCES = 10

FOLLOWED_S = 7_200
"""Seconds within which a node is to follow a million alerts for search and links."""

IDLE_SHARE = 0.2
"""Part of a core below which a node has nothing left to do but its upkeep."""


@dataclass(frozen=True)
class View:
    """One page: medians and worst of ASKED and PAINTED, milliseconds; kB over the wire with scripts and styles."""

    name: str
    server_ms: float
    server_worst_ms: float
    paint_ms: float
    paint_worst_ms: float
    page_kb: float
    all_kb: float

    @property
    def holds(self) -> bool:
        return self.paint_ms <= FIRST_VIEW_MS and self.page_kb <= WEIGHT_KB


def main(
    count: Annotated[int, typer.Option("--alerts", min=1_000, help="Alerts at the node.")] = 1_000_000,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the databases go.")] = None,
) -> None:
    """Measures, and prints tables; the exit code is 0 whatever the figures say."""
    console = Console()
    place = Path(tempfile.mkdtemp(prefix="gateway-console-", dir=folder))
    console.print(f"busy before: {environment.busy():.0%} of the cores, databases on {environment.file_system(place)}")
    with console.status("starting") as status, ConsoleTrial(place) as trial, running_browser() as browser:
        trial.federation.start("cn", "hk")
        trial.run(_fill(trial, count, status.update), within_s=3_600)
        before = _costs(trial, "without a console")
        trial["hk"].start()
        trial.session("hk", "officer")
        status.update("waiting for the inbox to have all alerts")
        trial.federation["cn"].stop()  # it follows its own alerts as long as hk, on the same cores
        trial.run(_followed(trial), within_s=FOLLOWED_S)
        _wait_until_idle(trial)
        status.update("opening pages")
        views = [_view(trial, browser, name, path, person) for name, path, person in _pages(trial)]
        _print_views(console, count, views)
        trial.federation.start("cn")
        status.update("alerts beside a console")
        after = _costs(trial, "beside a console")
        status.update("waiting for the inbox to have all alerts")
        _wait_until_idle(trial)
        status.update("waiting for alerts to appear")
        appeared = _appearances(trial, browser)
        during = _costs(trial, "beside a console with open pages")
    _print_costs(console, [before, after, during], appeared)
    shutil.rmtree(place)


@dataclass(frozen=True)
class Cost:
    """What hk's node costs: alerts per second that it stores and shows, resident MB of it and of its console."""

    name: str
    alerts_per_s: float
    node_mb: float
    console_mb: float


def _pages(trial: ConsoleTrial) -> Sequence[tuple[str, str, str]]:
    """Pages that open first, an alert among all, and who opens each; nobody is signed in for the last."""
    return [
        ("inbox", "/inbox", "officer"),
        ("alert", trial.run(_some_alert(trial)), "officer"),
        ("figures", "/figures", "supervisor"),
        ("sign-in", "/sign-in", ""),
    ]


async def _some_alert(trial: ConsoleTrial) -> str:
    async with trial.federation.client("hk", "officer") as officer:
        alert = (await officer.list_alerts_page(page_size=10)).alerts[-1].alert
    return f"/alerts/{alert.publisher}/{alert.id}"


async def _fill(trial: ConsoleTrial, count: int, tell: Any) -> None:
    done = 0
    while done < count:
        some = min(BULK, count - done)
        await _publish(trial, some)
        done += some
        tell(f"filling: {done:,} of {count:,} alerts")


async def _publish(trial: ConsoleTrial, count: int) -> float:
    """Publishes at cn; returns alerts per second until hk has projected them."""
    async with trial.federation.client("cn", "publisher") as engine, trial.federation.client("hk", "operator") as ops:
        shown = (await ops.node.status()).projected_position
        requests = list(alerts.requests(count, recipient="hk"))
        began = time.perf_counter()
        async for outcome in engine.publish_many(requests, batch=500):
            if outcome.refused:
                raise SystemExit(f"refused: {outcome.refused.message}")

        async def all_shown() -> bool:
            return (await ops.node.status()).projected_position >= shown + count

        await eventually(all_shown, within_s=600, what="all alerts at hk")
        return count / (time.perf_counter() - began)


def _costs(trial: ConsoleTrial, name: str) -> Cost:
    rates = [trial.run(_publish(trial, BULK)) for _ in range(3)]
    office = trial["hk"]
    return Cost(
        name, median(rates), _rss_mb(office.node.pid), _rss_mb(office.pid) if office.process is not None else 0.0
    )


def _rss_mb(pid: int) -> float:
    return sum(process.memory_info().rss for process in _family(pid)) / 1e6


def _family(pid: int) -> Iterator[psutil.Process]:
    process = psutil.Process(pid)
    yield process
    yield from process.children(recursive=True)


def _view(trial: ConsoleTrial, browser: Browser, name: str, path: str, person: str) -> View:
    office = trial["hk"]
    asked = []
    visitor = Visitor.with_session(office, trial.session("hk", person) if person else "")
    for _ in range(ASKED):
        began = time.perf_counter()
        answer = visitor.get(path, Accept_Encoding="gzip")
        asked.append(1000 * (time.perf_counter() - began))
        if answer.status != 200:
            raise SystemExit(f"{path} answers {answer.status}")
    opened = [_opened(trial, browser, person, path) for _ in range(PAINTED)]
    painted, weights = [paint_ms for paint_ms, _ in opened], [weight_kb for _, weight_kb in opened]
    return View(name, median(asked), max(asked), median(painted), max(painted), len(answer.body) / 1000, max(weights))


def _opened(trial: ConsoleTrial, browser: Browser, person: str, path: str) -> tuple[float, float]:
    """Milliseconds to the first contentful paint of a page in a new window, and kB over the wire."""
    sizes: list[int] = []
    with desks(trial, browser) as desk:
        window = desk("hk", person)
        window.context.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
        page = window.open(path)
        while not (paint_ms := page.evaluate(FIRST_PAINT)):  # the page's policy forbids a wait by the browser
            page.wait_for_timeout(20)
        page.wait_for_timeout(200)
    return paint_ms, sum(sizes) / 1000


def _appearances(trial: ConsoleTrial, browser: Browser) -> list[float]:
    """Seconds from the acknowledged publish at cn until hk's open inbox says that there is a new one.

    Each is more urgent than all that fill the page: of others an open page says nothing.
    """
    taken = []
    with desks(trial, browser) as desk:
        page = desk("hk", "officer").open("/inbox")
        page.wait_for_timeout(1_000)
        for number in range(APPEARANCES):
            [request] = alerts.requests(1, recipient="hk", seed=number)
            request.content.valid_until.seconds = int(time.time()) + SOON_S
            began = time.perf_counter()
            trial.run(_one(trial, request))
            page.locator("#show-new").wait_for()
            taken.append(time.perf_counter() - began)
            page.locator("#show-new").click()
            page.wait_for_timeout(1_000)
    return taken


async def _one(trial: ConsoleTrial, request: PublishAlertRequest) -> None:
    async with trial.federation.client("cn", "publisher") as engine:
        await engine.publish(request.content, request.recipients)


async def _followed(trial: ConsoleTrial) -> None:
    """Returns when a search finds all alerts."""
    async with trial["hk"].acting("officer") as officer:

        async def all_found() -> bool:
            return not (await officer.casework.inbox_page(InboxFilter(text="antimony"))).unindexed

        await eventually(all_found, within_s=FOLLOWED_S, every_s=2, what="a search over all alerts")


def _wait_until_idle(trial: ConsoleTrial) -> None:
    """Returns when hk's processes have done what bulk left to them: the inbox follows alerts by itself."""
    family = list(_family(trial["hk"].node.pid))
    while _busy_share(family) > IDLE_SHARE:
        pass


def _busy_share(processes: Sequence[psutil.Process]) -> float:
    """Part of a core that they use, within two seconds."""
    before = _processor_s(processes)
    time.sleep(2)
    return (_processor_s(processes) - before) / 2


def _processor_s(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _print_views(console: Console, count: int, views: Sequence[View]) -> None:
    table = Table(title=f"Pages of a node with {count:,} alerts: median (worst) in ms, kB")
    for column in ("page", "server", "first paint", "page kB", "with files kB", f"{FIRST_VIEW_MS} ms, {WEIGHT_KB} kB"):
        table.add_column(column, justify="left" if column == "page" else "right")
    for view in views:
        server = f"{view.server_ms:.0f} ({view.server_worst_ms:.0f})"
        paint = f"{view.paint_ms:.0f} ({view.paint_worst_ms:.0f})"
        verdict = "met" if view.holds else "not met"
        table.add_row(view.name, server, paint, f"{view.page_kb:.0f}", f"{view.all_kb:.0f}", verdict)
    console.print(table)


def _print_costs(console: Console, costs: Sequence[Cost], appeared: list[float]) -> None:
    table = Table(title="What the node costs with it")
    for column in ("", "alerts/s", "node MB", "console MB"):
        table.add_column(column, justify="right" if column else "left")
    for cost in costs:
        table.add_row(cost.name, f"{cost.alerts_per_s:,.0f}", f"{cost.node_mb:.0f}", f"{cost.console_mb:.0f}")
    console.print(table)
    verdict = "met" if median(appeared) <= APPEARS_S else "not met"
    console.print(
        f"An alert of cn appears at hk's open inbox after {median(appeared):.2f} s ({max(appeared):.2f} at worst), "
        f"connecting to cn included: {APPEARS_S:g} s {verdict}"
    )


if __name__ == "__main__":
    typer.run(main)
