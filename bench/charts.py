"""Makes the tables and charts of docs/performance.md from its file of figures.

    python -m bench.charts docs/performance.json
    python -m bench.charts docs/performance.json --add bench/results/DATE.json --machine "two cores, idle"
    python -m bench.charts docs/performance.json --set "lists: full sync=25300,24100,26000"

Without options it only writes the page and the pictures again; tests hold them to the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench import performance_results
from bench.chart_drawing import Bar, Chart, drawn
from bench.performance_results import Figure, Results
from bench.performance_targets import TARGETS

DOCS = Path(__file__).parent.parent / "docs"
PAGE = Path("performance.md")
PICTURES = Path("pictures/performance")

CHARTS = (
    Chart(
        "alerts",
        "Alerts",
        "messages per second",
        (
            Bar("echo-1", "echo, 1 in flight", "floor"),
            Bar("publish-1", "publish, 1 in flight"),
            Bar("as2: message with receipt", "pyas2lib, per processor second", "peer"),
            Bar("echo-64", "echo, 64 in flight", "floor"),
            Bar("publish-64", "publish, 64 in flight"),
            Bar("stream", "stream of messages", "floor"),
            Bar("bulk", "bulk, receipted"),
        ),
    ),
    Chart(
        "lists",
        "Lists",
        "objects per second",
        (
            Bar("lists: full sync", "full sync of a million entries", wanted=25_000),
            Bar("taxii: added", "medallion: added, per CPU second", "peer"),
            Bar("taxii: polled", "medallion: polled, per CPU second", "peer"),
        ),
    ),
    Chart(
        "names",
        "Names",
        "names per second",
        (
            Bar("screening: 10,000 entries", "screened against 10,000", wanted=10_000),
            Bar("screening: a million entries", "screened against a million", wanted=1_000),
            Bar("screening: cdist, 10,000 entries", "rapidfuzz cdist against 10,000", "peer"),
            Bar("names: comparisons", "pairs compared"),
            Bar("names: comparisons of nomenklatura", "pairs, nomenklatura logic-v2", "peer"),
        ),
    ),
    Chart(
        "search",
        "Search among five million shipments",
        "milliseconds, p99",
        (
            Bar("search: bare call p99", "a bare call", "floor"),
            Bar("search: own node p99", "a reference, own node"),
            Bar("search: three nodes p99", "a reference, three nodes"),
            Bar("search: trace p99", "a trace, three nodes"),
        ),
    ),
    Chart(
        "databases",
        "PostgreSQL beside SQLite",
        "× the rate on SQLite, in the same round; for processor time the other way round",
        (
            Bar("postgresql / sqlite: bulk", "alerts in bulk", wanted=0.7),
            Bar("postgresql / sqlite: record", "recording", wanted=0.7),
            Bar("postgresql / sqlite: search", "a search, p50", wanted=0.7),
            Bar("postgresql / sqlite: bulk, processor", "processor time of an alert"),
            Bar("postgresql / sqlite: record, processor", "… of a record, evaluated"),
            Bar("postgresql / sqlite: search, processor", "… of a search"),
        ),
    ),
    Chart(
        "growth",
        "Growth of a feed",
        "alerts per second in bulk",
        tuple(
            Bar(f"growth: bulk with {entries} entries before", f"{entries} entries before")
            for entries in ("10,000", "100,000", "1,000,000")
        ),
    ),
    Chart(
        "memory",
        "Memory of a node, a million entries and a million shipments",
        "MB, each process's share (PSS)",
        (
            Bar("memory: node", "node"),
            Bar("memory: screening", "screening"),
            Bar("memory: history", "history"),
            Bar("memory: node and workers", "all of them", wanted=600),
            Bar("memory: node and workers, all capabilities on", "… with every capability"),
            Bar("memory: console, all capabilities on", "console beside it"),
        ),
    ),
)


def targets_table(results: Mapping[str, Figure]) -> str:
    """The table of targets as Markdown."""
    lines = ["| what | wanted | measured | | on |", "|---|---|---|---|---|"]
    for target in TARGETS:
        cells = (target.what, target.wanted, target.measured(results), target.verdict(results))
        lines.append(f"| {' | '.join(cells)} | {target.dates(results)} |".replace("|  |", "| |"))
    return "\n".join(lines)


def figures_table(results: Mapping[str, Figure], beginnings: tuple[str, ...]) -> str:
    """Figures whose names begin so, with the command, as Markdown."""
    lines = ["| figure | measured | on | command |", "|---|---|---|---|"]
    for name, figure in sorted(results.items()):
        if name.startswith(beginnings):
            lines.append(f"| {name} | {figure.text} | {figure.date} | `{figure.command}` |")
    return "\n".join(lines)


def made(results: Results, page: str) -> dict[Path, str]:
    """Every file that the figures give, below docs/: the page with its tables renewed, and the pictures."""
    tables = {
        "targets": targets_table(results),
        "peers": figures_table(results, ("as2:", "taxii:", "screening: cdist", "names:")),
    }
    for name, table in tables.items():
        page = _between(page, name, table)
    return {PAGE: page, **{PICTURES / f"{chart.name}.svg": drawn(chart, results) for chart in CHARTS}}


def _between(page: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name}: made by bench.charts -->", f"<!-- end of {name} -->"
    new, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n\n{table}\n\n{end}", page, flags=re.DOTALL
    )
    if count != 1:
        raise SystemExit(f"{PAGE} has no place for the table {name!r}: {begin} … {end}")
    return new


def main(
    file: Annotated[Path, typer.Argument(help="Figures, as docs/performance.json.")],
    add: Annotated[list[Path] | None, typer.Option(help="A benchmark's JSON, whose figures go into the file.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=MEDIAN or NAME=MEDIAN,LEAST,GREATEST of a known figure.")
    ] = None,
    machine: Annotated[str, typer.Option(help="The machine's kind and load, for what is added.")] = "two cores",
    docs: Annotated[Path, typer.Option(help="Folder of the page.")] = DOCS,
) -> None:
    """Write tables and charts of docs/performance.md; put new figures into the file before."""
    results = performance_results.read(file)
    for path in add or ():
        results = performance_results.added(results, path, machine=machine)
    for setting in values or ():
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        results = performance_results.with_value(results, setting, date=today, machine=machine)
    if add or values:
        performance_results.write(file, results)
    for path, content in made(results, (docs / PAGE).read_text(encoding="utf-8")).items():
        (docs / path).parent.mkdir(parents=True, exist_ok=True)
        (docs / path).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
