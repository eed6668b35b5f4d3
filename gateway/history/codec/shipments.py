"""Reads, writes and merges recorded items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, MutableSequence, Sequence
from hashlib import sha256

from google.protobuf.message import DecodeError, Message

from gateway.contract.messages import RecordedItem
from gateway.contract.validation import violations
from gateway.errors import MalformedError, Violation
from gateway.v1 import history_service_pb2, record_log_pb2, shipment_pb2

LOG_TYPE = "RecordLogEvent"
"""EntryHeader.type of entries in the log of records."""

SHIPMENT, ADDITION = 0, 1
"""Stored kinds of items."""


def item_of(item: history_service_pb2.RecordItem) -> RecordedItem:
    """The shipment or addition in an item."""
    return item.addition if item.WhichOneof("item") == "addition" else item.shipment


def release_list(item: RecordedItem) -> tuple[str, ...] | None:
    """Partners to whom a record may be released; None: as the agreements say, or an addition."""
    if isinstance(item, shipment_pb2.Shipment) and item.HasField("releasable_to"):
        return tuple(item.releasable_to.nodes)
    return None


def faults_of(item: history_service_pb2.RecordItem) -> list[Violation]:
    """Violations of the contract."""
    return violations(item)


def kind_of(item: RecordedItem) -> int:
    """The stored kind."""
    return ADDITION if isinstance(item, shipment_pb2.ShipmentAddition) else SHIPMENT


def parse_item(kind: int, payload: bytes) -> RecordedItem:
    """A stored item.

    Raises:
        MalformedError: no item.
    """
    try:
        if kind == ADDITION:
            return shipment_pb2.ShipmentAddition.FromString(payload)
        return shipment_pb2.Shipment.FromString(payload)
    except DecodeError as error:
        raise MalformedError("a recorded item can't be read") from error


def readable(kind: int, payload: bytes) -> RecordedItem | None:
    """A stored item; None if its bytes were changed (`gateway verify` reports it)."""
    try:
        return parse_item(kind, payload)
    except MalformedError:
        return None


def parse_log_event(payload: bytes) -> record_log_pb2.RecordLogEvent:
    """An entry's payload.

    Raises:
        MalformedError: no event.
    """
    try:
        return record_log_pb2.RecordLogEvent.FromString(payload)
    except DecodeError as error:
        raise MalformedError("an entry of the log of records can't be read") from error


def salted_digest(salt: bytes, content: bytes) -> bytes:
    """SHA-256(salt ‖ content), as in the log of records."""
    return sha256(salt + content).digest()


def merged(shipment: shipment_pb2.Shipment, additions: Iterable[shipment_pb2.ShipmentAddition]) -> None:
    """Merges additions into a shipment without duplicates, sorted by time."""
    for addition in additions:
        _merge(shipment.events, addition.events)
        _take_out(shipment.inspections, addition.withdrawn_inspections)
        _merge(shipment.inspections, addition.inspections)
    shipment.events.sort(key=lambda event: (event.occurred_at.seconds, event.occurred_at.nanos))
    shipment.inspections.sort(key=lambda item: (item.inspected_at.seconds, item.inspected_at.nanos))


def _take_out(of: MutableSequence[shipment_pb2.ShipmentInspection], gone: Collection[Message]) -> None:
    if gone:
        kept = [item for item in of if item not in gone]
        del of[:]
        of.extend(kept)


def _merge(into: Sequence[Message], more: Iterable[Message]) -> None:
    known = {item.SerializeToString(deterministic=True) for item in into}
    for item in more:
        text = item.SerializeToString(deterministic=True)
        if text not in known:
            known.add(text)
            into.append(item)  # type: ignore[attr-defined]  # a repeated field
