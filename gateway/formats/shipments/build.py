"""Makes of one line of a file what it says of its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.errors import MalformedError
from gateway.formats.lists.columns import enum_of, split_identifier
from gateway.formats.shipments import build_parts as parts
from gateway.formats.shipments.layout import EVENT_TARGETS, GOODS_TARGETS, Cells, Layout
from gateway.formats.transport_modes import NOT_KNOWN, mode_of
from gateway.v1 import goods_pb2, shipment_pb2

_REFERENCES: Mapping[str, goods_pb2.ShipmentReferenceKind.ValueType] = MappingProxyType(
    {
        "declaration": goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
        "ucr": goods_pb2.SHIPMENT_REFERENCE_KIND_UCR,
        "transport_documents": goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT,
        "previous_documents": goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT,
    }
)
_MASSES: Mapping[str, shipment_pb2.MassSource.ValueType] = MappingProxyType(
    {
        "manifest_mass_kg": shipment_pb2.MASS_SOURCE_MANIFEST,
        "vgm_kg": shipment_pb2.MASS_SOURCE_VGM,
        "weighbridge_mass_kg": shipment_pb2.MASS_SOURCE_WEIGHBRIDGE,
        "inspection_mass_kg": shipment_pb2.MASS_SOURCE_INSPECTION,
    }
)
Step = Callable[[shipment_pb2.Shipment, Cells], None]
"""Puts into a shipment what the cells of a line say in some fields."""


@dataclass(frozen=True, slots=True)
class LineReader:
    """Makes of a line what it says of its record: each step for fields that the layout has at all."""

    layout: Layout
    steps: Sequence[Step]

    def read(self, cells: Cells, record_id: str) -> shipment_pb2.Shipment:
        """What a line says; what can't be read is among the cells' problems."""
        made = shipment_pb2.Shipment(record_id=record_id)
        for step in self.steps:
            step(made, cells)
        return made


def line_reader(layout: Layout) -> LineReader:
    """What reads the lines of a file of this layout."""
    steps = [step for targets, step in _STEPS if layout.fills(*targets)]
    if layout.registrations and _put_means not in steps:
        steps.append(_put_means)
    roles = layout.roles
    if roles:
        steps.append(lambda made, cells: made.parties.extend(parts.parties(cells, roles)))
    return LineReader(layout, steps)


def _put_kind(made: shipment_pb2.Shipment, cells: Cells) -> None:
    made.procedure = cells.value("procedure", _procedure) or shipment_pb2.SHIPMENT_PROCEDURE_UNSPECIFIED
    declared = cells.time("declared_at")
    if declared is not None:
        made.declared_at.CopyFrom(declared[0])
        made.utc_offset_minutes = declared[1]


def _put_terms(made: shipment_pb2.Shipment, cells: Cells) -> None:
    made.incoterms = cells.text("incoterms")
    made.retention_class = cells.text("retention_class")


def _put_totals(made: shipment_pb2.Shipment, cells: Cells) -> None:
    count, mass = cells.count("package_count"), parts.rounded(cells.number("total_gross_mass_kg"))
    if count is not None:
        made.package_count = count
    if mass is not None:
        made.gross_mass_kg = mass
    if cells.text("total_value"):
        parts.put_money(made.total_value, cells, "total_value", "total_currency")
    if cells.text("freight"):
        parts.put_money(made.freight, cells, "freight", "freight_currency")


def _put_territories(made: shipment_pb2.Shipment, cells: Cells) -> None:
    made.export_territory = cells.value("export_territory", parts.read_known_territory) or ""
    made.destination_territory = cells.value("destination_territory", parts.read_known_territory) or ""


def _put_references(made: shipment_pb2.Shipment, cells: Cells) -> None:
    for target, kind in _REFERENCES.items():
        for value, territory, *_ in cells.members(target):
            code = cells.check(cells.layout.label(target), territory, parts.read_known_territory) if territory else ""
            made.references.add(kind=kind, value=value, territory=code or "")


def _put_masses(made: shipment_pb2.Shipment, cells: Cells) -> None:
    for target, source in _MASSES.items():
        mass = parts.rounded(cells.number(target))
        if mass is not None:
            made.masses.add(mass_kg=mass, source=source)


def _put_goods(made: shipment_pb2.Shipment, cells: Cells) -> None:
    item = parts.goods(cells)
    if item is not None:
        made.goods.append(item)


def _put_event(made: shipment_pb2.Shipment, cells: Cells) -> None:
    happened = parts.event(cells)
    if happened is not None:
        made.events.append(happened)


def _procedure(text: str) -> shipment_pb2.ShipmentProcedure.ValueType:
    number = enum_of(text, shipment_pb2.ShipmentProcedure, "SHIPMENT_PROCEDURE_")
    return shipment_pb2.ShipmentProcedure.ValueType(number)


def _put_office(made: shipment_pb2.Shipment, cells: Cells) -> None:
    where = cells.members("office")
    if where:
        territory = cells.value("office_territory", parts.read_known_territory) or ""
        found = parts.place(cells, "office", where[0], territory)
        made.office.CopyFrom(found or goods_pb2.Place())


def _put_means(made: shipment_pb2.Shipment, cells: Cells) -> None:
    means = goods_pb2.TransportMeans(name=cells.text("vessel"), journey=cells.text("voyage"))
    means.mode = cells.value("mode", _mode) or NOT_KNOWN
    label = cells.layout.label("plates")
    for whole, *_ in cells.members("plates"):
        found = cells.check(label, whole, split_identifier)
        if found is not None:
            means.registrations.add(scheme=found[0], value=found[1])
    imo = cells.text("imo")
    if imo:
        means.registrations.add(scheme="imo_ship", value=imo)
    for each in cells.layout.registrations:
        for value, *_ in cells.members_of(each.source, "registrations"):
            means.registrations.add(scheme=each.scheme, value=value)
    if means.ByteSize():
        made.means.append(means)


def _mode(text: str) -> goods_pb2.TransportMode.ValueType:
    mode = mode_of(text)
    if mode is None:
        raise MalformedError(f"has {text[:40]!r}, which is no mode of UN/ECE Recommendation 19, such as 3 or road")
    return mode


_STEPS: Sequence[tuple[Sequence[str], Step]] = (
    (("procedure", "declared_at"), _put_kind),
    (("office",), _put_office),
    (tuple(_REFERENCES), _put_references),
    (("containers", "seals", "e_locks"), lambda made, cells: made.equipment.extend(parts.equipment(cells))),
    (("mode", "plates", "vessel", "imo", "voyage"), _put_means),
    (("route", "departed_at", "arrived_at"), lambda made, cells: made.route.extend(parts.route(cells))),
    (tuple(_MASSES), _put_masses),
    (("licences",), lambda made, cells: made.licences.extend(parts.licences(cells))),
    (("export_territory", "destination_territory"), _put_territories),
    (("package_count", "total_gross_mass_kg", "total_value", "freight"), _put_totals),
    (("incoterms", "retention_class"), _put_terms),
    (GOODS_TARGETS, _put_goods),
    (EVENT_TARGETS, _put_event),
)
