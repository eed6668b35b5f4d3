"""Finds the parties and things that shipments, alerts and entries of lists name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

from gateway.link_analysis.rules.things import CONTAINER_SCHEME, Mention, Space
from gateway.v1 import alert_pb2, goods_pb2, party_pb2, shipment_pb2, watchlist_pb2

MAX_MENTIONS = 200
"""Most that are looked at in one record: a groupage container has many, and they connect everything."""

_WATER = (goods_pb2.TRANSPORT_MODE_SEA, goods_pb2.TRANSPORT_MODE_INLAND_WATER)
_SHIP_SCHEMES = frozenset({"imo_ship", "mmsi"})
_PLATE = "plate"
_ROLE = "PARTY_ROLE_"

_LISTED: dict[watchlist_pb2.WatchlistKind.ValueType, Space] = {
    watchlist_pb2.WATCHLIST_KIND_ORGANISATION: Space.PARTY,
    watchlist_pb2.WATCHLIST_KIND_PERSON: Space.PARTY,
    watchlist_pb2.WATCHLIST_KIND_VESSEL: Space.VESSEL,
    watchlist_pb2.WATCHLIST_KIND_VEHICLE: Space.VEHICLE,
    watchlist_pb2.WATCHLIST_KIND_CONTAINER: Space.CONTAINER,
}


def of_shipment(shipment: shipment_pb2.Shipment) -> list[Mention]:
    """What a shipment names, with the means of its legs and what its events alone name."""
    mentions = [
        *_parties(shipment.parties, "parties"),
        *_equipment(shipment.equipment, "equipment"),
        *_all_means(shipment.means, "means"),
    ]
    for at, leg in enumerate(shipment.route):
        mentions += _means(leg.means, f"route[{at}].means")
    for at, event in enumerate(shipment.events):
        if event.equipment_id:
            mentions.append(_container(event.equipment_id, f"events[{at}].equipment_id"))
    return once(mentions)


def of_alert(content: alert_pb2.AlertContent) -> list[Mention]:
    """What an alert names."""
    parts = parts_of_alert(content)
    return once(each for path, at, part in parts for each in of_part(part, path.format(at)))


AlertPart = party_pb2.Party | goods_pb2.Equipment | goods_pb2.TransportMeans


def parts_of_alert(content: alert_pb2.AlertContent) -> Iterator[tuple[str, int, AlertPart]]:
    """What may name something, each with the form of its path and its place in a list."""
    subject = content.subject
    for at, party in enumerate(subject.parties):
        yield "subject.parties[{}]", at, party
    for at, equipment in enumerate(subject.equipment):
        yield "subject.equipment[{}]", at, equipment
    for at, means in enumerate(subject.means):
        yield "subject.means[{}]", at, means
    for at, leg in enumerate(content.route):
        if leg.HasField("means"):
            yield "route[{}].means", at, leg.means


def of_part(part: AlertPart, path: str) -> Iterator[Mention]:
    """What a part names."""
    if isinstance(part, party_pb2.Party):
        return _party(part, path)
    if isinstance(part, goods_pb2.Equipment):
        return iter((_container(part.id, path),))
    return _means(part, path)


def of_entry(content: watchlist_pb2.WatchlistContent) -> list[Mention]:
    """What an entry lists, with its addresses."""
    mentions = list(_addresses(content.addresses, ""))
    space = _LISTED.get(content.kind)
    if space is not None:
        names = tuple(name.text for name in content.names if space in (Space.PARTY, Space.VESSEL))
        numbers = tuple((identifier.scheme, identifier.value) for identifier in content.identifiers)
        mentions.insert(0, Mention(space, names, numbers, "names" if names else "identifiers"))
    return once(mentions)


class Keyed(Protocol):
    """What is compared by its keys."""

    @property
    def keys(self) -> tuple[str, ...]: ...


KeyedT = TypeVar("KeyedT", bound=Keyed)


def once(mentions: Iterable[KeyedT]) -> list[KeyedT]:
    """Mentions that can be compared, those with the same keys once: the first."""
    distinct: dict[tuple[str, ...], KeyedT] = {}
    for mention in mentions:
        keys = mention.keys
        if keys:
            distinct.setdefault(keys, mention)
    return list(islice(distinct.values(), MAX_MENTIONS))


def _parties(parties: Iterable[party_pb2.Party], path: str) -> Iterator[Mention]:
    for at, party in enumerate(parties):
        yield from _party(party, f"{path}[{at}]")


def _party(party: party_pb2.Party, path: str) -> Iterator[Mention]:
    names = tuple(name.text for name in party.names)
    numbers = tuple((identifier.scheme, identifier.value) for identifier in party.identifiers)
    role = party_pb2.PartyRole.Name(party.role).removeprefix(_ROLE).lower() if party.role else ""
    yield Mention(Space.PARTY, names, numbers, path, role)
    yield from addresses_in(party, f"{path}.")


def addresses_in(party: party_pb2.Party, prefix: str) -> Iterator[Mention]:
    """A party's addresses."""
    return _addresses(party.addresses, prefix)


def _addresses(addresses: Iterable[party_pb2.Address], prefix: str) -> Iterator[Mention]:
    for at, address in enumerate(addresses):
        if address.street:  # a city alone connects everybody in it
            text = ", ".join(filter(None, (address.street, address.city, address.territory)))
            yield Mention(Space.ADDRESS, (text,), (), f"{prefix}addresses[{at}]")


def _equipment(equipment: Iterable[goods_pb2.Equipment], path: str) -> Iterator[Mention]:
    for at, one in enumerate(equipment):
        yield _container(one.id, f"{path}[{at}]")


def _container(number: str, field: str) -> Mention:
    return Mention(Space.CONTAINER, (), ((CONTAINER_SCHEME, number),), field)


def _all_means(means: Iterable[goods_pb2.TransportMeans], path: str) -> Iterator[Mention]:
    for at, one in enumerate(means):
        yield from _means(one, f"{path}[{at}]")


def _means(means: goods_pb2.TransportMeans, field: str) -> Iterator[Mention]:
    """A vehicle for each plate set of a lorry; a vessel by name and number. Flights and trains are no things here."""
    numbers = tuple((number.scheme, number.value) for number in means.registrations)
    plates = tuple(number for number in numbers if number[0].endswith(_PLATE))
    if plates or (means.mode == goods_pb2.TRANSPORT_MODE_ROAD and numbers):
        yield Mention(Space.VEHICLE, (), plates or numbers, field)
    elif means.mode in _WATER or any(scheme in _SHIP_SCHEMES for scheme, _ in numbers):
        yield Mention(Space.VESSEL, (means.name,) if means.name else (), numbers, field)
