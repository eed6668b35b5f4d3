"""What an alert or a shipment names, as subjects of a screening. Owns which of their fields are screened.

Apart from wire.screening, which loads the vocabularies of names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.v1 import alert_pb2, goods_pb2, party_pb2, screening_pb2, shipment_pb2

Subject = screening_pb2.ScreeningSubject


def subjects_of(content: alert_pb2.AlertContent) -> dict[str, Subject]:
    """What an alert names, to be screened, by its path in the content; without references, so not to be remembered."""
    subject = content.subject
    return {
        **dict(_parties(subject.parties, "subject.parties")),
        **dict(_equipment(subject.equipment, "subject.equipment")),
        **dict(_means(subject.means, "subject.means")),
        **dict(_goods(content.goods, "goods")),
    }


def subjects_of_shipment(shipment: shipment_pb2.Shipment) -> dict[str, Subject]:
    """The same of a shipment, by its path in it; means of its legs as well."""
    found = {
        **dict(_parties(shipment.parties, "parties")),
        **dict(_equipment(shipment.equipment, "equipment")),
        **dict(_means(shipment.means, "means")),
    }
    for at, leg in enumerate(shipment.route):
        if leg.HasField("means"):
            found[f"route[{at}].means"] = _of_means(leg.means)
    return found


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
        identifiers=[party_pb2.Identifier(scheme=one.scheme, value=one.value) for one in means.registrations],
        vehicles=[one.value for one in means.registrations if one.scheme.endswith("plate")],
        vessels=[means.name] if means.name else [],
    )
