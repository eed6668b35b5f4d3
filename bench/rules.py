"""Counts what the rules about single records find in real import declarations, and what they cost for each record.

Reads `../shared/data/real/import_declarations.csv` (8,481 declarations of 2021, labelled where fraud).
Owns their conversion to records, as far as rules read them, and the tables. `python -m bench.rules` prints both.

The declarations are older than every control, so the rules run twice: on each declaration's own day, and as if all had
been declared on AS_OF. Their file names no currency; for the rules about values the price is taken as US dollars, so
these hits exercise the rules and say nothing about them.
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from gateway.risk.rules import Rules
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2
from tests.support.shared import shared_path

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)

_PARTIES = (
    ("Declarant ID", party_pb2.PARTY_ROLE_DECLARANT),
    ("Importer ID", party_pb2.PARTY_ROLE_IMPORTER),
    ("Seller ID", party_pb2.PARTY_ROLE_SELLER),
    ("Courier ID", party_pb2.PARTY_ROLE_CARRIER),
)
_MODES = {
    "10": goods_pb2.TRANSPORT_MODE_SEA,
    "20": goods_pb2.TRANSPORT_MODE_RAIL,
    "30": goods_pb2.TRANSPORT_MODE_ROAD,
    "40": goods_pb2.TRANSPORT_MODE_AIR,
    "50": goods_pb2.TRANSPORT_MODE_MAIL,
}


def _anything(_: Mapping[str, Any]) -> bool:
    return True


NEEDS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "R01": lambda facts: bool(facts["controlled"]),
    "R02": lambda facts: facts["volume_m3"] > 0 and facts["declared.density_low"] > 0,
    "R03": lambda facts: facts["usd"] >= 0 and facts["declared.price_low"] > 0,
    "R04": lambda facts: facts["usd"] >= 0 and facts["declared.price_low"] > 0 and bool(facts["suspects"]),
    "R15": lambda facts: bool(facts["controlled"] and facts["consignees"]),
    "R18": lambda facts: bool(facts["item"].description),
}
"""What rules about goods can't do without."""


@dataclass(slots=True)
class Counts:
    """Of one rule: declarations with something to judge, and with a hit, by the label."""

    judged: Counter[bool] = field(default_factory=Counter)
    hit: Counter[bool] = field(default_factory=Counter)
    severities: Counter[int] = field(default_factory=Counter)


def declarations() -> Iterator[tuple[shipment_pb2.Shipment, bool]]:
    """Each declaration as a record, and whether it is labelled as fraud."""
    with shared_path("data/real/import_declarations.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield record(row), row["Fraud"] == "1"


def record(row: dict[str, str]) -> shipment_pb2.Shipment:
    """One line as an import record; what the file doesn't say stays out."""
    made = shipment_pb2.Shipment(
        record_id=row["Declaration ID"],
        procedure=shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        utc_offset_minutes=540,
        export_territory=row["Country of Departure"] if len(row["Country of Departure"]) == 2 else "",
    )
    made.declared_at.FromDatetime(datetime.fromisoformat(row["Date"]).replace(tzinfo=UTC))
    made.references.add(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION, value=row["Declaration ID"])
    for column, role in _PARTIES:
        if row[column]:
            made.parties.add(role=role).identifiers.add(scheme="trader_id", value=row[column])
    item = made.goods.add(sequence=1, origin_territory=row["Country of Origin"])
    item.codes.add(code=row["HS6 Code"].zfill(6), scheme="hs")
    item.net_mass_kg = float(row["Net Mass"])
    item.value_usd = float(row["Item Price"])
    made.means.add(mode=_MODES.get(row["Mode of Transport"], goods_pb2.TRANSPORT_MODE_UNSPECIFIED))
    return made


def count(rules: Rules, records: Sequence[tuple[shipment_pb2.Shipment, bool]]) -> dict[str, Counts]:
    """Hits by rule. A rule has something to judge where a case of its kind has what NEEDS says."""
    counts = {rule.id: Counts() for rule in rules.rules}
    for shipment, fraud in records:
        cases = list(rules.cases(shipment))
        for rule in rules.rules:
            needs = NEEDS.get(rule.id, _anything)
            counts[rule.id].judged[fraud] += any(case.kind == rule.about and needs(case.facts) for case in cases)
        hits = {hit.rule_id: hit.severity for hit in rules.screen(shipment)}
        for rule_id, severity in hits.items():
            counts[rule_id].hit[fraud] += 1
            counts[rule_id].severities[severity] += 1
    return counts


def full(sequences: int = 3) -> shipment_pb2.Shipment:
    """A record with everything that the rules look at, and nothing wrong with it."""
    made = shipment_pb2.Shipment(
        record_id="FULL-1",
        procedure=shipment_pb2.SHIPMENT_PROCEDURE_EXPORT,
        utc_offset_minutes=480,
        export_territory="CN",
        destination_territory="HK",
        gross_mass_kg=3150.0,
    )
    made.declared_at.FromDatetime(AS_OF)
    for kind in (1, 2, 3, 4):
        made.references.add(kind=kind, value=f"REFERENCE-{kind}")
    for role in (party_pb2.PARTY_ROLE_EXPORTER, party_pb2.PARTY_ROLE_CONSIGNEE, party_pb2.PARTY_ROLE_DECLARANT):
        party = made.parties.add(role=role)
        party.names.add(text="深圳市恒通贸易有限公司", script="Hans")
        party.names.add(text="Shenzhen Hengtong Trading Co Ltd", script="Latn")
        party.identifiers.add(scheme="uscc", value="91350100M000100Y43")
    for sequence in range(1, sequences + 1):
        item = made.goods.add(
            sequence=sequence, description="Wooden furniture for bedrooms, of oak", net_mass_kg=1000.0
        )
        item.codes.add(code="9403500000", scheme="tariff", territory="CN")
        item.value_usd = 4000.0
        item.packages.add(type="CT", count=100, volume_m3=12.0)
    made.equipment.add(id="MSKU0000006", seals=["CN123456"], e_lock="EL0001")
    made.means.add(mode=goods_pb2.TRANSPORT_MODE_ROAD).registrations.add(scheme="hk_vehicle_plate", value="AB1234")
    made.route.add().to.territory = "HK"
    for source in (shipment_pb2.MASS_SOURCE_MANIFEST, shipment_pb2.MASS_SOURCE_WEIGHBRIDGE):
        made.masses.add(mass_kg=3150.0, source=source).measured_at.CopyFrom(made.declared_at)
    for kind in (shipment_pb2.SHIPMENT_EVENT_KIND_GATE_IN, shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED):
        event = made.events.add(kind=kind, equipment_id="MSKU0000006", seal="EL0001")
        event.occurred_at.FromSeconds(made.declared_at.seconds + 3600)
    return made


def suspicious() -> shipment_pb2.Shipment:
    """The same with three items of antimony without a licence, to a forwarder."""
    made = full()
    made.parties[1].names[1].text = "Hengtong Logistics Limited"
    for item in made.goods:
        item.codes[0].code = "8110101000"
        item.description = "Antimony ingots"
    return made


def microseconds(rules: Rules, records: Sequence[shipment_pb2.Shipment], *, rounds: int = 3) -> list[float]:
    """Processor time that screening takes for each record, the best of some rounds."""
    best = [float("inf")] * len(records)
    for _ in range(rounds):
        for index, shipment in enumerate(records):
            started = time.thread_time()
            rules.screen(shipment)
            best[index] = min(best[index], (time.thread_time() - started) * 1e6)
    return best


def main() -> None:
    """Counts, then measures."""
    console = Console(width=120)
    rules = Rules.load()
    records = list(declarations())
    frauds = sum(fraud for _, fraud in records)
    console.print(f"{len(records)} declarations, {frauds} labelled as fraud; rules {rules.version}")
    _show(console, f"on their own days ({len(records)})", count(rules, records), frauds, len(records) - frauds)
    for shipment, _ in records:
        shipment.declared_at.FromDatetime(AS_OF)
    _show(console, f"as if declared on {AS_OF:%Y-%m-%d}", count(rules, records), frauds, len(records) - frauds)
    _show_times(console, rules, [shipment for shipment, _ in records])


def _show(console: Console, title: str, counts: dict[str, Counts], frauds: int, others: int) -> None:
    table = Table(title=title)
    for column in (
        "rule",
        "judged",
        "hits",
        "of fraud",
        "of others",
        "share of fraud",
        "share of others",
        "severities",
    ):
        table.add_column(column, justify="left" if column in ("rule", "severities") else "right")
    for rule_id, each in counts.items():
        if each.judged.total():
            severities = ", ".join(f"{_severity(value)} {number}" for value, number in sorted(each.severities.items()))
            table.add_row(
                rule_id,
                str(each.judged.total()),
                str(each.hit.total()),
                str(each.hit[True]),
                str(each.hit[False]),
                f"{each.hit[True] / frauds:.2%}",
                f"{each.hit[False] / others:.2%}",
                severities,
            )
    console.print(table)
    unjudged = [rule_id for rule_id, each in counts.items() if not each.judged.total()]
    console.print(f"nothing to judge for: {', '.join(unjudged)}")


def _severity(value: int) -> str:
    return ("", "notice", "low", "medium", "high")[value]


def _show_times(console: Console, rules: Rules, records: Sequence[shipment_pb2.Shipment]) -> None:
    table = Table(title="µs of processor time a record, best of 3")
    for column in ("record", "number", "median", "p99", "mean"):
        table.add_column(column, justify="left" if column == "record" else "right")
    innocent = [each for each in records if not rules.screen(each)]
    samples = {
        "declarations without hits": innocent,
        "declarations with hits": [each for each in records if rules.screen(each)],
        "three items, nothing wrong": [full() for _ in range(1000)],
        "200 items, nothing wrong": [full(200) for _ in range(50)],
        f"three items under control, {len(rules.screen(suspicious()))} hits": [suspicious() for _ in range(500)],
    }
    for name, sample in samples.items():
        taken = microseconds(rules, sample)
        p99 = quantiles(taken, n=100)[98]
        table.add_row(name, str(len(sample)), f"{median(taken):.1f}", f"{p99:.1f}", f"{sum(taken) / len(taken):.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
