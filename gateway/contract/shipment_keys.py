"""Index keys of shipments and search criteria: equal values have equal keys.

A key is a 62-bit hash: among a hundred million a false match has a chance of 1 in 10¹⁰.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

from gateway.contract.commodity_codes import normalise_code
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2

CODE_DIGITS = (4, 6, 8, 10)
"""Indexed code lengths; longer codes are found by ten digits."""

_RECORD, _CONTAINER, _SEAL, _REGISTRATION, _VESSEL, _JOURNEY, _VOYAGE = "r", "c", "s", "m", "v", "j", "y"
_IDENTIFIER, _SCHEMED, _NAME, _CODE, _SUBSTANCE, _PLACE = "i", "h", "n", "g", "e", "p"
_ANY = goods_pb2.SHIPMENT_REFERENCE_KIND_UNSPECIFIED
"""Kind of every reference, for searches without one."""

KeySets = list[list[int]]
"""Criteria: at least one key of each list must match."""


def record_key(record_id: str) -> int:
    """Key of a record id, unchanged."""
    return _hashed(_RECORD, record_id)


def name_key(text: str) -> int:
    """Key of a party's name, regardless of case, width and spaces."""
    return _hashed(_NAME, clean_name(text))


def clean_name(text: str) -> str:
    """Normalises a name: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def keys_of(shipment: shipment_pb2.Shipment) -> set[int]:
    """All keys of a shipment, including its record's."""
    return {record_key(shipment.record_id), *_own_keys(shipment), *_event_keys(shipment.events)}


def keys_of_addition(addition: shipment_pb2.ShipmentAddition) -> set[int]:
    """All keys of an addition, including its record's."""
    places = (_place_keys(inspection.place) for inspection in addition.inspections)
    return {record_key(addition.record_id), *_event_keys(addition.events), *(key for keys in places for key in keys)}


def names_of(shipment: shipment_pb2.Shipment) -> set[str]:
    """Names of all parties, as written."""
    return {name.text for party in shipment.parties for name in party.names}


def _own_keys(shipment: shipment_pb2.Shipment) -> Iterator[int]:
    for reference in shipment.references:
        yield _reference(reference.kind, reference.value)
        yield _reference(_ANY, reference.value)
    for licence in shipment.licences:
        yield _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE, licence.number)
        yield _reference(_ANY, licence.number)
    for unit in shipment.equipment:
        yield from _equipment_keys(unit)
    for means in shipment.means:
        yield from _means_keys(means)
    yield from _party_keys(shipment.parties)
    for goods in shipment.goods:
        yield from _goods_keys(goods)
    yield from _way_keys(shipment)


def _equipment_keys(equipment: goods_pb2.Equipment) -> Iterator[int]:
    yield _hashed(_CONTAINER, _compact(equipment.id))
    for seal in (*equipment.seals, equipment.e_lock):
        if seal:
            yield _hashed(_SEAL, _compact(seal))


def _party_keys(parties: Iterable[party_pb2.Party]) -> Iterator[int]:
    for party in parties:
        for identifier in party.identifiers:
            yield _hashed(_IDENTIFIER, _compact(identifier.value))
            yield _identifier(identifier.scheme, identifier.value)
        for name in party.names:
            yield name_key(name.text)


def _way_keys(shipment: shipment_pb2.Shipment) -> Iterator[int]:
    yield from _place_keys(shipment.office)
    for leg in shipment.route:
        yield from _place_keys(getattr(leg, "from"))
        yield from _place_keys(leg.to)
        yield from _means_keys(leg.means)
    for territory in (shipment.export_territory, shipment.destination_territory):
        if territory:
            yield _hashed(_PLACE, territory)
    for inspection in shipment.inspections:
        yield from _place_keys(inspection.place)


def _event_keys(events: Sequence[shipment_pb2.ShipmentEvent]) -> Iterator[int]:
    for event in events:
        yield from _place_keys(event.place)
        if event.seal:
            yield _hashed(_SEAL, _compact(event.seal))
        if event.equipment_id:
            yield _hashed(_CONTAINER, _compact(event.equipment_id))
        if event.means:
            yield _hashed(_REGISTRATION, _registration(event.means))


def _means_keys(means: goods_pb2.TransportMeans) -> Iterator[int]:
    for registration in means.registrations:
        yield _hashed(_REGISTRATION, _registration(registration.value))
    if means.name:
        yield _hashed(_VESSEL, clean_name(means.name))
    if means.journey:
        yield _hashed(_JOURNEY, _compact(means.journey))
        if means.name:
            yield _voyage(means.name, means.journey)


def _goods_keys(goods: shipment_pb2.ShipmentGoods) -> Iterator[int]:
    for code in goods.codes:
        for digits in CODE_DIGITS:
            if len(code.code) >= digits:
                yield _hashed(_CODE, code.code[:digits])
    if goods.element:
        yield _hashed(_SUBSTANCE, goods.element.casefold())
    if goods.substance:
        yield _hashed(_SUBSTANCE, clean_name(goods.substance))


def _place_keys(place: goods_pb2.Place) -> Iterator[int]:
    for value in (place.unlocode, place.customs_office, place.territory):
        if value:
            yield _hashed(_PLACE, value.upper())


def key_sets(criteria: history_pb2.SearchCriteria, *, substance_codes: Sequence[Sequence[str]] = ()) -> KeySets:
    """Keys of a search without party names, most selective sets first.

    Args:
        substance_codes: by substance of the criteria, codes in the controlled goods list.
    """
    sets = [
        [record_key(value) for value in criteria.record_ids],
        [_reference(reference.kind, reference.value) for reference in criteria.references],
        [_hashed(_CONTAINER, _compact(value)) for value in criteria.containers],
        [_hashed(_SEAL, _compact(value)) for value in criteria.seals],
        [_hashed(_REGISTRATION, _registration(value)) for value in criteria.registrations],
        [
            _identifier(party_identifier.scheme, party_identifier.value)
            for party_identifier in criteria.party_identifiers
        ],
        list(_means(criteria.vessel, criteria.journey)),
        [_hashed(_CODE, normalise_prefix(code)) for code in criteria.commodity_codes],
        [key for one, codes in _with_codes(criteria.substances, substance_codes) for key in _substance(one, codes)],
        [_hashed(_PLACE, value.upper()) for value in criteria.places],
    ]
    return [list(dict.fromkeys(keys)) for keys in sets if keys]


def is_narrow(criteria: history_pb2.SearchCriteria) -> bool:
    """Whether the criteria have more than place, time and procedure."""
    return bool(
        criteria.record_ids
        or criteria.references
        or criteria.containers
        or criteria.seals
        or criteria.registrations
        or criteria.party_identifiers
        or criteria.party_names
        or criteria.journey
        or criteria.vessel
        or criteria.commodity_codes
        or criteria.substances
    )


def normalise_prefix(code: str) -> str:
    """Cuts a commodity code to an indexed length."""
    return code[:4] if len(code) < 6 else normalise_code(code)[: CODE_DIGITS[-1]]


def _with_codes(substances: Sequence[str], codes: Sequence[Sequence[str]]) -> Iterator[tuple[str, Sequence[str]]]:
    for at, substance in enumerate(substances):
        yield substance, codes[at] if at < len(codes) else ()


def _substance(text: str, codes: Sequence[str]) -> Iterator[int]:
    yield _hashed(_SUBSTANCE, clean_name(text))
    for code in codes:
        yield _hashed(_CODE, normalise_prefix(code))


def _identifier(scheme: str, value: str) -> int:
    """Key of an identifier; an empty scheme means any."""
    return _hashed(_SCHEMED, f"{scheme}\x00{_compact(value)}") if scheme else _hashed(_IDENTIFIER, _compact(value))


def _means(vessel: str, journey: str) -> Iterator[int]:
    """Keys of a vessel, a journey, or that vessel's voyage."""
    if vessel and journey:
        yield _voyage(vessel, journey)
    elif journey:
        yield _hashed(_JOURNEY, _compact(journey))
    elif vessel:
        yield _hashed(_VESSEL, clean_name(vessel))


def _voyage(vessel: str, journey: str) -> int:
    return _hashed(_VOYAGE, f"{clean_name(vessel)}\x00{_compact(journey)}")


def _reference(kind: int, value: str) -> int:
    return _hashed(f"d{kind}", _compact(value))


def _registration(value: str) -> str:
    """Normalises a plate, or a ship's number without IMO."""
    return _compact(value).removeprefix("IMO")


@lru_cache(maxsize=65_536)
def _compact(value: str) -> str:
    """Keeps letters and digits, upper case, half width."""
    if value.isascii() and value.isalnum():
        return value.upper()
    return "".join(c for c in unicodedata.normalize("NFKC", value).upper() if c.isalnum())


@lru_cache(maxsize=262_144)
def _hashed(kind: str, value: str) -> int:
    return int.from_bytes(blake2b(f"{kind}\x00{value}".encode(), digest_size=8).digest()) >> 2
