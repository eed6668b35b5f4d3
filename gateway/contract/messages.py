"""Messages of the contract: what one says, and the two that record a shipment."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gateway.v1 import shipment_pb2

RecordedItem = shipment_pb2.Shipment | shipment_pb2.ShipmentAddition
"""One item of a node's log of records."""


def is_set(message: Message, field: FieldDescriptor) -> bool:
    """Whether a message says anything in a field; a field without presence says nothing by its default."""
    return message.HasField(field.name) if field.has_presence else bool(getattr(message, field.name))
