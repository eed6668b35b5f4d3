"""`python -m bench.attacks`: runs attacks at full size and prints a table. The exit code is 0 whatever it says."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.attacks.attack import Attack
from bench.attacks.federation import SEED_ALERTS, attacked_federation
from bench.attacks.guard import haproxy
from bench.attacks.measure import Outcome, measure, spread
from bench.attacks.registry import ATTACKS


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"Just this attack; may be repeated. One of: {', '.join(ATTACKS)}.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often attack and control are run in turn.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of each run in which the others are measured.")] = 5.0,
    small: Annotated[
        bool, typer.Option("--small", help="Sizes as in the tests and one round: to see that it runs.")
    ] = False,
    with_guard: Annotated[
        bool, typer.Option("--guard", help="With the guard of deploy/guard before each peer port: needs HAProxy.")
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures there too.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where the databases go; the system's folder for temporary files else.")
    ] = None,
) -> None:
    """Attack a node while others use it, beside the same attack against another node: three nodes, real TLS."""
    if unknown := sorted(set(only or ()) - set(ATTACKS)):
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; known: {', '.join(ATTACKS)}", param_hint="--only")
    guard = haproxy() if with_guard else ""
    if guard is None:
        raise typer.BadParameter("there is no haproxy on this machine", param_hint="--guard")
    console = Console()
    place = Path(tempfile.mkdtemp(prefix="gateway-attack-", dir=folder))
    chosen = [attack for name, attack in ATTACKS.items() if not only or name in only]
    with console.status("starting") as status:

        def tell(text: str) -> None:
            status.update(text)
            if not console.is_terminal:
                console.print(text)

        run = _run(place, chosen, rounds=1 if small else rounds, seconds=seconds, small=small, guard=guard, tell=tell)
        outcomes = asyncio.run(run)
    shutil.rmtree(place)  # kept when something failed: the nodes' logs are there
    console.print(_table(outcomes))
    for outcome in outcomes:
        console.print(f"{outcome.attack.name}: {outcome.tallies}", markup=False)
    if json_file is not None:
        text = json.dumps([_figures(outcome) for outcome in outcomes], indent=2, ensure_ascii=False)
        json_file.write_text(text + "\n", encoding="utf-8")


async def _run(
    place: Path, attacks: list[Attack], *, rounds: int, seconds: float, small: bool, guard: str, tell: Any
) -> list[Outcome]:
    outcomes = []
    async with attacked_federation(place, guard=guard) as federation:
        tell("publishing alerts")
        await federation.seed(SEED_ALERTS)
        for number, attack in enumerate(attacks):
            if number:
                tell("starting the nodes anew")
                await federation.restart()
            size = attack.small if small else attack.size
            outcomes.append(await measure(federation, attack, rounds=rounds, seconds=seconds, size=size, tell=tell))
    return outcomes


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Attacks, each beside its control", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("attack", no_wrap=True)
    for column in ("others /s", "others' p99, ms", "node, MB"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for outcome in outcomes:
        slow, late, failures = outcome.worst_rate(), outcome.worst_p99(), outcome.failures
        table.add_row(
            f"{outcome.attack.name}\n[dim]{outcome.descriptors} fds[/]",
            _compared(
                slow,
                [fares[slow].rate for fares in outcome.attacked],
                [fares[slow].rate for fares in outcome.control],
                outcome.rate_shares(slow),
            ),
            _compared(
                late,
                [fares[late].p99_ms for fares in outcome.attacked],
                [fares[late].p99_ms for fares in outcome.control],
                outcome.p99_ratios(late),
            ),
            f"{outcome.before_mb:,.0f} → {outcome.peak_mb:,.0f}",
            "\n".join(f"[red]{failure}[/]" for failure in failures) or "[green]held[/]",
        )
    table.caption = "attack : control, and their ratio (least–most), of the callers that fared worst"
    return table


def _compared(kind: str, attacked: Sequence[float], control: Sequence[float], ratios: Sequence[float]) -> str:
    caller = kind.removesuffix("Alert").lower()
    return f"{caller} {median(attacked):,.0f} : {median(control):,.0f}\n[dim]{spread(ratios)}[/]"


def _figures(outcome: Outcome) -> dict[str, Any]:
    return {
        "attack": outcome.attack.name,
        "attacked": [{kind: asdict(fare) for kind, fare in fares.items()} for fares in outcome.attacked],
        "control": [{kind: asdict(fare) for kind, fare in fares.items()} for fares in outcome.control],
        "tallies": outcome.tallies,
        "before_mb": outcome.before_mb,
        "peak_mb": outcome.peak_mb,
        "descriptors": outcome.descriptors,
        "failures": outcome.failures,
    }


if __name__ == "__main__":
    typer.run(main)
