"""Reads scripted consignments: `cases.txt` says each record in one line.

A line has parts between ` | `. The first is `NODE PROCEDURE TIME FROM>TO`; the others begin with a word:

    goods CODE [el SYMBOL] [from TERRITORY] 20000kg [700000usd] [4.2m3] "DESCRIPTION"
    box NUMBER [seal SEAL] [lock LOCK]
    ref KIND VALUE            ucr, declaration, previous, document, licence
    by MODE                   road, sea, air
    EVENT TIME "PLACE" [SEAL] gate_in, e_lock_removed, …; a territory before a colon: "CN:G4 service area"
    weighed KG TIME
    leg TIME "PLACE" TIME "PLACE"
    gross KG, total AMOUNT    of the whole record, in kilograms and US dollars
    exporter NAME, consignee NAME
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gateway.risk.rule_engine import RuleEngine
from gateway.tracing.rules.records import RecordHit
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2, trace_pb2
from tests.support.gathered import assemble
from tests.support.risk_records import at, item, party

TABLE = Path(__file__).with_name("cases.txt")

NOW = datetime(2025, 9, 1, tzinfo=UTC)

_REFERENCES = {
    "ucr": goods_pb2.SHIPMENT_REFERENCE_KIND_UCR,
    "declaration": goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
    "previous": goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT,
    "document": goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT,
    "licence": goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE,
}


@dataclass(slots=True)
class ScriptedCase:
    """A way of smuggling, the rules that find it, and what looks like it and is innocent."""

    name: str
    rules: frozenset[str]
    case: list[history_pb2.HistoryRecord] = field(default_factory=list)
    twin: list[history_pb2.HistoryRecord] = field(default_factory=list)


def scripted_cases() -> list[ScriptedCase]:
    """All cases of the table."""
    cases: list[ScriptedCase] = []
    records: list[history_pb2.HistoryRecord] = []
    for line in TABLE.read_text("utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text in ("case", "twin"):
            records = getattr(cases[-1], text)
        elif line[:1].isspace() and text:
            records.append(_record(text, len(records) + 1))
        elif text:
            name, _, rules = text.partition(":")
            cases.append(ScriptedCase(name, frozenset(rules.split())))
    return cases


def hits(rules: RuleEngine, records: Sequence[history_pb2.HistoryRecord]) -> dict[str, trace_pb2.Discrepancy]:
    """What the rules find in the consignment of the first record; others of its node are its siblings."""
    by = history_pb2.SearchCriteria(containers=["any"])
    trace = assemble([RecordHit(record, None if number == 0 else by) for number, record in enumerate(records)], [])
    siblings = {
        index: [record.shipment for record in records if record.node == leg.record.node]
        for index, leg in enumerate(trace.legs)
    }
    return {hit.rule_id: hit for hit in rules.examine(trace, NOW, siblings=siblings)}


def _record(text: str, number: int) -> history_pb2.HistoryRecord:
    head, *parts = text.split(" | ")
    node, procedure, time, way = head.split()
    start, _, end = way.partition(">")
    shipment = shipment_pb2.Shipment(
        record_id=f"{node.upper()}-{procedure}-{number:04}",
        procedure=shipment_pb2.ShipmentProcedure.Value(f"SHIPMENT_PROCEDURE_{procedure.upper()}"),
        declared_at=at(time),
        utc_offset_minutes=480,
        office=goods_pb2.Place(territory=node.upper()),
        export_territory=start,
        destination_territory=end,
    )
    for part in parts:
        word, *values = shlex.split(part)
        _say(shipment, word, values)
    return history_pb2.HistoryRecord(node=node, revision=1, position=number, shipment=shipment)


def _say(shipment: shipment_pb2.Shipment, word: str, values: list[str]) -> None:
    match word:
        case "goods":
            shipment.goods.append(_goods(len(shipment.goods) + 1, values))
        case "box":
            equipment = shipment.equipment.add(id=values[0])
            for kind, value in _pairs(values[1:]):
                if kind == "seal":
                    equipment.seals.append(value)
                else:
                    equipment.e_lock = value
        case "ref":
            shipment.references.add(kind=_REFERENCES[values[0]], value=values[1])
        case "by":
            shipment.means.add(mode=goods_pb2.TransportMode.Value(f"TRANSPORT_MODE_{values[0].upper()}"))
        case "weighed":
            source = shipment_pb2.MASS_SOURCE_WEIGHBRIDGE
            shipment.masses.add(mass_kg=float(values[0]), source=source, measured_at=at(values[1]))
        case "leg":
            leg = shipment.route.add(departure=at(values[0]), arrival=at(values[2]), to=_place(values[3]))
            getattr(leg, "from").CopyFrom(_place(values[1]))
        case "gross":
            shipment.gross_mass_kg = float(values[0])
        case "total":
            shipment.total_value.CopyFrom(goods_pb2.Money(currency_code="USD", units=int(values[0])))
        case "exporter" | "consignee":
            shipment.parties.append(party(party_pb2.PartyRole.Value(f"PARTY_ROLE_{word.upper()}"), values[0]))
        case _:
            shipment.events.add(
                kind=shipment_pb2.ShipmentEventKind.Value(f"SHIPMENT_EVENT_KIND_{word.upper()}"),
                occurred_at=at(values[0]),
                place=_place(values[1]) if values[1:] else None,
                seal=values[2] if values[2:] else "",
            )


def _goods(sequence: int, values: list[str]) -> shipment_pb2.ShipmentGoods:
    code, *rest, description = values
    goods = item(code, sequence=sequence, description=description)
    for kind, value in _pairs([word for word in rest if not word[0].isdigit()]):
        if kind == "el":
            goods.element = value
        else:
            goods.origin_territory = value
    for word in rest:
        if word.endswith("kg"):
            goods.net_mass_kg = float(word[:-2])
        elif word.endswith("usd"):
            goods.value_usd = float(word[:-3])
            goods.customs_value.CopyFrom(goods_pb2.Money(currency_code="USD", units=int(word[:-3])))
        elif word.endswith("m3"):
            goods.packages.add(type="CS", count=20, volume_m3=float(word[:-2]))
    return goods


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    return zip(words[::2], words[1::2], strict=True)


def _place(text: str) -> goods_pb2.Place:
    territory, _, name = text.partition(":")
    return goods_pb2.Place(territory=territory, name=name)
