"""`python -m bench`: options, one run, tables, one file of results. The exit code is 0 whatever the figures say."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench import environment, growth
from bench import rounds as interleaved
from bench.results import Figures, Tell, show, write

GROWTH = "growth"
RESULTS = Path(__file__).parent / "results"

_NAMES = (*interleaved.MEASUREMENTS, GROWTH)


def main(
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Measure just this, with its floors; may be repeated. One of: {', '.join(_NAMES)}."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the interleaved run.")] = 5,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small sizes and two rounds: to see that it runs, not to compare.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Where results go; bench/results/DATE.json when not given.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Where the databases go; the system's folder for temporary files else.")
    ] = None,
) -> None:
    """Measure the product beside its floors: client and two nodes as three processes, real TLS, durable commits."""
    unknown = sorted(set(only or ()) - set(_NAMES))
    if unknown:
        raise typer.BadParameter(f"unknown: {', '.join(unknown)}; known: {', '.join(_NAMES)}", param_hint="--only")
    console = Console()
    place = Path(tempfile.mkdtemp(prefix="gateway-bench-", dir=folder))
    facts: dict[str, Any] = {"quick": quick, **environment.facts(place)}
    _say_doubts(console, facts)
    with console.status("starting") as status:
        figures = asyncio.run(
            _measure(place, only or [], rounds=min(rounds, 2) if quick else rounds, quick=quick, tell=status.update)
        )
    shutil.rmtree(place)  # kept when something failed: the nodes' logs are there
    show(figures, "Floors and product, interleaved", console)
    target = json_file or RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    write(target, figures, command="python -m bench", facts=facts)
    console.print(f"Written to {target}")


async def _measure(place: Path, only: list[str], *, rounds: int, quick: bool, tell: Tell) -> Figures:
    names = interleaved.chosen([name for name in only if name != GROWTH])
    sizes = interleaved.QUICK if quick else interleaved.Sizes()
    figures = Figures()
    if only != [GROWTH]:
        figures = await interleaved.run(place / "rounds", names, rounds=rounds, sizes=sizes, tell=tell)
        shutil.rmtree(place / "rounds")
    if not only or GROWTH in only:
        steps = growth.QUICK_SIZES if quick else growth.SIZES
        figures.update(await growth.run(place / "growth", steps, bulk=sizes.bulk, stream=sizes.stream, tell=tell))
    return figures


def _say_doubts(console: Console, facts: dict[str, Any]) -> None:
    if facts["file_system"] in environment.MEMORY_FILE_SYSTEMS:
        console.print(f"[yellow]The databases are on {facts['file_system']}: commits cost nothing there. Use --dir.[/]")
    if facts["busy_before"] > environment.BUSY:
        console.print(
            f"[yellow]Others use {facts['busy_before']:.0%} of this machine: absolute figures will be too low; "
            "ratios to floors are more robust, latencies are not.[/]"
        )


if __name__ == "__main__":
    typer.run(main)
