"""`make drill`: a node loses its disk in traffic and comes back from last night's backup, with three real nodes.

    python -m bench.drill [--seconds 10]

Prints each step, what was lost, and what was checked; the exit code is 0 if everything came back that can.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.client import GatewayClient
from gateway.errors import GatewayError
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, origin
from tests.support.nodes import listed_content
from tests.support.shipments import shipment

SETTINGS = """
mark_copy = "other-disk/marks"
[lists.wanted]
four_eyes = false
"""
PARTNERS = ("hk", "mo")
PAUSE_S = 0.02
"""Between two calls of one worker."""


@dataclass
class Acknowledged:
    """What the node under drill has acknowledged to own systems."""

    alerts: list[str] = field(default_factory=list)
    shipments: int = 0
    entries: list[str] = field(default_factory=list)


@dataclass
class Drill:
    """One run.

    Attributes:
        say: is given a line to show.
        failures: checks that failed.
    """

    nodes: Federation
    folder: Path
    say: Callable[[str], None]
    acknowledged: Acknowledged = field(default_factory=Acknowledged)
    failures: list[str] = field(default_factory=list)

    @property
    def cli(self) -> Cli:
        return Cli(self.nodes, "cn")

    def check(self, what: str, *, holds: bool, shown: object = "") -> None:
        """Prints a check's result, and keeps a failed one."""
        self.say(f"  {'ok  ' if holds else 'FAIL'}  {what}{f': {shown}' if shown != '' else ''}")
        if not holds:
            self.failures.append(what)

    def run(self, seconds: float) -> bool:
        """All steps; whether all checks held."""
        backup = self.folder / "last night"
        self.say("1. three nodes work; cn is backed up")
        self.nodes.run(self.day(count=40))
        evidence = [self.export("before")]
        made = self.cli.json("", "backup", backup)
        self.say(f"     {made['entries']} entries of {made['feeds']} feeds, {made['shipment_records']} shipments")
        shipments_before = self.acknowledged.shipments
        self.say(f"2. traffic of {seconds:g} s, then kill -9 and the data folder is deleted")
        evidence += self.nodes.run(self.traffic(seconds))
        self.say("3. restore")
        refused = self.cli.run("", "restore", backup, code=2)
        self.check("a backup that lacks what was signed is refused", holds="--accept-loss" in refused.output)
        self.cli.json("", "restore", backup, "--accept-loss")
        self.nodes["cn"].start()
        self.say("4. recover")
        recovered = self.cli.json("operator", "recover", code=None)
        self.nodes.run(self.compare())
        self.say("5. what came back, and what is lost")
        self.report(shipments_before, recovered)
        for bundle in evidence:
            done = self.cli.json("", "evidence", "verify", bundle, "--directory", self.nodes.folder.directory)
            self.check(f"evidence exported {bundle.stem} verifies", holds=bool(done["verified"]))
        sound = self.cli.json("", "verify", code=None)
        self.check("gateway verify finds nothing wrong", holds=bool(sound["sound"]), shown=sound["findings"] or "")
        return not self.failures

    async def day(self, count: int) -> None:
        """Work whose every entry has arrived."""
        async with self.client("cn", "publisher") as client:
            for _ in range(count):
                await self.publish(client)
            await self.record(client, count)
            for _ in range(5):
                await self.decide(client)
        await self.nodes.converged()

    def export(self, name: str) -> Path:
        """Evidence of the newest acknowledged alert, with hk's receipt."""
        out, newest = self.folder / f"{name}.zip", f"cn/{self.acknowledged.alerts[-1]}"
        command = ("evidence", "export", newest, "--recipient", "hk", "--out", out)
        while not self.cli.json("officer", *command)["receipted"]:
            out.unlink()
            time.sleep(0.2)
        return out

    async def traffic(self, seconds: float) -> list[Path]:
        """Everybody works; cn is killed in the middle. Returns evidence exported after the backup."""
        async with self.client("cn", "publisher") as own, self.client("hk", "publisher") as hk:
            workers = [
                asyncio.create_task(worker)
                for worker in (
                    self.repeat(lambda: self.publish(own)),
                    self.repeat(lambda: self.record(own, 1)),
                    self.repeat(lambda: self.decide(own)),
                    self.repeat(lambda: _publish(hk, ["cn"])),
                )
            ]
            await asyncio.sleep(seconds / 2)
            evidence = await asyncio.to_thread(self.export, "after the backup")
            await asyncio.sleep(seconds / 2)
            self.nodes["cn"].kill()
            shutil.rmtree(self.nodes["cn"].data)
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        acknowledged = self.acknowledged
        self.say(
            f"     acknowledged so far: {len(acknowledged.alerts)} alerts to both partners, {acknowledged.shipments} "
            f"shipments, {len(acknowledged.entries)} list entries"
        )
        return [evidence]

    async def publish(self, client: GatewayClient) -> None:
        self.acknowledged.alerts.append(await _publish(client, list(PARTNERS)))

    async def record(self, client: GatewayClient, count: int) -> None:
        first = self.acknowledged.shipments
        items = [shipment(f"CN-EXP-{number}") for number in range(first, first + count)]
        async for batch in client.history.record(items):
            self.acknowledged.shipments += batch.recorded

    async def decide(self, client: GatewayClient) -> None:
        name = f"entry-{len(self.acknowledged.entries)}"
        content = listed_content(f"Company {name}", releasable_to=list(PARTNERS))
        await client.watchlist.propose("wanted", entries=[ProposedEntry(id=name, content=content)])
        self.acknowledged.entries.append(name)

    async def repeat(self, work: Callable[[], Any]) -> None:
        """Works until cancelled, or until the node is gone."""
        with contextlib.suppress(GatewayError):
            while True:
                await work()
                await asyncio.sleep(PAUSE_S)

    async def compare(self) -> None:
        """Roots of all feeds to and from cn, at both ends."""
        pairs = [pair for partner in PARTNERS for pair in (("cn", partner), (partner, "cn"))]
        try:
            await self.nodes.converged(*pairs, within_s=60)
            equal = True
        except AssertionError as error:
            self.say(str(error))
            equal = False
        self.check("alerts feeds have equal roots at both ends", holds=equal)

    def report(self, shipments_before: int, recovered: Any) -> None:
        """Compares what the commands say with what was acknowledged."""
        (restore,) = self.cli.json("operator", "status")["restores"]
        told = {loss["kind"]: loss for loss in restore["losses"]}
        acknowledged = self.acknowledged
        for partner in PARTNERS:
            back = sum(one["recovered"] for one in recovered["feeds"] if one["feed"] == origin("cn", partner))
            there, here = (self.nodes.run(self.alerts_at(node)) for node in (partner, "cn"))
            lost = [alert_id for alert_id in acknowledged.alerts if alert_id not in there]
            self.say(f"     alerts to {partner}: {back} entries fetched back; lost, since it never had them: {lost}")
            self.check(f"every alert that {partner} has is here too", holds=there <= here)
        shipments = acknowledged.shipments - shipments_before
        self.say(f"     shipments recorded after the backup: {shipments}, told: {_told(told['shipments'])}")
        self.check("no more shipments than told are lost", holds=_covers(told["shipments"], shipments))
        listed = self.nodes.run(self.entries_at("cn"))
        gone = [name for name in acknowledged.entries if name not in listed]
        self.say(f"     list entries: {len(listed)} here, lost {gone}")
        for partner in PARTNERS:
            command = ("watchlist", "diff", "--with", partner)
            same = self.cli.eventually("publisher", *command, until=lambda one: one["identical"], code=None)
            self.check(f"own list and the copy of {partner} say the same", holds=not same["different_count"])
            self.check(f"every entry of {partner} is here", holds=self.nodes.run(self.entries_at(partner)) <= listed)
        events = self.cli.json("auditor", "audit", "list", "--filter", "reason = RESTORED")
        self.check("the restore is in the audit log", holds=len(events) == 1)
        self.say(f"     {events[0]['details']['detail']}")

    async def alerts_at(self, node: str) -> set[str]:
        """Ids of cn's alerts at a node."""
        async with self.client(node, "officer") as officer:
            found = officer.list_alerts()
            return {one.alert.id async for one in found if one.alert.publisher == "cn"}

    async def entries_at(self, node: str) -> set[str]:
        """Ids of cn's list at a node."""
        async with self.client(node, "officer") as officer:
            return {one.entry.id async for one in officer.watchlist.entries() if one.publisher == "cn"}

    def client(self, node: str, system: str) -> GatewayClient:
        return self.nodes.client(node, system)


async def _publish(client: GatewayClient, recipients: list[str]) -> str:
    """Publishes one alert; its id."""
    return (await client.publish(alert(), recipients)).alert_id


def _told(loss: dict[str, Any]) -> str:
    return "unknown" if loss["lost"] is None else f"at least {loss['lost']}"


def _covers(loss: dict[str, Any], number: int) -> bool:
    """Whether a number that was lost is what the restore told, at least."""
    return loss["lost"] is None or loss["lost"] <= number


def main(
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of traffic before the disk is lost.")] = 10,
) -> None:
    """Lose the disk of one of three nodes in traffic, restore it from last night's backup, and check what came back."""
    with tempfile.TemporaryDirectory(prefix="gateway-drill-") as folder:
        root = Path(folder)
        with Federation(root / "federation", settings=SETTINGS) as nodes:
            nodes.start()
            done = Drill(nodes, root, lambda line: print(line, flush=True)).run(seconds)
    print("The drill has succeeded." if done else "The drill has FAILED.")
    sys.exit(0 if done else 1)


if __name__ == "__main__":
    typer.run(main)
