"""Index keys of shipments and search criteria: equal values have equal keys.

A key is a 62-bit hash: among a hundred million a false match has a chance of 1 in 10¹⁰.

A key is of its value and of the disclosure classes of the fields that the value stands in. Who may not have a class
searches without the keys of that class, so that a field that isn't shown finds no record either, whichever criterion
names its value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from typing import NamedTuple

from google.protobuf.descriptor import Descriptor

from gateway.contract.disclosure_classes import ALL_CLASSES, classes_on
from gateway.contract.identification.code_lists import normalise_code
from gateway.contract.identification.lookalikes import letters_as_seen
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2

CODE_DIGITS = (4, 6, 8, 10)
"""Indexed code lengths; longer codes are found by ten digits."""

_RECORD, _CONTAINER, _SEAL, _REGISTRATION, _VESSEL, _JOURNEY, _VOYAGE = "r", "c", "s", "m", "v", "j", "y"
_IDENTIFIER, _SCHEMED, _NAME, _CODE, _SUBSTANCE, _PLACE, _REFERENCE = "i", "h", "n", "g", "e", "p", "d"
"""What a criterion looks for; with the classes of a field it is the kind of that field's keys."""

_ANY = goods_pb2.SHIPMENT_REFERENCE_KIND_UNSPECIFIED
"""Kind of every reference, for searches without one."""

_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
"""Characters that show nothing themselves: joiners, marks of direction, variation selectors."""

_OTHER_ASCII = re.compile("[^0-9A-Z]+")

KeySets = list[list[int]]
"""Criteria: at least one key of each list must match; an empty list matches nothing."""

_KINDS: dict[str, dict[str, frozenset[str]]] = {}
"""By what is looked for: its kinds of keys, each with the classes that it needs."""


def _kind(target: str, *paths: str, of: Descriptor = shipment_pb2.Shipment.DESCRIPTOR) -> str:
    """The kind of keys that are made of these fields."""
    classes = frozenset[str]().union(*(classes_on(of, path) for path in paths))
    kind = ":".join([target, *sorted(classes)])
    _KINDS.setdefault(target, {})[kind] = classes
    return kind


class _PlaceKinds(NamedTuple):
    unlocode: str
    customs_office: str
    territory: str

    @classmethod
    def of(cls, path: str, of: Descriptor = shipment_pb2.Shipment.DESCRIPTOR) -> _PlaceKinds:
        return cls(*(_kind(_PLACE, f"{path}.{name}", of=of) for name in cls._fields))


class _MeansKinds(NamedTuple):
    registration: str
    vessel: str
    journey: str
    voyage: str

    @classmethod
    def of(cls, path: str) -> _MeansKinds:
        name, journey = f"{path}.name", f"{path}.journey"
        return cls(
            _kind(_REGISTRATION, f"{path}.registrations.value"),
            _kind(_VESSEL, name),
            _kind(_JOURNEY, journey),
            _kind(_VOYAGE, name, journey),
        )


class _EventKinds(NamedTuple):
    place: _PlaceKinds
    seal: str
    container: str
    registration: str

    @classmethod
    def of(cls, message: Descriptor) -> _EventKinds:
        return cls(
            _PlaceKinds.of("events.place", message),
            _kind(_SEAL, "events.seal", of=message),
            _kind(_CONTAINER, "events.equipment_id", of=message),
            _kind(_REGISTRATION, "events.means", of=message),
        )


def _reference_kinds(path: str) -> Mapping[int, str]:
    return {kind: _kind(f"{_REFERENCE}{kind}", path) for kind in goods_pb2.ShipmentReferenceKind.values()}


_ADDITION = shipment_pb2.ShipmentAddition.DESCRIPTOR
_REFERENCES, _LICENCES = _reference_kinds("references.value"), _reference_kinds("licences.number")
_ANY_REFERENCE = _REFERENCES[_ANY]
_EQUIPMENT, _SEALS, _LOCKS = (
    _kind(_CONTAINER, "equipment.id"),
    _kind(_SEAL, "equipment.seals"),
    _kind(_SEAL, "equipment.e_lock"),
)
_MEANS, _LEG_MEANS = _MeansKinds.of("means"), _MeansKinds.of("route.means")
_IDENTIFIERS = _kind(_IDENTIFIER, "parties.identifiers.value")
_SCHEMED_IDENTIFIERS = _kind(_SCHEMED, "parties.identifiers.scheme", "parties.identifiers.value")
_NAMES = _kind(_NAME, "parties.names.text")
_CODES, _ELEMENTS, _SUBSTANCES = (
    _kind(_CODE, "goods.codes.code"),
    _kind(_SUBSTANCE, "goods.element"),
    _kind(_SUBSTANCE, "goods.substance"),
)
_OFFICE, _LEG_FROM, _LEG_TO = (_PlaceKinds.of(path) for path in ("office", "route.from", "route.to"))
_EXPORT, _DESTINATION = _kind(_PLACE, "export_territory"), _kind(_PLACE, "destination_territory")
_INSPECTION, _ADDED_INSPECTION = _PlaceKinds.of("inspections.place"), _PlaceKinds.of("inspections.place", _ADDITION)
_EVENT, _ADDED_EVENT = _EventKinds.of(shipment_pb2.Shipment.DESCRIPTOR), _EventKinds.of(_ADDITION)
_RECORDS, _RECORDS_WITH_EVENTS, _RECORDS_INSPECTED = (
    _kind(_RECORD, "record_id"),
    _kind(_RECORD, "record_id", "events", of=_ADDITION),
    _kind(_RECORD, "record_id", "inspections", of=_ADDITION),
)


@lru_cache(maxsize=256)
def _kinds(target: str, classes: frozenset[str]) -> tuple[str, ...]:
    """The kinds of keys that may be searched by somebody who may have these classes."""
    return tuple(kind for kind, needed in _KINDS.get(target, {}).items() if needed <= classes)


def record_key(record_id: str) -> int:
    """Key of a record id, unchanged, in a shipment."""
    return _digest(_RECORDS, record_id)


def record_keys(record_id: str, classes: Collection[str] = ALL_CLASSES) -> list[int]:
    """Keys of a record id in shipments and additions that show something of these classes."""
    return [_hashed(kind, record_id) for kind in _kinds(_RECORD, frozenset(classes))]


def name_key(text: str) -> int:
    """Key of a party's name, regardless of case, width and spaces."""
    return _hashed(_NAMES, clean_name(text))


def finds_names(classes: Collection[str]) -> bool:
    """Whether somebody who may have these classes may search by a party's name."""
    return bool(_kinds(_NAME, frozenset(classes)))


def clean_name(text: str) -> str:
    """Normalises a name: NFKC, as it looks, case folded, single spaces; without characters that don't show."""
    return " ".join(_as_seen(text).casefold().split())


def _as_seen(text: str) -> str:
    """NFKC, with look-alike letters in one script, and without characters that don't show."""
    if text.isascii():
        return text
    return letters_as_seen(unicodedata.normalize("NFKC", _UNSEEN.sub("", text)))


def keys_of(shipment: shipment_pb2.Shipment) -> set[int]:
    """All keys of a shipment, including its record's."""
    return keys_and_names_of(shipment)[0]


def keys_and_names_of(shipment: shipment_pb2.Shipment) -> tuple[set[int], dict[int, str]]:
    """All keys of a shipment, including its record's, and the names of its parties, as written, by key."""
    keys, names = {record_key(shipment.record_id)}, dict[int, str]()
    _add_numbers(keys, shipment)
    for means in shipment.means:
        keys.update(_means_keys(means.SerializeToString(), _MEANS))
    for serialised in map(party_pb2.Party.SerializeToString, shipment.parties):
        party = _party(serialised)
        keys.update(party.keys)
        names.update(party.names)
    for goods in shipment.goods:
        _add_goods(keys, goods)
    _add_way(keys, shipment)
    if shipment.events:
        keys.update(_event_keys(shipment.events, _EVENT))
    for inspection in shipment.inspections:
        keys.update(_place_keys(inspection.place.SerializeToString(), _INSPECTION))
    return keys, names


def keys_of_addition(addition: shipment_pb2.ShipmentAddition) -> set[int]:
    """All keys of an addition, including its record's."""
    kind = _RECORDS_WITH_EVENTS if addition.events else _RECORDS_INSPECTED
    keys = {_hashed(kind, addition.record_id), *_event_keys(addition.events, _ADDED_EVENT)}
    for inspection in addition.inspections:
        keys.update(_place_keys(inspection.place.SerializeToString(), _ADDED_INSPECTION))
    return keys


def names_of(shipment: shipment_pb2.Shipment) -> set[str]:
    """Names of all parties, as written."""
    return {name for party in shipment.parties for _, name in _party(party.SerializeToString()).names}


def _add_numbers(keys: set[int], shipment: shipment_pb2.Shipment) -> None:
    """Adds keys of references, containers and seals, which differ from record to record: no cache."""
    for reference in shipment.references:
        value = _compact(reference.value)
        keys.add(_digest(_REFERENCES.get(reference.kind, _ANY_REFERENCE), value))  # a newer kind is found as any
        keys.add(_digest(_ANY_REFERENCE, value))
    for licence in shipment.licences:
        keys.add(_reference(_LICENCES, goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE, licence.number))
        keys.add(_reference(_LICENCES, _ANY, licence.number))
    for equipment in shipment.equipment:
        keys.add(_digest(_EQUIPMENT, _compact(equipment.id)))
        for seal in equipment.seals:
            keys.add(_digest(_SEALS, _compact(seal)))
        if equipment.e_lock:
            keys.add(_digest(_LOCKS, _compact(equipment.e_lock)))


class _Party(NamedTuple):
    """A party's keys, and its names with the key of each."""

    keys: tuple[int, ...]
    names: tuple[tuple[int, str], ...]


@lru_cache(maxsize=16_384)
def _party(serialised: bytes) -> _Party:
    """A party's keys and names: the same parties trade again and again, and so do places and vehicles."""
    party = party_pb2.Party.FromString(serialised)
    keys: list[int] = []
    for identifier in party.identifiers:
        keys.append(_hashed(_IDENTIFIERS, _compact(identifier.value)))
        keys.append(_hashed(_SCHEMED_IDENTIFIERS, _schemed(identifier.scheme, identifier.value)))
    names = tuple((name_key(name.text), name.text) for name in party.names)
    return _Party((*keys, *(key for key, _ in names)), names)


def _add_way(keys: set[int], shipment: shipment_pb2.Shipment) -> None:
    keys.update(_place_keys(shipment.office.SerializeToString(), _OFFICE))
    for leg in shipment.route:
        keys.update(_place_keys(getattr(leg, "from").SerializeToString(), _LEG_FROM))
        keys.update(_place_keys(leg.to.SerializeToString(), _LEG_TO))
        if leg.HasField("means"):
            keys.update(_means_keys(leg.means.SerializeToString(), _LEG_MEANS))
    if shipment.export_territory:
        keys.add(_hashed(_EXPORT, shipment.export_territory))
    if shipment.destination_territory:
        keys.add(_hashed(_DESTINATION, shipment.destination_territory))


def _event_keys(events: Sequence[shipment_pb2.ShipmentEvent], kinds: _EventKinds) -> Iterator[int]:
    for event in events:
        yield from _place_keys(event.place.SerializeToString(), kinds.place)
        if event.seal:
            yield _hashed(kinds.seal, _compact(event.seal))
        if event.equipment_id:
            yield _hashed(kinds.container, _compact(event.equipment_id))
        if event.means:
            yield _hashed(kinds.registration, _registration(event.means))


@lru_cache(maxsize=16_384)
def _means_keys(serialised: bytes, kinds: _MeansKinds) -> tuple[int, ...]:
    means = goods_pb2.TransportMeans.FromString(serialised)
    keys = [_hashed(kinds.registration, _registration(registration.value)) for registration in means.registrations]
    if means.name:
        keys.append(_hashed(kinds.vessel, clean_name(means.name)))
    if means.journey:
        keys.append(_hashed(kinds.journey, _compact(means.journey)))
        if means.name:
            keys.append(_hashed(kinds.voyage, _voyage(means.name, means.journey)))
    return tuple(keys)


def _add_goods(keys: set[int], goods: shipment_pb2.ShipmentGoods) -> None:
    for code in goods.codes:
        keys.update(_code_keys(code.code))
    if goods.element:
        keys.add(_hashed(_ELEMENTS, goods.element.casefold()))
    if goods.substance:
        keys.add(_hashed(_SUBSTANCES, clean_name(goods.substance)))


@lru_cache(maxsize=16_384)
def _code_keys(code: str) -> tuple[int, ...]:
    return tuple(_hashed(_CODES, code[:digits]) for digits in CODE_DIGITS if len(code) >= digits)


@lru_cache(maxsize=16_384)
def _place_keys(serialised: bytes, kinds: _PlaceKinds) -> tuple[int, ...]:
    place = goods_pb2.Place.FromString(serialised)
    values = (place.unlocode, place.customs_office, place.territory)
    return tuple(_hashed(kind, value.upper()) for kind, value in zip(kinds, values, strict=True) if value)


def key_sets(
    criteria: history_pb2.SearchCriteria,
    *,
    classes: Collection[str] = ALL_CLASSES,
    substance_codes: Sequence[Sequence[str]] = (),
) -> KeySets:
    """Keys of a search without party names, most selective sets first.

    Args:
        classes: disclosure classes that the searcher may have; keys of other classes are left out.
        substance_codes: by substance of the criteria, codes in the controlled goods list.
    """
    sets = [
        [(_RECORD, value) for value in criteria.record_ids],
        [(f"{_REFERENCE}{reference.kind}", _compact(reference.value)) for reference in criteria.references],
        [(_CONTAINER, _compact(value)) for value in criteria.containers],
        [(_SEAL, _compact(value)) for value in criteria.seals],
        [(_REGISTRATION, _registration(value)) for value in criteria.registrations],
        [_identifier(identifier) for identifier in criteria.party_identifiers],
        list(_means(criteria.vessel, criteria.journey)),
        [(_CODE, normalise_prefix(code)) for code in criteria.commodity_codes],
        [
            key
            for substance, codes in _with_codes(criteria.substances, substance_codes)
            for key in _substance(substance, codes)
        ],
        [(_PLACE, value.upper()) for value in criteria.places],
    ]
    allowed = frozenset(classes)
    return [
        list(dict.fromkeys(_hashed(kind, value) for target, value in values for kind in _kinds(target, allowed)))
        for values in sets
        if values
    ]


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


def _substance(text: str, codes: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield _SUBSTANCE, clean_name(text)
    for code in codes:
        yield _CODE, normalise_prefix(code)


def _identifier(identifier: history_pb2.SearchIdentifier) -> tuple[str, str]:
    """An identifier; an empty scheme means any."""
    if identifier.scheme:
        return _SCHEMED, _schemed(identifier.scheme, identifier.value)
    return _IDENTIFIER, _compact(identifier.value)


def _means(vessel: str, journey: str) -> Iterator[tuple[str, str]]:
    """A vessel, a journey, or that vessel's voyage."""
    if vessel and journey:
        yield _VOYAGE, _voyage(vessel, journey)
    elif journey:
        yield _JOURNEY, _compact(journey)
    elif vessel:
        yield _VESSEL, clean_name(vessel)


def _schemed(scheme: str, value: str) -> str:
    return f"{scheme}\x00{_compact(value)}"


def _voyage(vessel: str, journey: str) -> str:
    return f"{clean_name(vessel)}\x00{_compact(journey)}"


def _reference(kinds: Mapping[int, str], kind: int, value: str) -> int:
    # A kind of a newer contract is found as any.
    return _hashed(kinds.get(kind, kinds[_ANY]), _compact(value))


def _registration(value: str) -> str:
    """Normalises a plate, or a ship's number without IMO."""
    return _compact(value).removeprefix("IMO")


def _compact(value: str) -> str:
    """Keeps letters and digits, upper case, half width, as they look."""
    if not value.isascii():
        return _compact_as_seen(value)
    return value.upper() if value.isalnum() else _OTHER_ASCII.sub("", value.upper())


@lru_cache(maxsize=65_536)
def _compact_as_seen(value: str) -> str:
    return "".join(c for c in _as_seen(value).upper() if c.isalnum())


@lru_cache(maxsize=65_536)
def _hashed(kind: str, value: str) -> int:
    return _digest(kind, value)


def _digest(kind: str, value: str) -> int:
    of = _begun(kind).copy()  # half the time of a new one
    of.update(value.encode())
    return int.from_bytes(of.digest()) >> 2


@cache
def _begun(kind: str) -> blake2b:
    return blake2b(f"{kind}\x00".encode(), digest_size=8)
