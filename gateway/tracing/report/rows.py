"""Orders records, events and crossings of a trace in rows for drawing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.contract.enum_words import UNKNOWN
from gateway.risk.validity import ControlStatus
from gateway.tracing.report import words
from gateway.tracing.report.event_texts import reworded
from gateway.tracing.report.quantities import mass_text
from gateway.tracing.report.tables import sealed_equipment
from gateway.tracing.rules.events import place_name
from gateway.tracing.rules.links import plain
from gateway.tracing.rules.records import territory_of
from gateway.translation.labels import label_of
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.translation.plain_text import comma_joined
from gateway.translation.substance_names import listed_substance, substance_title
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2, trace_pb2

TERRITORIES: Final = {"CN": N_("Mainland"), "HK": N_("Hong Kong"), "MO": N_("Macao")}
"""Lanes always drawn, from the left."""

OTHER: Final = "other"
"""Lane of territories without room."""

_SENDERS: Final = (party_pb2.PARTY_ROLE_CONSIGNOR, party_pb2.PARTY_ROLE_EXPORTER, party_pb2.PARTY_ROLE_SELLER)
_RECEIVERS: Final = (party_pb2.PARTY_ROLE_CONSIGNEE, party_pb2.PARTY_ROLE_IMPORTER, party_pb2.PARTY_ROLE_BUYER)

_MOVES: Final = {"departed": N_("Left {place}"), "arrived": N_("Came to {place}")}


@dataclass(frozen=True, slots=True)
class Mark:
    """A contradiction at one of its legs.

    Attributes:
        number, others: from 1.
        is_last: the last leg shows the explanation.
    """

    number: int
    discrepancy: trace_pb2.Discrepancy
    others: tuple[int, ...]
    is_last: bool

    @property
    def kind(self) -> str:
        return words.severity_kind(self.discrepancy.severity)

    @property
    def title(self) -> str:
        """`▲ R02 HIGH density mismatch`."""
        severity = words.severity_word(self.kind).upper()
        return f"▲ {self.discrepancy.rule_id} {severity} {words.rule_name(self.discrepancy)}"


@dataclass(frozen=True, slots=True)
class LegBlock:
    """A record at its declaration; its contradictions by severity."""

    number: int
    title: str
    leg: trace_pb2.TraceLeg
    facts: tuple[str, ...]
    controls: tuple[str, ...]
    parties: tuple[str, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event and its reporting nodes."""

    text: str
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Goods that change lanes."""

    to_lane: int
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a lane, at a local time."""

    at: datetime
    lane: int
    what: LegBlock | EventLine | Crossing


@dataclass(frozen=True, slots=True)
class Picture:
    """Lanes by territory code, and rows by time."""

    lanes: tuple[str, ...]
    rows: tuple[Row, ...]


def picture_of(trace: trace_pb2.Trace, max_lanes: int) -> Picture:
    """The trace as rows, in four to `max_lanes` lanes."""
    lanes = _lanes(trace, max_lanes)
    rows = [*_leg_rows(trace, lanes), *_event_rows(trace, lanes), *_crossing_rows(trace, lanes)]
    ordered = sorted(enumerate(rows), key=lambda each: (each[1].at, isinstance(each[1].what, Crossing), each[0]))
    return Picture(lanes, tuple(row for number, row in ordered))


def lane_title(lane: str) -> str:
    """`CN Mainland`, or a code."""
    if lane == OTHER:
        return _("other")
    return f"{lane} {_(TERRITORIES[lane])}" if lane in TERRITORIES else lane


def _lanes(trace: trace_pb2.Trace, max_lanes: int) -> tuple[str, ...]:
    seen = [event.place.territory for event in trace.events]
    for leg in trace.legs:
        seen += [territory_of(leg.record), *_route_territories(leg.record)]
    further = [territory for territory in dict.fromkeys(seen) if territory and territory not in TERRITORIES]
    unplaced = any(not territory_of(leg.record) for leg in trace.legs)
    if len(TERRITORIES) + len(further) + unplaced > max_lanes:
        return (*TERRITORIES, OTHER)
    return (*TERRITORIES, *further, *([OTHER] if unplaced else []))


def _lane(lanes: tuple[str, ...], territory: str) -> int:
    return lanes.index(territory) if territory in lanes else len(lanes) - 1


def _route_territories(record: history_pb2.HistoryRecord) -> Iterator[str]:
    for leg in record.shipment.route:
        yield getattr(leg, "from").territory
        yield leg.to.territory


def _leg_rows(trace: trace_pb2.Trace, lanes: tuple[str, ...]) -> Iterator[Row]:
    marks = _marks(trace)
    for index, leg in enumerate(trace.legs):
        shipment = leg.record.shipment
        block = LegBlock(
            number=index + 1,
            title=words.procedure_word(leg),
            leg=leg,
            facts=tuple(_facts(shipment)),
            controls=tuple(_controls(leg)),
            parties=_parties(shipment),
            marks=marks[index],
        )
        yield Row(words.declared_at(leg), _lane(lanes, territory_of(leg.record)), block)


def _marks(trace: trace_pb2.Trace) -> Mapping[int, tuple[Mark, ...]]:
    found: dict[int, tuple[Mark, ...]] = dict.fromkeys(range(len(trace.legs)), ())
    for number, discrepancy in enumerate(trace.discrepancies, start=1):
        legs = sorted({leg for leg in discrepancy.legs if leg in found})
        for leg in legs:
            others = tuple(other + 1 for other in legs if other != leg)
            found[leg] += (Mark(number, discrepancy, others, leg == legs[-1]),)
    return found


def _facts(shipment: shipment_pb2.Shipment) -> Iterator[str]:
    yield from map(_item, shipment.goods)
    if shipment.HasField("gross_mass_kg"):
        yield _("{mass} gross", mass=mass_text(shipment.gross_mass_kg))
    yield from sealed_equipment(shipment)
    means = "; ".join(filter(None, map(_means, shipment.means)))
    if means:
        yield _("by {means}", means=means)
    if shipment.licences:
        numbers = ", ".join(licence.number or _("(number withheld)") for licence in shipment.licences)
        yield _("licence {numbers}", numbers=numbers)


def _controls(leg: trace_pb2.TraceLeg) -> Iterator[str]:
    for item in leg.controlled:
        goods = " ".join(filter(None, (item.code, listed_substance(item.substance, item.element))))
        if item.status in ("", ControlStatus.IN_FORCE):
            sureness = words.confidence(item.confidence)
            yield _("◆ under control: {goods} ({confidence})", goods=goods, confidence=sureness)
        else:
            yield _("◆ under control again: {goods} ({status})", goods=goods, status=item.status)


def _item(item: shipment_pb2.ShipmentGoods) -> str:
    code = max((each.code for each in item.codes), key=len, default="")
    goods = " ".join(filter(None, (code, item.description or substance_title(item.substance, item.element))))
    mass = _("{mass} net", mass=mass_text(item.net_mass_kg)) if item.HasField("net_mass_kg") else ""
    return comma_joined(goods, mass)


def _parties(shipment: shipment_pb2.Shipment) -> tuple[str, ...]:
    sender, receiver = _party(shipment, _SENDERS), _party(shipment, _RECEIVERS)
    lines = (
        _("from {party}", party=sender) if sender else "",
        _("to {party}", party=receiver) if receiver else "",
    )
    return tuple(filter(None, lines))


def _party(shipment: shipment_pb2.Shipment, roles: Sequence[party_pb2.PartyRole.ValueType]) -> str:
    for role in roles:
        for party in shipment.parties:
            if party.role == role:
                return next((name.text for name in party.names if name.text), "") or next(
                    (identifier.value for identifier in party.identifiers if identifier.value), ""
                )
    return ""


def _event_rows(trace: trace_pb2.Trace, lanes: tuple[str, ...]) -> Iterator[Row]:
    """Events without declarations; equal ones share a line."""
    merged: dict[tuple[datetime, int, str], list[str]] = {}
    container = _only_container(trace)
    for event in reworded(trace):
        if event.kind == "declared":
            continue
        lane = _lane(lanes, event.place.territory)
        text = _in_short(event, container)
        if lanes[lane] == OTHER and event.place.territory:
            text = f"{event.place.territory}: {text}"
        nodes = merged.setdefault((words.happened_at(event), lane, text), [])
        if event.node not in nodes:
            nodes.append(event.node)
    for (at, lane, text), nodes in merged.items():
        yield Row(at, lane, EventLine(text, tuple(nodes)))


def _only_container(trace: trace_pb2.Trace) -> str:
    named = {equipment.id for leg in trace.legs for equipment in leg.record.shipment.equipment}
    named |= {event.equipment_id for leg in trace.legs for event in leg.record.shipment.events if event.equipment_id}
    if len({plain(name) for name in named}) != 1:
        return ""
    of_events = {event.equipment_id for leg in trace.legs for event in leg.record.shipment.events if event.equipment_id}
    return of_events.pop() if len(of_events) == 1 else ""


def _in_short(event: trace_pb2.TraceEvent, container: str) -> str:
    if event.kind in _MOVES:
        return _(_MOVES[event.kind], place=place_name(event.place))
    text = event.text
    if container:
        for written in (_("{mass} of {equipment}", mass="", equipment=container), f" {container},", f" {container}"):
            text = text.replace(written, "")
    place = place_name(event.place)
    known = place and place != event.place.territory and place not in text
    return comma_joined(text, place) if known else text


def _crossing_rows(trace: trace_pb2.Trace, lanes: tuple[str, ...]) -> Iterator[Row]:
    merged: dict[tuple[datetime, int, int, str], None] = {}
    for leg in trace.legs:
        for part in leg.record.shipment.route:
            start, end = _lane(lanes, getattr(part, "from").territory), _lane(lanes, part.to.territory)
            known = getattr(part, "from").territory and part.to.territory
            if start != end and known:
                time = part.departure if part.HasField("departure") else part.arrival
                dated = part.HasField("departure") or part.HasField("arrival")
                at = words.local(time.ToDatetime(UTC), part.utc_offset_minutes) if dated else words.declared_at(leg)
                merged.setdefault((at, start, end, _means(part.means)))
    for at, start, end, text in merged:
        yield Row(at, start, Crossing(end, text))


def _means(means: goods_pb2.TransportMeans) -> str:
    mode = label_of(goods_pb2.TransportMode, means.mode)
    shown = ", ".join(
        filter(None, (means.name, means.journey, *(registration.value for registration in means.registrations)))
    )
    return " ".join(filter(None, ("" if mode == UNKNOWN else mode, shown)))
