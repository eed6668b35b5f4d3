"""Reads what an alert names, and what its steps say, for the search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from gateway.v1 import alert_pb2, casework_service_pb2, goods_pb2


class ValueKind(StrEnum):
    """What a value is; begins the word under which it is found whole."""

    EQUIPMENT = "e"
    REFERENCE = "r"
    IDENTIFIER = "i"
    CASE_REFERENCE = "c"


TEXT = "t"
NAME = "n"
"""Begin the words of texts, and of recorded names."""

FIELDS = {
    ValueKind.EQUIPMENT: casework_service_pb2.MATCHED_FIELD_EQUIPMENT,
    ValueKind.REFERENCE: casework_service_pb2.MATCHED_FIELD_REFERENCE,
    ValueKind.IDENTIFIER: casework_service_pb2.MATCHED_FIELD_IDENTIFIER,
    ValueKind.CASE_REFERENCE: casework_service_pb2.MATCHED_FIELD_CASE_REFERENCE,
}
"""The contract's value of a kind."""


class NamedValue(NamedTuple):
    """A value that a search finds whole."""

    kind: ValueKind
    text: str


def values_of(content: alert_pb2.AlertContent) -> Iterator[NamedValue]:
    """Numbers and references of a content, as written."""
    subject = content.subject
    yield from (NamedValue(ValueKind.REFERENCE, reference.value) for reference in subject.references)
    for equipment in subject.equipment:
        for text in (equipment.id, *equipment.seals, equipment.e_lock):
            if text:
                yield NamedValue(ValueKind.EQUIPMENT, text)
    legs = (leg.means for leg in content.route if leg.HasField("means"))
    for means in (*subject.means, *legs):
        yield from (NamedValue(ValueKind.EQUIPMENT, text) for text in _of_means(means))
    for party in subject.parties:
        yield from (NamedValue(ValueKind.IDENTIFIER, identifier.value) for identifier in party.identifiers)
    yield NamedValue(ValueKind.CASE_REFERENCE, content.case_reference)


def names_of(content: alert_pb2.AlertContent) -> list[str]:
    """Names of all parties, as written, each once, in order."""
    return list(dict.fromkeys(name.text for party in content.subject.parties for name in party.names))


def texts_of(content: alert_pb2.AlertContent) -> Iterator[str]:
    """Texts of a content without its values and names."""
    yield from (narrative.text for narrative in content.narratives)
    for goods in content.goods:
        yield from (goods.description, goods.substance, goods.form, goods.element)
        yield from (code.code for code in (*goods.declared_codes, *goods.suspected_codes))
    for leg in content.route:
        yield from _of_place(getattr(leg, "from"))
        yield from _of_place(leg.to)
    yield from (hit.explanation for hit in content.rule_hits)
    yield from (evidence.description for evidence in content.evidence)
    yield content.handling.caveat
    for party in content.subject.parties:
        yield from (text for address in party.addresses for text in (address.street, address.city))


def case_references_of(event: alert_pb2.AlertEvent) -> Iterator[str]:
    """Case references in a step without a content."""
    if event.acknowledged.case_reference:
        yield event.acknowledged.case_reference


def texts_of_step(event: alert_pb2.AlertEvent) -> Iterator[str]:
    """Texts of a step without a content."""
    yield from (event.question.text, event.answer.text, event.flagged.explanation, event.withdrawn.reason)
    yield event.closed.remarks
    if event.HasField("finding"):
        finding = event.finding
        yield finding.remarks
        yield from _of_place(finding.place)
        yield from (evidence.description for evidence in finding.evidence)
        for goods in finding.goods_found:
            yield from (goods.description, goods.substance, goods.form)


def contents_of(events: Iterable[alert_pb2.AlertEvent]) -> Iterator[alert_pb2.AlertContent]:
    """Contents of all revisions, oldest first."""
    for event in events:
        kind = event.WhichOneof("event")
        if kind == "published":
            yield event.published.content
        elif kind == "amended":
            yield event.amended.content


def _of_means(means: goods_pb2.TransportMeans) -> Iterator[str]:
    yield from (registration.value for registration in means.registrations)
    yield from (text for text in (means.name, means.journey) if text)


def _of_place(place: goods_pb2.Place) -> Iterator[str]:
    yield from (place.unlocode, place.customs_office, place.name)
