"""The numbers by which answers are proven complete: references, containers, seals, registrations, party identifiers.

References count whatever their kind, and identifiers whatever their scheme: a question that names one is proven by a
list that has those of other kinds too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.messages import RecordedItem
from gateway.v1 import history_pb2, shipment_pb2

MOST_NUMBERS = 32
"""Most numbers, under all their keys, that one answer is proven for: a proof costs both sides a millisecond or two."""

_NUMBERS = frozenset({"references", "containers", "seals", "registrations", "party_identifiers"})


def provable_keys_of(item: RecordedItem) -> set[int]:
    """The keys of a recorded item under which the tree lists its record."""
    if isinstance(item, shipment_pb2.ShipmentAddition):
        keys, numbers = keys_wire.keys_of_addition(item), history_pb2.SearchCriteria()
    else:
        keys, numbers = keys_wire.keys_of(item), _numbers_of(item)
    for event in item.events:
        numbers.seals.append(event.seal)
        numbers.containers.append(event.equipment_id)
        numbers.registrations.append(event.means)
    return keys & {key for key_set in keys_wire.key_sets(numbers) for key in key_set}


def provable_keys(criteria: Iterable[history_pb2.SearchCriteria], classes: Collection[str]) -> list[int]:
    """The keys whose lists have everything that any of these criteria finds, for a searcher with these classes.

    Empty where there are no such lists: criteria that aren't numbers, or that must hold together; and of too many.
    """
    keys: dict[int, None] = {}
    for one in criteria:
        named = {field.name for field, _ in one.ListFields()}
        if len(named) != 1 or not named <= _NUMBERS:
            return []
        keys |= dict.fromkeys(key for key_set in keys_wire.key_sets(_any_kind(one), classes=classes) for key in key_set)
    return list(keys) if len(keys) <= MOST_NUMBERS else []


def _any_kind(criteria: history_pb2.SearchCriteria) -> history_pb2.SearchCriteria:
    widened = history_pb2.SearchCriteria()
    widened.CopyFrom(criteria)
    for reference in widened.references:
        reference.ClearField("kind")
    for identifier in widened.party_identifiers:
        identifier.ClearField("scheme")
    return widened


def _numbers_of(shipment: shipment_pb2.Shipment) -> history_pb2.SearchCriteria:
    numbers = history_pb2.SearchCriteria()
    for value in (*(each.value for each in shipment.references), *(each.number for each in shipment.licences)):
        numbers.references.add(value=value)
    for equipment in shipment.equipment:
        numbers.containers.append(equipment.id)
        numbers.seals.extend((*equipment.seals, equipment.e_lock))
    for party in shipment.parties:
        for identifier in party.identifiers:
            numbers.party_identifiers.add(value=identifier.value)
    numbers.registrations.extend(_registrations(shipment))
    return numbers


def _registrations(shipment: shipment_pb2.Shipment) -> Iterator[str]:
    for means in (*shipment.means, *(leg.means for leg in shipment.route)):
        for registration in means.registrations:
            yield registration.value
