"""Makes the cells of the report's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256

from gateway.tracing.report import words
from gateway.tracing.report.event_texts import READERS
from gateway.tracing.report.quantities import mass_text, measured, quantities
from gateway.tracing.rules.events import events_of, place_name
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.translation.numbers import in_readers_form
from gateway.translation.plain_text import comma_joined
from gateway.translation.rule_sentences import explained
from gateway.translation.substance_names import element_name, substance_title
from gateway.v1.goods_pb2 import Money, Place, ShipmentReferenceKind
from gateway.v1.history_pb2 import ANSWER_STATUS_COMPLETE, HistoryRecord, NodeAnswer
from gateway.v1.party_pb2 import PartyRole
from gateway.v1.shipment_pb2 import MassSource, Shipment, ShipmentGoods
from gateway.v1.trace_pb2 import Discrepancy, TraceLeg

Cells = Mapping[str, object]
"""A row's cells by their template name."""


def discrepancy_cells(discrepancy: Discrepancy) -> Cells:
    """A contradiction."""
    kind = words.severity_kind(discrepancy.severity)
    sure, version, item = discrepancy.confidence, discrepancy.rule_version, discrepancy.goods_sequence
    records = ", ".join(str(leg + 1) for leg in discrepancy.legs)
    return {
        "rule_id": discrepancy.rule_id,
        "kind": kind,
        "severity": words.severity_word(kind),
        "version": _("version {version}", version=version) if version else "",
        "confidence": _("confidence {confidence}", confidence=words.confidence(sure)) if sure else "",
        "name": words.rule_name(discrepancy),
        "explanation": explained(discrepancy.explanation),
        "typology": words.typology(discrepancy),
        "records": _("{record}, item {item}", record=records, item=item) if item else records,
        "where": ngettext("record {records}", "records {records}", len(discrepancy.legs), records=records)
        if records
        else "",
        "inputs": quantities(discrepancy.inputs),
        "thresholds": quantities(discrepancy.thresholds),
        "measured": measured(discrepancy),
    }


def leg_cells(number: int, leg: TraceLeg) -> Cells:
    """A record."""
    shipment, record = leg.record.shipment, leg.record
    return {
        "number": number,
        "procedure": words.procedure_word(leg),
        "name": words.leg_name(leg),
        "recorded": _recorded(record),
        "declared": (words.moment(words.declared_at(leg)), place_name(shipment.office)),
        "goods": list(_goods_lines(shipment)),
        "parties": list(_party_lines(shipment)),
        "references": [
            f"{label_of(ShipmentReferenceKind, reference.kind)}: {reference.value or _('(withheld)')}"
            for reference in shipment.references
        ],
        "equipment": list(_equipment_lines(shipment)),
    }


def _recorded(record: HistoryRecord) -> str:
    if not record.position:  # a partner's
        return _("revision {revision}", revision=record.revision)
    return _("revision {revision}, position {position}", revision=record.revision, position=record.position)


def event_cells(record: HistoryRecord) -> Iterator[tuple[datetime, str, str, str]]:
    """What happened to a record's goods: local time, place, kind, in words."""
    for event in events_of([record], READERS):
        yield words.happened_at(event), place_in_words(event.place), words.event_kind(event.kind), event.text


def mass_cells(shipment: Shipment) -> Iterator[tuple[str, str, datetime | None, str]]:
    """Measured masses: in words, source, time in UTC, place."""
    for mass in shipment.masses:
        weighed = mass_text(mass.mass_kg)
        yield (
            _("{mass} with the container", mass=weighed) if mass.includes_tare else weighed,
            label_of(MassSource, mass.source),
            mass.measured_at.ToDatetime(UTC) if mass.HasField("measured_at") else None,
            place_in_words(mass.place),
        )


def answer_cells(node: str, answers: Sequence[NodeAnswer]) -> Cells:
    """A node's answers; the last one's status and times."""
    last = answers[-1]
    answered_at = last.answered_at.ToDatetime(UTC) if last.HasField("answered_at") else None
    return {
        "node": node,
        "is_whole": all(answer.status == ANSWER_STATUS_COMPLETE for answer in answers),
        "status": words.answer_in_words(answers),
        "records": sum(answer.count for answer in answers),
        "searched": words.moment(last.searched_until.ToDatetime(UTC))
        if last.HasField("searched_until")
        else last.as_of_position or "",
        "proof": words.proof_in_words(answers),
        "answered_at": words.moment(answered_at) if answered_at else "",
        "queries": [answer.query_id for answer in answers if answer.query_id],
        "reason": "; ".join(words.reasons(answers)),
    }


def statement_cells(answer: NodeAnswer) -> Cells:
    """A signed statement."""
    return {
        "node": answer.node,
        "query": answer.query_id,
        "digest": sha256(answer.statement).hexdigest(),
        "text": answer.statement.decode("utf-8", "replace"),
    }


def place_in_words(place: Place) -> str:
    """`Yantian, CN`."""
    name = place_name(place)
    return name if name == place.territory else ", ".join(filter(None, (name, place.territory)))


def sealed_equipment(shipment: Shipment) -> Iterator[str]:
    """Containers with seals and locks."""
    for equipment in shipment.equipment:
        seals = ", ".join(filter(None, (*equipment.seals, equipment.e_lock)))
        yield _("{equipment}, sealed {seals}", equipment=equipment.id, seals=seals) if seals else equipment.id


def _goods_lines(shipment: Shipment) -> Iterator[str]:
    yield from map(_item, shipment.goods)
    if shipment.HasField("gross_mass_kg"):
        yield _("{mass} gross in all", mass=mass_text(shipment.gross_mass_kg))
    if shipment.total_value.currency_code:
        yield _("{value} in all", value=_money(shipment.total_value))
    for licence in shipment.licences:
        number = licence.number or _("(withheld)")
        yield _("licence {number} {type}", number=number, type=licence.type).strip()


def _item(item: ShipmentGoods) -> str:
    codes = " / ".join(code.code for code in item.codes)
    mass = _("{mass} net", mass=mass_text(item.net_mass_kg)) if item.HasField("net_mass_kg") else ""
    purity = f"{in_readers_form(f'{item.purity_percent:g}')} %" if item.HasField("purity_percent") else ""
    value = _money(item.customs_value) if item.customs_value.currency_code else ""
    parts = (item.description or substance_title(item.substance), element_name(item.element), purity, mass, value)
    return f"{codes} {comma_joined(*parts)}".strip()


def _money(money: Money) -> str:
    amount = f"{money.units:,}" + (f".{abs(money.nanos) // 10_000_000:02}" if money.nanos else "")
    return f"{money.currency_code} {in_readers_form(amount)}"


def _party_lines(shipment: Shipment) -> Iterator[str]:
    for party in shipment.parties:
        names = " / ".join(name.text for name in party.names if name.text)
        numbers = ", ".join(
            f"{identifier.scheme} {identifier.value}" for identifier in party.identifiers if identifier.value
        )
        known = ", ".join(filter(None, (names, numbers))) or _("(withheld)")
        yield f"{label_of(PartyRole, party.role)}: {known}"


def _equipment_lines(shipment: Shipment) -> Iterator[str]:
    yield from sealed_equipment(shipment)
    for means in shipment.means:
        yield ", ".join(
            filter(None, (means.name, means.journey, *(registration.value for registration in means.registrations)))
        )
