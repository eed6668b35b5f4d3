"""Counts what the risk rules find in real import declarations.

Reads a public file of 8,481 declarations of 2021, labelled where fraud, where it lies beside the repository
(tests/reference/README.md), with the mapping that comes along for it. `python -m bench.rules` prints the counts;
docs/risk-rules.md has those of the whole file, and a test holds it to them.

The declarations are older than every control, so rules about single records run twice: on each declaration's own day,
and as if all had been declared on AS_OF. Rules about values take US dollars and the file has won: they run a third time
on values converted at WON. R03 runs once more with price bands made of the file itself, as it is meant. R23 runs once
more day by day, each label being known from the next day on, as if every declaration were inspected. Rules about
consignments run on each declaration as a consignment of its own, since nothing in the file joins two of them: `joined`
counts that.
"""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.formats.shipments.columns import SHIPMENT_MAPPINGS
from gateway.formats.shipments.csv_files import read_csv
from gateway.formats.shipments.rows import ItemRow
from gateway.risk.facts.consignments import hs6_of
from gateway.risk.facts.findings import Outcomes
from gateway.risk.facts.goods import amount
from gateway.risk.facts.kinds import KINDS, Case
from gateway.risk.facts.substances import COLUMNS
from gateway.risk.learning import lift
from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import Rule, RuleSetting, load_rules
from gateway.tracing.rules.link_graph import build_link_graph
from gateway.tracing.rules.records import TraceRecord
from gateway.v1 import history_pb2, party_pb2, shipment_pb2, trace_pb2
from tests.support.public_files import DECLARATIONS

MAPPING = "shipments_import_declarations"

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)

WON = 1144.0
"""Won of the Republic of Korea for a US dollar: about the mean of 2021."""

LEAST_HITS = 100
"""Fewer hits show no lift: with 55, that of 1.26 may be one of 0.7 or of 1.9."""

LEAST = 30
"""Declarations of a subheading from which on quartiles are made of their unit values, as R03 has it."""

OWN_DAY, LATER, EITHER = "on its own day", f"on {AS_OF:%Y-%m-%d}", "on either day"
DOLLARS = f"{LATER}, in dollars"
QUARTILES = "with the file's quartiles"
ALONE = "each a consignment"
DAY_BY_DAY = "with the labels of earlier days"

Labelled = tuple[shipment_pb2.Shipment, bool]
"""A declaration and whether it is labelled as fraud."""


def _anything(_: Mapping[str, Any]) -> bool:
    return True


NEEDS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "R01": lambda facts: bool(facts["controlled"] and facts["licences_known"]),
    "R01-ABROAD": lambda facts: (
        bool(facts["third_places"]) and facts["shipment"].procedure != shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
    ),
    "R01-LICENCE": lambda facts: bool(facts["checked_licences"]),
    "R01-LISTED": lambda facts: bool(facts["controlled"] and facts["consignees"]),
    "R01-REFUSED": lambda facts: bool(facts["restrictions"]),
    "R02": lambda facts: facts["volume_m3"] > 0 and facts["declared.density_low"] > 0,
    "R03": lambda facts: facts["usd"] >= 0 and facts["declared.price_low"] > 0,
    "R03-CONTROLLED": lambda facts: facts["usd"] >= 0 and facts["declared.price_low"] > 0 and bool(facts["controlled"]),
    "R04": lambda facts: facts["usd"] >= 0 and facts["declared.price_low"] > 0 and bool(facts["suspects"]),
    "R15": lambda facts: bool(facts["controlled"] and facts["consignees"]),
    "R18": lambda facts: bool(facts["item"].description),
}
"""What rules about goods can't do without."""

LACKS: Mapping[str, str] = {
    "R01": "licences",
    "R01-ABROAD": "exports",
    "R01-LICENCE": "licences",
    "R01-LISTED": "names of parties",
    "R01-REFUSED": "destinations",
    "R02": "volumes",
    "R03": "values in US dollars",
    "R04": "values in US dollars",
    "R05": "exports",
    "R06": "exports",
    "R07": "exports",
    "R08": "exports",
    "R09": "masses on the way",
    "R09-SEAL": "containers",
    "R11": "exports",
    "R11-ROUTE": "routes",
    "R12": "exports",
    "R15": "names of parties",
    "R18": "descriptions",
    "R19": "exports",
    "R19-ALIKE": "exports",
    "R20": "identifiers with a check digit",
    "R03-CONTROLLED": "values in US dollars",
    "R09-OPENED": "events",
    "R12-RELABEL": "exports",
    "R19-TURNS": "exports",
    "R21": "places with times",
    "R22": "totals",
    "R23": "findings",
}
"""What the file doesn't have, where a rule has nothing to judge for it."""


@dataclass(slots=True)
class Counts:
    """Of one rule: declarations with something to judge, and with a hit, by the label."""

    judged: Counter[bool] = field(default_factory=Counter)
    hit: Counter[bool] = field(default_factory=Counter)
    severities: Counter[int] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        self.judged += other.judged
        self.hit += other.hit
        self.severities += other.severities


def every_rule(*, physical_data: Path | None = None, failed: Callable[[str, str], None] | None = None) -> RuleEngine:
    """The packaged rules, also those that aren't enabled."""
    settings = {rule.id: RuleSetting(enabled=True) for rule in load_rules()}
    if failed is None:
        return RuleEngine.load(physical_data=physical_data, settings=settings)
    return RuleEngine.load(physical_data=physical_data, settings=settings, failed=failed)


def declarations() -> list[Labelled]:
    """Each declaration as the mapping makes it, and whether it is labelled as fraud."""
    path = DECLARATIONS.path
    with path.open(encoding="utf-8-sig", newline="") as text:
        frauds = {row["Declaration ID"]: row["Fraud"] == "1" for row in csv.DictReader(text)}
    with path.open("rb") as file:
        rows = list(read_csv(file, SHIPMENT_MAPPINGS.builtin(MAPPING)))
    items = [row.item for row in rows if isinstance(row, ItemRow)]
    found = [(item, frauds[item.record_id]) for item in items if isinstance(item, shipment_pb2.Shipment)]
    assert len(found) == len(rows), "a line of the file isn't a shipment by the mapping"
    return found


def as_of(records: Sequence[Labelled], at: datetime) -> list[Labelled]:
    """The declarations as if all had been declared at one time."""
    return [(_changed(record, lambda made: made.declared_at.FromDatetime(at)), fraud) for record, fraud in records]


def in_dollars(records: Sequence[Labelled]) -> list[Labelled]:
    """The declarations with their values in US dollars too, at WON."""

    def convert(made: shipment_pb2.Shipment) -> None:
        for item in made.goods:
            assert item.customs_value.currency_code == "KRW"
            item.value_usd = amount(item.customs_value) / WON

    return [(_changed(record, convert), fraud) for record, fraud in records]


def _changed(record: shipment_pb2.Shipment, change: Callable[[shipment_pb2.Shipment], None]) -> shipment_pb2.Shipment:
    made = shipment_pb2.Shipment()
    made.CopyFrom(record)
    change(made)
    return made


def with_own_quartiles(records: Sequence[Labelled]) -> RuleEngine:
    """The rules with a table of nothing but the quartiles of US dollars a kilogram under each subheading."""
    unit_values: dict[str, list[float]] = {}
    for record, _ in records:
        for item in record.goods:
            if item.net_mass_kg > 0 and item.value_usd > 0:
                unit_values.setdefault(item.codes[0].code[:6], []).append(item.value_usd / item.net_mass_kg)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.DictWriter(file, COLUMNS, restval="")
            lines.writeheader()
            for hs6, values in unit_values.items():
                if len(values) >= LEAST:
                    low, _, high = quantiles(values, n=4)
                    lines.writerow(_band(hs6, low, high))
        return every_rule(physical_data=path)


def _band(hs6: str, low: float, high: float) -> dict[str, str]:
    return {
        "substance": f"goods of {hs6}",
        "role": "other",
        "hs": hs6,
        "covers": "whole",
        "price_low_usd_kg": repr(low),
        "price_high_usd_kg": repr(high),
        "price_confidence": "medium",
    }


def count(rules: RuleEngine, records: Sequence[Labelled]) -> dict[str, Counts]:
    """Hits by rule, each record judged as it is judged when it was recorded and nothing is around it."""
    return _count(rules, records, rules.cases, rules.screen)


def count_day_by_day(rules: RuleEngine, records: Sequence[Labelled]) -> dict[str, Counts]:
    """The same with what was found under each subheading on earlier days."""
    by_day: dict[int, list[Labelled]] = {}
    for record, fraud in records:
        by_day.setdefault(record.declared_at.seconds // 86_400, []).append((record, fraud))
    known: Counter[str] = Counter()
    confirmed: Counter[str] = Counter()

    def earlier(hs6: str, _: shipment_pb2.Shipment) -> Outcomes:
        return Outcomes(known[hs6], confirmed[hs6])

    counts = {rule.id: Counts() for rule in rules.rules}
    for day in sorted(by_day):
        of_day = _count(
            rules,
            by_day[day],
            lambda shipment: rules.cases(shipment, earlier=earlier),
            lambda shipment: rules.screen(shipment, earlier=earlier),
        )
        for rule_id, found in of_day.items():
            counts[rule_id].add(found)
        for record, fraud in by_day[day]:
            known.update(hs6_of(record))
            confirmed.update(hs6_of(record) if fraud else ())
    return counts


def count_alone(rules: RuleEngine, records: Sequence[Labelled]) -> dict[str, Counts]:
    """The same of each record as a consignment of its own, for which all nodes answered in full."""
    return _count(
        rules,
        records,
        lambda shipment: rules.cases_of_trace(_trace(shipment), AS_OF),
        lambda shipment: rules.examine(_trace(shipment), AS_OF),
    )


def _count(
    rules: RuleEngine,
    records: Sequence[Labelled],
    cases_of: Callable[[shipment_pb2.Shipment], Iterator[Case]],
    judge: Callable[[shipment_pb2.Shipment], Sequence[trace_pb2.Discrepancy]],
) -> dict[str, Counts]:
    """A rule has something to judge where a case of its kind has what NEEDS says."""
    counts = {rule.id: Counts() for rule in rules.rules}
    for shipment, fraud in records:
        cases = list(cases_of(shipment))
        if not cases:
            continue
        for rule in rules.rules:
            needs = NEEDS.get(rule.id, _anything)
            counts[rule.id].judged[fraud] += any(case.kind == rule.about and needs(case.facts) for case in cases)
        for rule_id, severity in {hit.rule_id: hit.severity for hit in judge(shipment)}.items():
            counts[rule_id].hit[fraud] += 1
            counts[rule_id].severities[severity] += 1
    return counts


def _trace(shipment: shipment_pb2.Shipment) -> trace_pb2.Trace:
    made = trace_pb2.Trace()
    made.legs.add(record=history_pb2.HistoryRecord(node="kr", revision=1, shipment=shipment))
    for node in ("kr", "cn", "hk", "mo"):
        made.answers.add(node=node, status=history_pb2.ANSWER_STATUS_COMPLETE)
    return made


def readings(rules: RuleEngine, records: Sequence[Labelled]) -> Iterator[tuple[Rule, str, Counts]]:
    """Every rule with each way in which it was run on the declarations."""
    later = as_of(records, AS_OF)
    own_day, as_if = count(rules, records), count(rules, later)
    converted = in_dollars(later)
    dollars, alone = count(rules, converted), count_alone(rules, later)
    quartiles_of_own = count(with_own_quartiles(converted), converted)
    day_by_day = count_day_by_day(rules, records)
    for rule in rules.rules:
        if KINDS[rule.about].scope not in ("goods_item", "shipment"):
            yield rule, ALONE, alone[rule.id]
        elif own_day[rule.id] == as_if[rule.id]:
            yield rule, EITHER, own_day[rule.id]
        else:
            yield rule, OWN_DAY, own_day[rule.id]
            yield rule, LATER, as_if[rule.id]
        if dollars[rule.id] != as_if[rule.id]:
            yield rule, DOLLARS, dollars[rule.id]
        if rule.id == "R03":
            yield rule, QUARTILES, quartiles_of_own[rule.id]
        if rule.id == "R23":
            yield rule, DAY_BY_DAY, day_by_day[rule.id]


def table(rules: RuleEngine, records: Sequence[Labelled]) -> list[list[str]]:
    """Rows: rule, how it was run, judged, hits, of frauds, of others, lift, severities, what the file lacks."""
    frauds = sum(fraud for _, fraud in records)
    every = Outcomes(len(records), frauds)
    return [
        [
            rule.id,
            how,
            f"{counts.judged.total():,}",
            f"{counts.hit.total():,}",
            _share(counts.hit[True], frauds),
            _share(counts.hit[False], len(records) - frauds),
            _lift(Outcomes(counts.hit.total(), counts.hit[True]), every),
            ", ".join(f"{_severity(value)} {number}" for value, number in sorted(counts.severities.items())) or "–",
            "–" if counts.judged.total() else LACKS.get(rule.id, "goods under control"),
        ]
        for rule, how, counts in readings(rules, records)
    ]


def _lift(hits: Outcomes, every: Outcomes) -> str:
    """Of a rule with enough hits."""
    found = lift(hits, every) if hits.inspected >= LEAST_HITS else None
    return "–" if found is None else f"{found:.2f}"


def joined(records: Sequence[Labelled]) -> int:
    """Links that a trace would find between the declarations."""
    known = [
        TraceRecord(history_pb2.HistoryRecord(node="kr", revision=1, position=position, shipment=record), start=False)
        for position, (record, _) in enumerate(records, 1)
    ]
    return len(build_link_graph(known).edges)


def largest_series(records: Sequence[Labelled]) -> tuple[int, int, int]:
    """Sellers with a subheading, how many of them have more than one declaration, and the most that one has."""
    sellers = Counter(
        (identifier.value, record.goods[0].codes[0].code[:6])
        for record, _ in records
        for party in record.parties
        for identifier in party.identifiers
        if party.role == party_pb2.PARTY_ROLE_SELLER
    )
    return len(sellers), sum(number > 1 for number in sellers.values()), max(sellers.values())


def middle_unit_value(records: Sequence[Labelled]) -> float:
    """Median of all goods' US dollars a kilogram."""
    items = [item for record, _ in records for item in record.goods]
    return median(item.value_usd / item.net_mass_kg for item in items if item.net_mass_kg > 0)


def _share(hits: int, of: int) -> str:
    return f"{hits} ({hits / of:.2%})".replace("%", " %") if hits else "0"


def main() -> None:
    """Prints all counts."""
    console = Console(width=120)
    if not DECLARATIONS.whole:
        console.print(
            f"Nothing to count: {DECLARATIONS.path.name} isn't beside the repository (tests/reference/README.md)."
        )
        return
    rules = every_rule()
    records = declarations()
    frauds = sum(fraud for _, fraud in records)
    console.print(f"{len(records)} declarations, {frauds} labelled as fraud; rules {rules.version}")
    _show(console, table(rules, records))
    console.print(f"middle of all goods: {middle_unit_value(in_dollars(records)):.2f} US dollars a kilogram")
    console.print(f"links between declarations: {joined(records)}")
    console.print("sellers with a subheading, with several declarations, most of one:", *largest_series(records))


def _show(console: Console, rows: Sequence[Sequence[str]]) -> None:
    shown = Table(title="what the rules find in the declarations")
    for column in ("rule", "run", "judged", "hits", "of frauds", "of others", "lift", "severities", "the file lacks"):
        shown.add_column(
            column, justify="right" if column in ("judged", "hits", "of frauds", "of others", "lift") else "left"
        )
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def _severity(value: int) -> str:
    return ("", "notice", "low", "medium", "high")[value]


if __name__ == "__main__":
    main()
