"""Extracts screening subjects from alerts and shipments, without loading the name vocabularies."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from gateway.contract.identification.identifiers import Scheme, check_identifier
from gateway.v1 import alert_pb2, goods_pb2, party_pb2, screening_pb2, shipment_pb2

Subject = screening_pb2.ScreeningSubject


def subjects_of(content: alert_pb2.AlertContent) -> dict[str, Subject]:
    """An alert's subjects by path; without references, so not remembered."""
    subject = content.subject
    return {
        **dict(_parties(subject.parties, "subject.parties")),
        **dict(_equipment(subject.equipment, "subject.equipment")),
        **dict(_means(subject.means, "subject.means")),
        **dict(_goods(content.goods, "goods")),
    }


def subjects_of_shipment(shipment: shipment_pb2.Shipment) -> dict[str, Subject]:
    """A shipment's subjects by path, with means of legs and events."""
    things = {
        **dict(_equipment(shipment.equipment, "equipment")),
        **dict(_means(shipment.means, "means")),
    }
    for at, leg in enumerate(shipment.route):
        if leg.HasField("means"):
            things[f"route[{at}].means"] = _of_means(leg.means)
    return {
        **dict(_parties(shipment.parties, "parties")),
        **things,
        **dict(_events(shipment.events, "events", things.values())),
    }


def _events(
    events: Iterable[shipment_pb2.ShipmentEvent], path: str, named: Iterable[Subject]
) -> Iterator[tuple[str, Subject]]:
    """Containers and means that only events name; most repeat the shipment's."""
    known = {_plain(value) for name in named for value in _values(name)}
    for at, event in enumerate(events):
        subject = Subject()
        if _is_new(event.equipment_id, known):
            subject.containers.append(event.equipment_id)
        if _is_new(event.means, known):
            subject.MergeFrom(_of_sighting(event.means))
        if subject.ListFields():
            yield f"{path}[{at}]", subject


def _is_new(value: str, known: set[str]) -> bool:
    plain = _plain(value)
    if not plain or plain in known:
        return False
    known.add(plain)
    return True


def _values(subject: Subject) -> Iterator[str]:
    yield from (*subject.containers, *subject.vehicles, *subject.vessels)
    yield from (identifier.value for identifier in subject.identifiers)


def _plain(value: str) -> str:
    """Letters and digits, upper case, half width; a ship's number without prefix."""
    text = "".join(char for char in unicodedata.normalize("NFKC", value).upper() if char.isalnum())
    return text.removeprefix("IMO")


def _of_sighting(means: str) -> Subject:
    """An event doesn't distinguish plate and vessel, so both are queried."""
    is_number = check_identifier(Scheme.IMO_SHIP, means) is None
    return Subject(
        vehicles=[means],
        vessels=[means],
        identifiers=[party_pb2.Identifier(scheme=Scheme.IMO_SHIP.value, value=means)] if is_number else [],
    )


def _parties(parties: Iterable[party_pb2.Party], path: str) -> Iterator[tuple[str, Subject]]:
    for at, party in enumerate(parties):
        yield (
            f"{path}[{at}]",
            Subject(names=party.names, identifiers=party.identifiers, addresses=party.addresses),
        )


def _equipment(equipment: Iterable[goods_pb2.Equipment], path: str) -> Iterator[tuple[str, Subject]]:
    for at, one in enumerate(equipment):
        yield f"{path}[{at}]", Subject(containers=[one.id])


def _goods(goods: Iterable[goods_pb2.GoodsItem], path: str) -> Iterator[tuple[str, Subject]]:
    for at, one in enumerate(goods):
        if one.declared_codes or one.suspected_codes:
            yield f"{path}[{at}]", Subject(commodities=[*one.declared_codes, *one.suspected_codes])


def _means(means: Iterable[goods_pb2.TransportMeans], path: str) -> Iterator[tuple[str, Subject]]:
    for at, one in enumerate(means):
        yield f"{path}[{at}]", _of_means(one)


def _of_means(means: goods_pb2.TransportMeans) -> Subject:
    return Subject(
        identifiers=[
            party_pb2.Identifier(scheme=registration.scheme, value=registration.value)
            for registration in means.registrations
        ],
        vehicles=[registration.value for registration in means.registrations if registration.scheme.endswith("plate")],
        vessels=[means.name] if means.name else [],
    )
