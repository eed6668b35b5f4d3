"""Helpers for the contract's messages."""

from __future__ import annotations

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gateway.v1 import shipment_pb2

RecordedItem = shipment_pb2.Shipment | shipment_pb2.ShipmentAddition
"""An item of a node's record log."""


def is_set(message: Message, field: FieldDescriptor) -> bool:
    """Whether a field is set; without presence, not its default."""
    return message.HasField(field.name) if field.has_presence else bool(getattr(message, field.name))
