"""A watchlist of one authority: imported, approved by a second person, synced to one partner alone, and compared."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo import case
from demo.command import run_gateway
from demo.facts import Watchlist
from demo.play import Play
from gateway.v1.watchlist_service_pb2 import ListedEntry

LIST = "minerals"
PARTNER, NOBODY = "hk", "mo"
SOURCE = Path(__file__).resolve().parents[1] / "watchlist.csv"

_MOST_TOLD = 4


async def listed(play: Play) -> None:
    """cn's list appears at hk when a supervisor has approved it, and not at mo."""
    play.screen.heading("7  A watchlist: approved by a second person, synced, compared")
    first = await _import(play)
    said = f"  {first['new']} entries proposed; they have no effect before a second person approves them"
    play.screen.say(said)
    before = len(await _entries(play, PARTNER))
    began = time.perf_counter()
    supervisors = play.stage.system("cn", "supervisors").watchlist
    await supervisors.decide(first["proposal_id"], approve=True, remarks="Compared with the file (placeholder)")
    found = await play.wait(f"the watchlist at {PARTNER}", lambda: _all(play, first["new"]), poll_s=0.01)
    took_ms = 1000 * (time.perf_counter() - began)
    play.screen.say(f"  approved by cn's supervisors; {len(found)} entries listed at {PARTNER} {took_ms:.0f} ms later:")
    for each in found[:_MOST_TOLD]:
        names = " / ".join(name.text for name in each.entry.content.names)
        play.screen.line(
            f"    {each.publisher}/{each.entry.list}/{each.entry.id}  {names}: {each.entry.content.reason}"
        )
    again = await _import(play)
    play.screen.say(f"  the same file again: {again['unchanged']} unchanged, nothing is sent")
    code, compared = await run_gateway(
        "watchlist", "diff", "--with", PARTNER, *_as_engine(play), folder=play.stage.root
    )
    play.screen.say(f"$ gateway watchlist diff --with {PARTNER}", "dim")
    play.screen.say(f"  {compared['verdict']}")
    elsewhere = len(await _entries(play, NOBODY))
    play.screen.say(f"  {NOBODY}, to which they aren't released, lists {elsewhere}.")
    play.facts.watchlist = Watchlist(
        imported=first["new"],
        before=before,
        at_partner=len(found),
        elsewhere=elsewhere,
        sent_again=again["new"] + again["changed"],
        identical=code == 0 and compared["identical"] and compared["own_root"] == compared["partner_root"],
        took_ms=took_ms,
    )
    await play.screen.beat(1)


async def _import(play: Play) -> dict[str, Any]:
    # the scenes play a case again and again within a minute: its parties match more often than any day's would
    arguments = (SOURCE.name, "--list", LIST, "--releasable-to", PARTNER, "--wide")
    play.screen.say(f"$ gateway watchlist import {' '.join(arguments)}", "dim")
    options = (str(SOURCE), *arguments[1:], "--legal-basis", case.LEGAL_BASIS, *_as_engine(play))
    _, report = await run_gateway("watchlist", "import", *options, folder=play.stage.root)
    return dict(report)


def _as_engine(play: Play) -> tuple[str, ...]:
    return ("--system", "risk-engine", "--config", str(play.stage.gateways["cn"].config))


async def _all(play: Play, count: int) -> Sequence[ListedEntry] | None:
    found = await _entries(play, PARTNER)
    return found if len(found) == count else None


async def _entries(play: Play, node: str) -> list[ListedEntry]:
    client = play.stage.system(node, "officers")
    return [each async for each in client.watchlist.entries(filter=f'publisher = "cn" AND list = "{LIST}"')]
