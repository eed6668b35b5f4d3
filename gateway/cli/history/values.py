"""Puts shipments, records of history and answers of nodes into cells and lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.cli.history.goods import (
    code_text,
    equipment_line,
    local,
    means_line,
    money_text,
    party_line,
    place_in_full,
    place_name,
    reference_line,
)
from gateway.cli.output import stacked
from gateway.cli.values import shown_time
from gateway.cli.watchlist.values import shortened
from gateway.contract.enum_words import word_of
from gateway.tracing.report.words import proof_in_words
from gateway.translation.labels import label_of
from gateway.translation.messages import N_, listed, marked, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import FindingResult
from gateway.v1.history_pb2 import AnswerStatus, HistoryRecord, NodeAnswer
from gateway.v1.options_pb2 import DisclosureClass
from gateway.v1.party_pb2 import Party, PartyRole
from gateway.v1.shipment_pb2 import (
    MassSource,
    Shipment,
    ShipmentEvent,
    ShipmentEventKind,
    ShipmentGoods,
    ShipmentInspection,
    ShipmentProcedure,
)

ANSWERED = (AnswerStatus.ANSWER_STATUS_COMPLETE, AnswerStatus.ANSWER_STATUS_PARTIAL)
"""Statuses of answers that can be relied on."""

RECORD_COLUMNS = (
    *marked("Record", "Rev", "Declared", "Procedure", "From → to", "Goods", "Parties", "Containers"),
    *marked("Recorded", "Withheld"),
)
MINOR_OF_RECORDS = ("Recorded", "Rev", "Procedure", "Withheld", "Parties")
NODE_COLUMNS = marked("Node", "Answer", "Records", "As of", "Answered", "Took", "Withheld", "Reason")
MINOR_OF_NODES = ("Answered", "Took")


def record_cells(record: HistoryRecord) -> tuple[object, ...]:
    """Cells of a record, by RECORD_COLUMNS."""
    shipment = record.shipment
    return (
        f"{record.node}/{shipment.record_id}",
        record.revision,
        shown_time(shipment, "declared_at"),
        word_of(ShipmentProcedure, shipment.procedure),
        way(shipment),
        shortened("; ".join(_goods_in_short(item) for item in shipment.goods)),
        shortened("; ".join(filter(None, map(_name_of, shipment.parties)))),
        [unit.id for unit in shipment.equipment] or None,
        shown_time(record, "recorded_at"),
        len(record.withheld) or None,
    )


def node_cells(answer: NodeAnswer) -> tuple[object, ...]:
    """Cells of a node's answer, by NODE_COLUMNS."""
    answered = answer.status in ANSWERED
    return (
        answer.node,
        status_word(answer),
        answer.count,
        (shown_time(answer, "searched_until") or _position(answer)) if answered else None,
        shown_time(answer, "answered_at"),
        f"{answer.elapsed_ms} ms",
        answer.withheld or None,
        "; ".join(filter(None, (_proof(answer), answer.reason))) or None,
    )


def status_word(answer: NodeAnswer) -> str:
    """The status of a node's answer: `timed out`."""
    return label_of(AnswerStatus, answer.status)


def answer_line(answer: NodeAnswer) -> str:
    """A node's answer in one line."""
    counted = ngettext("{number} record", "{number} records", answer.count)
    withheld = ngettext("{number} field withheld", "{number} fields withheld", answer.withheld)
    parts = [
        f"{answer.node}: {status_word(answer)}",
        counted if answer.count or answer.status in ANSWERED else "",
        _as_of(answer) if answer.status in ANSWERED else "",
        _proof(answer),
        withheld if answer.withheld else "",
        f"{answer.elapsed_ms} ms",
    ]
    return listed(filter(None, parts)) + (f": {answer.reason}" if answer.reason else "")


def _as_of(answer: NodeAnswer) -> str:
    """Up to where a node's records were searched."""
    until = shown_time(answer, "searched_until")
    if until is None:
        return _("as of position {position}", position=answer.as_of_position)
    return _("as of {time}", time=f"{until:%Y-%m-%dT%H:%M:%SZ}")


def _proof(answer: NodeAnswer) -> str:
    return proof_in_words([answer], lambda until: f"{until:%Y-%m-%dT%H:%M:%SZ}")


def _position(answer: NodeAnswer) -> str:
    return _("position {position}", position=answer.as_of_position)


def withheld_lines(record: HistoryRecord) -> list[str]:
    """Withheld fields of a record, by path and class."""
    return [f"{field.path} ({label_of(DisclosureClass, field.disclosure_class)})" for field in record.withheld]


def way(shipment: Shipment) -> str:
    """The route by the shortest names of its places."""
    stops: list[str] = []
    for leg in shipment.route:
        for place in (getattr(leg, "from"), leg.to):
            name = place_name(place)
            if name and stops[-1:] != [name]:
                stops.append(name)
    if not stops:
        stops = [territory for territory in (shipment.export_territory, shipment.destination_territory) if territory]
    return " → ".join(stops) or "—"


def _goods_in_short(item: ShipmentGoods) -> str:
    code = max((commodity.code for commodity in item.codes), key=len, default="")
    mass = f"{item.net_mass_kg:g} kg" if item.HasField("net_mass_kg") else ""
    return " ".join(filter(None, (code, item.description or item.substance, mass)))


def _name_of(party: Party) -> str:
    known = [name.text for name in party.names] or [
        f"{identifier.scheme} {identifier.value}" for identifier in party.identifiers
    ]
    return f"{word_of(PartyRole, party.role)} {known[0]}" if known else ""


def shipment_facts(shipment: Shipment) -> Mapping[str, object]:
    """A shipment without events, inspections and empty values."""
    facts: dict[str, object] = {
        N_("Procedure"): word_of(ShipmentProcedure, shipment.procedure),
        N_("Declared"): local(shipment, "declared_at", shipment.utc_offset_minutes),
        N_("Office"): place_in_full(shipment.office),
        N_("References"): [reference_line(reference) for reference in shipment.references],
        N_("Parties"): [party_line(party) for party in shipment.parties],
        N_("Goods"): [_goods(item) for item in shipment.goods],
        N_("Equipment"): [equipment_line(unit) for unit in shipment.equipment],
        N_("Means"): [means_line(means) for means in shipment.means],
        N_("Way"): way(shipment),
        N_("Masses"): [
            f"{mass.mass_kg:g} kg {word_of(MassSource, mass.source)}"
            + (f", {mass.equipment_id}" if mass.equipment_id else "")
            for mass in shipment.masses
        ],
        N_("Licences"): [
            " ".join(filter(None, (licence.number, licence.type, licence.authority, licence.territory)))
            for licence in shipment.licences
        ],
        N_("Packages"): shipment.package_count if shipment.HasField("package_count") else None,
        N_("Gross mass"): f"{shipment.gross_mass_kg:g} kg" if shipment.HasField("gross_mass_kg") else None,
        N_("Value"): money_text(shipment.total_value),
        N_("Freight"): money_text(shipment.freight),
        N_("Terms of delivery"): shipment.incoterms,
        N_("Retention class"): shipment.retention_class,
        N_("Releasable to"): _releasable_to(shipment),
    }
    stacks = {name: stacked(value) if isinstance(value, list) else value for name, value in facts.items()}
    return {name: value for name, value in stacks.items() if value not in (None, "", "—")}


def _releasable_to(shipment: Shipment) -> str | None:
    return (listed(shipment.releasable_to.nodes) or _("nobody")) if shipment.HasField("releasable_to") else None


def event_cells(event: ShipmentEvent) -> tuple[object, ...]:
    """Cells of an event."""
    return (
        shown_time(event, "occurred_at"),
        word_of(ShipmentEventKind, event.kind),
        place_in_full(event.place) or None,
        event.equipment_id or None,
        event.seal or None,
        event.means or None,
        event.source or None,
        event.remarks or None,
    )


def inspection_cells(inspection: ShipmentInspection) -> tuple[object, ...]:
    """Cells of an inspection."""
    return (
        shown_time(inspection, "inspected_at"),
        word_of(FindingResult, inspection.result),
        place_in_full(inspection.place) or None,
        list(inspection.methods) or None,
        "; ".join(_goods(item) for item in inspection.goods_found) or None,
        inspection.remarks or None,
    )


def _goods(item: ShipmentGoods) -> str:
    parts = [
        ", ".join(map(code_text, item.codes)),
        item.description,
        " ".join(filter(None, (item.substance, item.element, item.form))),
        f"{item.purity_percent:g} %" if item.HasField("purity_percent") else "",
        _("{mass} kg net", mass=f"{item.net_mass_kg:g}") if item.HasField("net_mass_kg") else "",
        _("{mass} kg gross", mass=f"{item.gross_mass_kg:g}") if item.HasField("gross_mass_kg") else "",
        ", ".join(f"{package.count} × {package.type or _('packages')}" for package in item.packages),
        money_text(item.customs_value),
        _("origin {territory}", territory=item.origin_territory) if item.origin_territory else "",
    ]
    return f"{item.sequence}: {'; '.join(part for part in parts if part)}"


def record_key(record: HistoryRecord) -> tuple[datetime, str]:
    """Order of records by when they were recorded."""
    return record.recorded_at.ToDatetime(UTC), record.shipment.record_id
