"""Reads shipments from JSON lines, each a Shipment or ShipmentAddition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from gateway.contract.messages import RecordedItem
from gateway.errors import MalformedError
from gateway.formats.json_messages import parse_object, read_message
from gateway.formats.shipments.rows import BadRecord, ItemRow, Row, finish
from gateway.formats.tables.layout import Problem
from gateway.formats.tables.lines import decoded, numbered_lines
from gateway.v1 import shipment_pb2

_OF_ADDITION = frozenset(
    {"recordId", "record_id", "events", "inspections", "withdrawnInspections", "withdrawn_inspections"}
)


def read_json_lines(stream: BinaryIO) -> Iterator[Row]:
    """Items in order.

    An object with the one member `shipment` or `addition`, as `gateway history show --json` prints, is unwrapped.
    """
    for number, line in numbered_lines(stream):
        if line is None or line.strip():
            yield _row(number, line)


def _row(number: int, line: bytes | None) -> ItemRow | BadRecord:
    record_id = ""
    try:
        document = _unwrapped(parse_object(decoded(line), example='{"record_id": "A-1", "procedure": …}'))
        name = document.get("record_id", document.get("recordId", ""))
        record_id = name[:64] if isinstance(name, str) else ""
        item = _item(document)
    except MalformedError as error:
        return BadRecord(number, record_id, 1, (Problem(number, "", error.message),))
    return finish(number, item, lambda violation, _: (number, violation.field))


def _unwrapped(document: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("shipment", "addition"):
        if len(document) == 1 and isinstance(document.get(name), dict):
            inner: Mapping[str, Any] = document[name]
            return inner
    return document


def _item(document: Mapping[str, Any]) -> RecordedItem:
    if document.keys() <= _OF_ADDITION:
        return read_message(document, shipment_pb2.ShipmentAddition)
    return read_message(document, shipment_pb2.Shipment)
