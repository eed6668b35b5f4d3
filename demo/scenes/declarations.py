"""Alerts from a file of customs declarations, with the command that an authority would use."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from demo import case
from demo.command import run_gateway
from demo.facts import Declarations
from demo.pairs import pair
from demo.play import Play, StuckError
from gateway.client import AlertReference
from gateway.errors import GatewayError, PermissionDeniedError

PARTNERS = ("hk", "mo")
REAL_AS_OF = "2026-01-15"
"""The real declarations are of 2021, before the controls: they are assessed for this day."""

_MOST_PROBLEMS_TOLD = 4


@dataclass(frozen=True, slots=True)
class Source:
    """A file of declarations and the day to assess it for; empty: each declaration's own."""

    path: Path
    as_of: str
    words: str


def find_source() -> Source:
    """The real declarations beside the repository or in $GATEWAY_SHARED, else the sample that comes along."""
    here = Path(__file__).resolve().parents[1]
    shared = Path(os.environ.get("GATEWAY_SHARED", here.parents[1] / "shared"))
    real = shared / "data" / "real" / "import_declarations.csv"
    if real.is_file():
        return Source(real, REAL_AS_OF, f"real import declarations of 2021, as of {REAL_AS_OF}")
    return Source(here / "declarations.csv", "", "the made-up sample that comes along, by each declaration's own date")


async def from_declarations(play: Play) -> None:
    """cn publishes alerts about declared goods that are under control to both partners."""
    play.screen.heading("3  Alerts from a file of declarations")
    source = find_source()
    with source.path.open("rb") as file:
        lines = sum(1 for _ in file) - 1
    play.screen.say(f"{source.path.name}: {lines:,} lines, {source.words}")
    arguments = ["--format", "declarations", "--to", ",".join(PARTNERS)]
    arguments += ["--as-of", source.as_of] if source.as_of else []
    play.screen.say(f"$ gateway alert publish {source.path.name} {' '.join(arguments)}", "dim")
    arguments += ["--legal-basis", case.LEGAL_BASIS, "--system", "risk-engine"]
    config = str(play.stage.gateways["cn"].config)
    began = time.perf_counter()
    code, report = await run_gateway(
        "alert", "publish", str(source.path), *arguments, "--config", config, folder=play.stage.root
    )
    published = tuple(line["alert_id"] for line in report["published"])
    wrong = {problem["line"]: problem["reason"] for problem in report["problems"]}
    play.facts.declarations = Declarations(source.path.name, published, tuple(wrong), len(report["refused"]), code)
    for partner in PARTNERS:
        for alert_id in published:
            play.facts.note_published(pair("cn", partner), alert_id)
    play.screen.say(
        f"  {len(published)} alerts published in {time.perf_counter() - began:.1f} s with the start of the command; "
        f"{len(wrong)} lines can't be read (exit code {code})"
    )
    for line, reason in list(wrong.items())[:_MOST_PROBLEMS_TOLD]:
        play.screen.say(f"    line {line}: {reason}", "dim")
    for partner in PARTNERS:
        await play.everything_shown("cn", partner)
    play.screen.say(f"  All {len(published)} shown to the officers of {' and of '.join(PARTNERS)}, in order.")
    await _refused(play, published[0])
    await play.screen.beat(1)


async def _refused(play: Play, alert_id: str) -> None:
    """These alerts may not be passed on: hk's gateway doesn't let its own risk engine do it."""
    told = AlertReference(publisher="cn", alert_id=alert_id)
    passed_on = case.alert_from_hk(datetime.now(UTC), told)
    try:
        response = await play.stage.system("hk", "risk-engine").publish(passed_on, ["mo"])
    except PermissionDeniedError as error:
        play.facts.refused_onward = True
        play.screen.say(f"  hk tries to pass one on to mo, and hk's own gateway refuses: {error.message}", "dim")
    except GatewayError as error:
        raise StuckError(f"hk's gateway refused to pass on an alert, but not as expected: {error.message}") from error
    else:
        play.facts.note_published(response.entries[0].origin, response.alert_id)
