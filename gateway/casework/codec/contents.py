"""Reads what an alert names, and what its steps say, for the search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from gateway.contract.findings import finding_of
from gateway.v1 import alert_pb2, casework_service_pb2, goods_pb2, party_pb2


class ValueKind(StrEnum):
    """What a value is; begins the word under which it is found whole."""

    EQUIPMENT = "e"
    REFERENCE = "r"
    IDENTIFIER = "i"
    CASE_REFERENCE = "c"


_EQUIPMENT, _REFERENCE, _IDENTIFIER, _CASE_REFERENCE = ValueKind
"""Read from the class they cost as much as making a value."""

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
    yield from values_beside_parties(content)
    for party in content.subject.parties:
        yield from identifiers_of(party)


def values_beside_parties(content: alert_pb2.AlertContent) -> list[NamedValue]:
    """Those that aren't of a party."""
    subject = content.subject
    values = [NamedValue(_REFERENCE, reference.value) for reference in subject.references]
    for equipment in subject.equipment:
        texts = (equipment.id, *equipment.seals, equipment.e_lock)
        values += [NamedValue(_EQUIPMENT, text) for text in texts if text]
    for means in (*subject.means, *(leg.means for leg in content.route if leg.HasField("means"))):
        values += [NamedValue(_EQUIPMENT, text) for text in _of_means(means)]
    values.append(NamedValue(_CASE_REFERENCE, content.case_reference))
    return values


def identifiers_of(party: party_pb2.Party) -> Iterator[NamedValue]:
    """A party's numbers."""
    return (NamedValue(_IDENTIFIER, identifier.value) for identifier in party.identifiers)


def names_of(content: alert_pb2.AlertContent) -> list[str]:
    """Names of all parties, as written, each once, in order."""
    return list(dict.fromkeys(name.text for party in content.subject.parties for name in party.names))


def texts_of(content: alert_pb2.AlertContent) -> list[str]:
    """Texts of a content without its values, and without what it says of parties; some are empty."""
    texts = [narrative.text for narrative in content.narratives]
    for goods in content.goods:
        texts += (goods.description, goods.substance, goods.form, goods.element)
        texts += [code.code for code in goods.declared_codes]
        texts += [code.code for code in goods.suspected_codes]
    for leg in content.route:
        texts += _of_place(getattr(leg, "from"))
        texts += _of_place(leg.to)
    texts += [hit.explanation for hit in content.rule_hits]
    texts += [evidence.description for evidence in content.evidence]
    texts.append(content.handling.caveat)
    return texts


def address_texts_of(party: party_pb2.Party) -> Iterator[str]:
    """Texts of a party's addresses."""
    return (text for address in party.addresses for text in (address.street, address.city))


def case_references_of(event: alert_pb2.AlertEvent) -> Iterator[str]:
    """Case references in a step without a content."""
    if event.acknowledged.case_reference:
        yield event.acknowledged.case_reference


def texts_of_step(event: alert_pb2.AlertEvent) -> Iterator[str]:
    """Texts of a step without a content."""
    yield from (event.question.text, event.answer.text, event.flagged.explanation, event.withdrawn.reason)
    yield event.closed.remarks
    yield from (event.finding_corrected.reason, event.finding_withdrawn.reason)
    finding = finding_of(event)
    if finding is not None:
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


def _of_place(place: goods_pb2.Place) -> tuple[str, str, str]:
    return place.unlocode, place.customs_office, place.name
