"""Orders all dated facts of records as events.

Two accounts of one departure stay two events: they may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.tracing.rules.records import territory_of
from gateway.v1 import alert_pb2, goods_pb2, shipment_pb2, trace_pb2
from gateway.v1.history_pb2 import HistoryRecord

MAX_TEXT_CHARS = 400

_ORDER = ("declared", "arrived", "gate_in", "unloaded", "measured", "inspection", "inspected")
"""Simultaneous work on goods is between arrival and departure."""

_LAST = ("loaded", "gate_out", "departed")

_DECLARED = {
    shipment_pb2.SHIPMENT_PROCEDURE_EXPORT: "Declared for export",
    shipment_pb2.SHIPMENT_PROCEDURE_IMPORT: "Declared for import",
    shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT: "Declared for transit",
    shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT: "Declared for re-export",
    shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT: "Transshipped",
    shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST: "On a manifest",
}

_MASSES = {
    shipment_pb2.MASS_SOURCE_DECLARATION: "declaration",
    shipment_pb2.MASS_SOURCE_MANIFEST: "manifest",
    shipment_pb2.MASS_SOURCE_VGM: "verified gross mass",
    shipment_pb2.MASS_SOURCE_WEIGHBRIDGE: "weighbridge",
    shipment_pb2.MASS_SOURCE_INSPECTION: "inspection",
}

_RESULTS = {
    alert_pb2.FINDING_RESULT_CONFIRMED: "suspicion confirmed",
    alert_pb2.FINDING_RESULT_AS_DECLARED: "goods as declared",
    alert_pb2.FINDING_RESULT_OTHER_IRREGULARITY: "another irregularity",
    alert_pb2.FINDING_RESULT_INCONCLUSIVE: "no conclusion yet",
}

_MODES = {
    goods_pb2.TRANSPORT_MODE_SEA: "by sea",
    goods_pb2.TRANSPORT_MODE_RAIL: "by rail",
    goods_pb2.TRANSPORT_MODE_ROAD: "by road",
    goods_pb2.TRANSPORT_MODE_AIR: "by air",
    goods_pb2.TRANSPORT_MODE_MAIL: "by mail",
    goods_pb2.TRANSPORT_MODE_INLAND_WATER: "by inland water",
}


def events_of(records: Sequence[HistoryRecord]) -> list[trace_pb2.TraceEvent]:
    """Events by time, `_ORDER` and leg."""
    events = [event for leg, record in enumerate(records) for event in _events(leg, record)]
    return sorted(events, key=lambda event: (event.at.seconds, event.at.nanos, _rank(event.kind), event.leg))


def _rank(kind: str) -> int:
    if kind in _LAST:
        return 100 + _LAST.index(kind)
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _events(leg: int, record: HistoryRecord) -> Iterator[trace_pb2.TraceEvent]:
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

    yield event("declared", shipment.declared_at, shipment.office, _declared(shipment))
    for stop in shipment.route:
        start, by = getattr(stop, "from"), _moved_by(stop.means)
        if stop.HasField("departure"):
            text = _joined("Left", place_name(start), f"for {place_name(stop.to)}" if place_name(stop.to) else "", by)
            yield event("departed", stop.departure, start, text, stop.utc_offset_minutes)
        if stop.HasField("arrival"):
            text = _joined("Came to", place_name(stop.to) or "its end", by)
            yield event("arrived", stop.arrival, stop.to, text, stop.utc_offset_minutes)
    for happened in shipment.events:
        kind = kind_word(happened.kind)
        yield event(kind, happened.occurred_at, happened.place, _happened(happened), happened.utc_offset_minutes)
    for mass in shipment.masses:
        if mass.HasField("measured_at"):
            yield event("measured", mass.measured_at, mass.place, _measured(mass))
    for inspection in shipment.inspections:
        yield event("inspected", inspection.inspected_at, inspection.place, _inspected(inspection))


def kind_word(kind: shipment_pb2.ShipmentEventKind.ValueType) -> str:
    """An event's kind, e.g. `gate_in`."""
    names = shipment_pb2.ShipmentEventKind.DESCRIPTOR.values_by_number
    found = names.get(kind)
    return found.name.removeprefix("SHIPMENT_EVENT_KIND_").lower() if found is not None and kind else "event"


def place_name(place: goods_pb2.Place) -> str:
    """The most readable name given."""
    return place.name or place.unlocode or place.customs_office or place.territory


def mass_in_words(kilograms: float) -> str:
    """`20,000 kg`."""
    return f"{kilograms:,.10g} kg"


def _declared(shipment: shipment_pb2.Shipment) -> str:
    what = _DECLARED.get(shipment.procedure, "Recorded")
    goods = "; ".join(filter(None, map(_item, shipment.goods)))
    return f"{what}: {goods}" if goods else what


def _item(item: shipment_pb2.ShipmentGoods) -> str:
    code = max((commodity.code for commodity in item.codes), key=len, default="")
    mass = f"{mass_in_words(item.net_mass_kg)} net" if item.HasField("net_mass_kg") else ""
    return ", ".join(filter(None, (_joined(code, item.description or item.substance), mass)))


def _moved_by(means: goods_pb2.TransportMeans) -> str:
    named = [means.name, means.journey, *(registration.value for registration in means.registrations)]
    shown = ", ".join(filter(None, named))
    return _joined(_MODES.get(means.mode, ""), f"({shown})" if shown else "")


def _happened(event: shipment_pb2.ShipmentEvent) -> str:
    what = kind_word(event.kind).replace("_", " ").replace("e lock", "e-lock").capitalize()
    about = ", ".join(filter(None, (event.equipment_id, event.seal, event.means)))
    said = _joined(what, about)
    if event.remarks:
        said = f"{said}: {event.remarks}"
    return f"{said} [{event.source}]" if event.source else said


def _measured(mass: shipment_pb2.MeasuredMass) -> str:
    source = _MASSES.get(mass.source, "mass")
    tare = " with tare" if mass.includes_tare else ""
    return _joined(
        mass_in_words(mass.mass_kg) + tare, f"by {source}", f"of {mass.equipment_id}" if mass.equipment_id else ""
    )


def _inspected(inspection: shipment_pb2.ShipmentInspection) -> str:
    goods = "; ".join(filter(None, map(_item, inspection.goods_found)))
    said = f"Inspected ({', '.join(inspection.methods)})" if inspection.methods else "Inspected"
    said = f"{said}: {_RESULTS.get(inspection.result, 'result not given')}"
    said = f"{said}; found {goods}" if goods else said
    return f"{said}. {inspection.remarks}" if inspection.remarks else said


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
