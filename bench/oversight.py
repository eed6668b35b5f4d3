"""Measures figures over many alerts and link graphs over many shipments: SQLite, the product's services, no network.

    python -m bench.oversight [--alerts 1000000] [--shipments 1000000] [--months 12] [--dir FOLDER | --keep FOLDER]

Figures: the rule that counts is timed on some alerts; the table gets the rows that so many alerts leave, by
the product's statements; then a year is asked for, all and of one partner.

Link graphs: shipments of bench/shipment_records.py are recorded and indexed by the product's services; then graphs of
one and of two steps are asked for from containers and traders. Filling a million shipments takes some ten minutes; with
--keep the next run goes on with them.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import history_fill
from bench import shipment_records as made
from gateway.alerts.commands.following import prepare_batch
from gateway.db import migrate
from gateway.db.database import Database
from gateway.figures.rules.counting import StepFacts, increments
from gateway.figures.rules.periods import day_number
from gateway.figures.service.queries import FigureQueries
from gateway.figures.tables import counts
from gateway.figures.tables.counts import CountKey, CountTally
from gateway.history.service.names import NameSearch
from gateway.history.service.search import HistorySearch
from gateway.link_analysis.commands import AddLinksCommand, LinkBatch
from gateway.link_analysis.rules.mentions import of_shipment
from gateway.link_analysis.rules.things import Mention, Space
from gateway.link_analysis.service.graphs import GraphLimits, GraphSearch
from gateway.link_analysis.service.indexer import LinkIndexer
from gateway.link_analysis.service.records import RecordLookup
from gateway.link_analysis.service.shown import GraphPainter
from gateway.link_analysis.tables import terms
from gateway.trust.pki.keys import create_signing_key
from gateway.v1 import alert_pb2, figure_service_pb2

HUB = 200
ROUNDS = 30
COUNTED = 5_000
DRAWN = 200
"""Alerts of a day whose steps are drawn: more add hardly a row, since keys repeat."""

OFFSET = 480
DAY_MS = 86_400_000
NOW_MS = 1_795_000_000_000
TYPOLOGIES = ("false_declaration", "concealment", "transshipment", "undervaluation", "licence_misuse", "other")


class NoSubstances:
    """A list of controlled goods without entries."""

    def codes(self, substance: str) -> tuple[str, ...]:
        return ()


def _steps(
    number: int, months: int, chance: random.Random
) -> Iterator[tuple[alert_pb2.AlertEvent, StepFacts, str, str]]:
    """Steps of one alert: published, acknowledged, perhaps with a finding, closed."""
    direction, partner = chance.choice([("out", "hk"), ("out", "mo"), ("in", "hk"), ("in", "mo")])
    published = NOW_MS - chance.randrange(months * 30 * DAY_MS)
    content = alert_pb2.AlertContent(
        priority=chance.choice(alert_pb2.Priority.values()[1:]),
        requested_action=chance.choice(alert_pb2.RequestedAction.values()[1:]),
        typologies=chance.sample(TYPOLOGIES, chance.choice([1, 1, 2])),
    )
    yield alert_pb2.AlertEvent(published=alert_pb2.Alert(content=content)), StepFacts(published), direction, partner
    at = published + int(chance.lognormvariate(15, 1.5))
    facts = StepFacts(at, published_at_ms=published, is_first=True)
    yield alert_pb2.AlertEvent(acknowledged=alert_pb2.AlertAcknowledged()), facts, direction, partner
    if number % 4 == 0:
        finding = alert_pb2.AlertFinding(result=chance.choice(alert_pb2.FindingResult.values()[1:]))
        if number % 16 == 0:
            finding.measures.add(kind=alert_pb2.MEASURE_KIND_SEIZED, element="Sb", net_mass_kg=chance.randrange(20_000))
        yield alert_pb2.AlertEvent(finding=finding), facts, direction, partner
    closed = StepFacts(at + int(chance.lognormvariate(20, 1)), published_at_ms=published)
    outcome = chance.choice(alert_pb2.CloseOutcome.values()[1:])
    yield alert_pb2.AlertEvent(closed=alert_pb2.AlertClosed(outcome=outcome)), closed, direction, partner


def time_counting(alerts: int, months: int) -> float:
    """Milliseconds in which the rule counts a thousand alerts' steps."""
    chance = random.Random(1)
    steps = [step for number in range(alerts) for step in _steps(number, months, chance)]
    started = time.process_time()
    for event, facts, _direction, _partner in steps:
        for _each in increments(event, facts):
            pass
    return (time.process_time() - started) / alerts * 1_000_000


def fill_figures(database: Database, alerts: int, months: int) -> None:
    """Counts as so many alerts leave them: each day's are drawn from the steps of some, and grown to its share."""
    chance, days = random.Random(2), months * 30
    last = day_number(NOW_MS, OFFSET)
    each_day = alerts // days
    drawn = min(each_day, DRAWN)
    for day in range(last - days, last):
        tallies: dict[CountKey, CountTally] = {}
        for number in range(drawn):
            for event, facts, direction, partner in _steps(number, 1, chance):
                for each in increments(event, facts):
                    key = CountKey(day, each.measure.value, direction, partner, each.key)
                    tallies[key] = tallies.get(key, CountTally()).plus(each.number * each_day // drawn, each.grams)
        with database.write() as conn:
            counts.add(conn, tallies)


def timed(work: Callable[[], object], rounds: int = ROUNDS) -> str:
    """Median and greatest time, and the median of what it takes of a processor: other work doesn't count in that."""
    times, processor = [], []
    for _ in range(rounds):
        started, of_processor = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - started) * 1000)
        processor.append((time.process_time() - of_processor) * 1000)
    return f"{median(times):.0f} ms, most {max(times):.0f} ms; of a processor {median(processor):.0f} ms"


def measure_figures(database: Database, table: Table, alerts: int, months: int) -> None:
    table.add_row("count a thousand alerts' steps", f"{time_counting(COUNTED, months):.0f} ms of a processor", "")
    fill_figures(database, alerts, months)
    with database.read() as conn:
        rows = conn.exec_driver_sql("SELECT count(*) FROM figure_counts").scalar_one()
    table.add_row(f"counts of {alerts:,} alerts", f"{rows:,} rows", "")
    queries = FigureQueries(database, utc_offset_minutes=OFFSET, clock=lambda: NOW_MS)
    for what, request in (
        ("a year", figure_service_pb2.GetFiguresRequest()),
        ("a year of one partner", figure_service_pb2.GetFiguresRequest(partner="hk")),
        ("a month", figure_service_pb2.GetFiguresRequest(first_day="2026-10-01", last_day="2026-10-31")),
    ):
        table.add_row(f"figures of {what}", timed(partial(queries.get, request, hidden=frozenset()), rounds=10), "")


def index_links(database: Database) -> float:
    """Indexes addresses; seconds."""
    started, indexer = time.perf_counter(), LinkIndexer()
    while parts := prepare_batch(database, [indexer], limit=500).parts:
        for part in parts:
            assert isinstance(part, AddLinksCommand)
            _write(database, part.batch)
    return time.perf_counter() - started


def _write(database: Database, batch: LinkBatch) -> None:
    with database.write() as conn:
        terms.add(conn, terms.unpacked(batch.terms))
        terms.move(conn, batch.after)


def measure_links(database: Database, table: Table, shipments: int) -> None:
    indexing = index_links(database)
    table.add_row(f"index links of {shipments:,} shipments", f"{indexing:.0f} s", "")
    search = HistorySearch(database, node="cn", substances=NoSubstances(), names=NameSearch(database).find)
    lookup = RecordLookup(database, search=search, alert_names=NameSearch(database, terms).find, hub_records=HUB)
    graphs, painter = GraphSearch(lookup), GraphPainter(database, lookup, hub_records=HUB)
    some = [of_shipment(made.shipment(number)) for number in range(0, shipments, max(1, shipments // ROUNDS))]
    for space in (Space.CONTAINER, Space.PARTY):
        seeds = [each for mentions in some for each in mentions if each.space is space][:ROUNDS]
        for depth in (1, 2):
            found = iter(seeds)
            sizes: list[int] = []

            def one(found: Iterator[Mention] = found, depth: int = depth, sizes: list[int] = sizes) -> None:
                graph = graphs.of_thing(next(found), GraphLimits(depth=depth))
                painter.response(graph, 300)
                sizes.append(len(graph.shown))

            times = timed(one, rounds=len(seeds))
            what = f"graph of a {space}, {depth} step{'s' if depth > 1 else ''}"
            table.add_row(what, times, f"{median(sizes):.0f} nodes")


def main(
    alerts: Annotated[int, typer.Option(help="Alerts whose steps are counted.")] = 1_000_000,
    shipments: Annotated[int, typer.Option(help="Shipments; 0: figures alone.")] = 1_000_000,
    months: Annotated[int, typer.Option(help="Over which the alerts are spread.")] = 12,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the databases go.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Folder whose shipments stay for the next run.")] = None,
) -> None:
    """Measure figures and link graphs."""
    place = keep or Path(tempfile.mkdtemp(prefix="gateway-oversight-", dir=folder))
    place.mkdir(parents=True, exist_ok=True)
    table = Table("what", "median and most", "")
    figures = Database(f"sqlite:///{place}/figures-{time.time_ns()}.sqlite3")
    migrate.upgrade(figures)
    measure_figures(figures, table, alerts, months)
    figures.close()
    if shipments:
        key, url = place / "log.key", f"sqlite:///{place}/history.sqlite3"
        if not key.exists():
            create_signing_key(key, name="bench")
        history_fill.fill(url, key, "cn", shipments)
        history = Database(url)
        measure_links(history, table, shipments)
        history.close()
    Console().print(table)
    if keep is None:
        shutil.rmtree(place)


if __name__ == "__main__":
    typer.run(main)
