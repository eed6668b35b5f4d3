"""Orders all dated facts of records as events.

Two accounts of one departure stay two events: they may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.tracing.rules.records import territory_of
from gateway.translation.plain_text import comma_joined
from gateway.v1 import alert_pb2, goods_pb2, shipment_pb2, trace_pb2
from gateway.v1.history_pb2 import HistoryRecord

MAX_TEXT_CHARS = 400

_ORDER = ("declared", "arrived", "gate_in", "unloaded", "measured", "inspection", "inspected")
"""Simultaneous work on goods is between arrival and departure."""

_LAST = ("loaded", "gate_out", "departed")

Say: TypeAlias = Callable[..., str]
"""Fills in a message's values, e.g. `gettext`."""


class EventWording(NamedTuple):
    """How events are said; traces hold English."""

    say: Say
    mass: Callable[[float], str]
    kind: Callable[[str], str]


def mass_in_words(kilograms: float) -> str:
    """`20,000 kg`."""
    return f"{kilograms:,.10g} kg"


def _kind_in_english(kind: str) -> str:
    return kind.replace("_", " ").replace("e lock", "e-lock")


def _in_english(message: str, /, **values: object) -> str:
    return message.format_map(values)


ENGLISH = EventWording(_in_english, mass_in_words, _kind_in_english)


def events_of(records: Sequence[HistoryRecord], wording: EventWording = ENGLISH) -> list[trace_pb2.TraceEvent]:
    """Events by time, `_ORDER` and leg."""
    texts = _Texts(wording)
    events = [event for leg, record in enumerate(records) for event in _events(leg, record, texts)]
    return sorted(events, key=lambda event: (event.at.seconds, event.at.nanos, _rank(event.kind), event.leg))


def _rank(kind: str) -> int:
    if kind in _LAST:
        return 100 + _LAST.index(kind)
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _events(leg: int, record: HistoryRecord, texts: _Texts) -> Iterator[trace_pb2.TraceEvent]:
    shipment = record.shipment
    home = goods_pb2.Place(territory=territory_of(record))
    offset = shipment.utc_offset_minutes

    def event(
        kind: str, at: Timestamp, place: goods_pb2.Place, text: str, minutes: int = offset
    ) -> trace_pb2.TraceEvent:
        return trace_pb2.TraceEvent(
            at=at,
            utc_offset_minutes=minutes,
            place=place if place.ByteSize() else home,
            leg=leg,
            node=record.node,
            kind=kind,
            text=text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 1] + "…",
        )

    yield event("declared", shipment.declared_at, shipment.office, texts.declared(shipment))
    for stop in shipment.route:
        start = getattr(stop, "from")
        if stop.HasField("departure"):
            yield event("departed", stop.departure, start, texts.departed(stop), stop.utc_offset_minutes)
        if stop.HasField("arrival"):
            yield event("arrived", stop.arrival, stop.to, texts.arrived(stop), stop.utc_offset_minutes)
    for happened in shipment.events:
        kind = kind_word(happened.kind)
        yield event(kind, happened.occurred_at, happened.place, texts.happened(happened), happened.utc_offset_minutes)
    for mass in shipment.masses:
        if mass.HasField("measured_at"):
            yield event("measured", mass.measured_at, mass.place, texts.measured(mass))
    for inspection in shipment.inspections:
        yield event("inspected", inspection.inspected_at, inspection.place, texts.inspected(inspection))


def kind_word(kind: shipment_pb2.ShipmentEventKind.ValueType) -> str:
    """An event's kind, e.g. `gate_in`."""
    names = shipment_pb2.ShipmentEventKind.DESCRIPTOR.values_by_number
    found = names.get(kind)
    return found.name.removeprefix("SHIPMENT_EVENT_KIND_").lower() if found is not None and kind else "event"


def place_name(place: goods_pb2.Place) -> str:
    """The most readable name given."""
    return place.name or place.unlocode or place.customs_office or place.territory


class _Texts:
    """An event in words."""

    def __init__(self, wording: EventWording) -> None:
        self._say, self._mass, self._kind = wording
        _ = wording.say
        self._procedures = {
            shipment_pb2.SHIPMENT_PROCEDURE_EXPORT: _("Declared for export"),
            shipment_pb2.SHIPMENT_PROCEDURE_IMPORT: _("Declared for import"),
            shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT: _("Declared for transit"),
            shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT: _("Declared for re-export"),
            shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT: _("Transshipped"),
            shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST: _("On a manifest"),
        }
        self._sources = {
            shipment_pb2.MASS_SOURCE_DECLARATION: _("by declaration"),
            shipment_pb2.MASS_SOURCE_MANIFEST: _("by manifest"),
            shipment_pb2.MASS_SOURCE_VGM: _("by verified gross mass"),
            shipment_pb2.MASS_SOURCE_WEIGHBRIDGE: _("by weighbridge"),
            shipment_pb2.MASS_SOURCE_INSPECTION: _("by inspection"),
        }
        self._results = {
            alert_pb2.FINDING_RESULT_CONFIRMED: _("suspicion confirmed"),
            alert_pb2.FINDING_RESULT_AS_DECLARED: _("goods as declared"),
            alert_pb2.FINDING_RESULT_OTHER_IRREGULARITY: _("another irregularity"),
            alert_pb2.FINDING_RESULT_INCONCLUSIVE: _("no conclusion yet"),
        }
        self._modes = {
            goods_pb2.TRANSPORT_MODE_SEA: _("by sea"),
            goods_pb2.TRANSPORT_MODE_RAIL: _("by rail"),
            goods_pb2.TRANSPORT_MODE_ROAD: _("by road"),
            goods_pb2.TRANSPORT_MODE_AIR: _("by air"),
            goods_pb2.TRANSPORT_MODE_MAIL: _("by mail"),
            goods_pb2.TRANSPORT_MODE_INLAND_WATER: _("by inland water"),
        }

    def declared(self, shipment: shipment_pb2.Shipment) -> str:
        _ = self._say
        what = self._procedures.get(shipment.procedure) or _("Recorded")
        goods = "; ".join(filter(None, map(self._item, shipment.goods)))
        return _("{what}: {goods}", what=what, goods=goods) if goods else what

    def departed(self, part: goods_pb2.RouteLeg) -> str:
        _ = self._say
        place, to = place_name(getattr(part, "from")), place_name(part.to)
        if place and to:
            said = _("Left {place} for {destination}", place=place, destination=to)
        elif to:
            said = _("Left for {destination}", destination=to)
        else:
            said = _("Left {place}", place=place) if place else _("Left")
        return self._moved(said, part.means)

    def arrived(self, part: goods_pb2.RouteLeg) -> str:
        _, place = self._say, place_name(part.to)
        return self._moved(_("Came to {place}", place=place) if place else _("Came to its end"), part.means)

    def happened(self, event: shipment_pb2.ShipmentEvent) -> str:
        what = self._kind(kind_word(event.kind))
        about = ", ".join(filter(None, (event.equipment_id, event.seal, event.means)))
        said = _joined(what[:1].upper() + what[1:], about)
        if event.remarks:
            said = f"{said}: {event.remarks}"
        return f"{said} [{event.source}]" if event.source else said

    def measured(self, mass: shipment_pb2.MeasuredMass) -> str:
        _ = self._say
        weighed = self._mass(mass.mass_kg)
        weighed = _("{mass} with tare", mass=weighed) if mass.includes_tare else weighed
        said = _joined(weighed, self._sources.get(mass.source) or _("by mass"))
        return _("{mass} of {equipment}", mass=said, equipment=mass.equipment_id) if mass.equipment_id else said

    def inspected(self, inspection: shipment_pb2.ShipmentInspection) -> str:
        _ = self._say
        methods = ", ".join(method.replace("_", "-") for method in inspection.methods)
        said = _("Inspected ({methods})", methods=methods) if methods else _("Inspected")
        result = self._results.get(inspection.result) or _("result not given")
        said = _("{inspected}: {result}", inspected=said, result=result)
        goods = "; ".join(filter(None, map(self._item, inspection.goods_found)))
        said = _("{inspected}; found {goods}", inspected=said, goods=goods) if goods else said
        return f"{said.rstrip('.。')}. {inspection.remarks}" if inspection.remarks else said

    def _item(self, item: shipment_pb2.ShipmentGoods) -> str:
        _ = self._say
        code = max((commodity.code for commodity in item.codes), key=len, default="")
        mass = _("{mass} net", mass=self._mass(item.net_mass_kg)) if item.HasField("net_mass_kg") else ""
        return comma_joined(_joined(code, item.description or item.substance), mass)

    def _moved(self, said: str, means: goods_pb2.TransportMeans) -> str:
        _ = self._say
        named = (means.name, means.journey, *(registration.value for registration in means.registrations))
        shown = ", ".join(filter(None, named))
        return _joined(said, self._modes.get(means.mode, ""), f"({shown})" if shown else "")


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
