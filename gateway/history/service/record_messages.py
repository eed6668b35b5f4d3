"""Makes HistoryRecords: each record in its newest revision, with its additions, as far as somebody may have them.

Fields are removed before anything is counted, merged or left out for its size, so that no trace of them stays.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.limits import ANSWER_MESSAGE_BYTES, MAX_RECORD_BYTES
from gateway.contract.messages import to_ms, to_timestamp
from gateway.history.codec import shipments as wire
from gateway.history.tables import shipments
from gateway.history.tables.shipment_search import RecordRow
from gateway.history.tables.shipments import LogRow
from gateway.trust.rules.directory import FieldClass
from gateway.trust.rules.disclosure import redact
from gateway.v1 import history_pb2, history_service_pb2, shipment_pb2

_FRAME_BYTES = 64 * 1024
"""Most bytes of a record beside its shipment."""

_NO_NAMES: Mapping[int, history_pb2.NameMatch] = {}
_NO_TIMES: Mapping[str, int] = {}

log = logging.getLogger(__name__)


class RecordMessages(NamedTuple):
    """Records in messages; `removed` counts fields that the records have and the messages haven't."""

    messages: list[history_service_pb2.SearchShipmentsResponse]
    removed: int


def record_messages(
    conn: Connection,
    node: str,
    rows: Sequence[RecordRow],
    positions: Mapping[str, Sequence[int]],
    *,
    classes: Collection[FieldClass] = frozenset(FieldClass),
    matched: Sequence[Sequence[int]] = (),
    names: Mapping[int, history_pb2.NameMatch] = _NO_NAMES,
    declared: Mapping[str, int] = _NO_TIMES,
    to_partner: bool = False,
) -> RecordMessages:
    """Records in order, without erased and unreadable ones.

    Args:
        positions: of all items of records with additions.
        classes: disclosure classes that the messages may hold.
        declared: by record, when the item was declared by which it was found, milliseconds since 1970.
        to_partner: without the release lists.
        matched: the numbers of each record's matching criteria, where there are several.
    """
    messages: list[history_service_pb2.SearchShipmentsResponse] = []
    room, removed = 0, 0
    for at, row in enumerate(rows):
        if not row.content:
            continue
        if len(row.content) > room:
            messages.append(history_service_pb2.SearchShipmentsResponse())
            room = ANSWER_MESSAGE_BYTES
        records = messages[-1].records.records
        record = _added(records, node, row)
        if record is None:
            continue
        if to_partner:
            record.shipment.ClearField("releasable_to")
        if matched:
            record.met.extend(matched[at])
        declared_at = declared.get(row.record_id)
        if declared_at is not None and declared_at != to_ms(record.shipment.declared_at):
            record.match_declared_at.CopyFrom(to_timestamp(declared_at))
        room -= len(row.content)
        if row.additions or names:
            logged = shipments.log_rows(conn, positions.get(row.record_id, ()))
            additions = list(additions_in(item for _, item in sorted(logged.items())))
            removed += _disclose(record, additions, classes)
            _complete(record, additions, names)
            room -= record.ByteSize() - len(row.content)
            if room < 0 and len(records) > 1:
                messages.append(history_service_pb2.SearchShipmentsResponse())
                messages[-1].records.records.append(record)
                del records[-1]
                record = messages[-1].records.records[0]
                room = ANSWER_MESSAGE_BYTES - record.ByteSize()
        redaction = redact(record.shipment, classes)  # after additions, whose events have fields of their own
        record.withheld.extend(redaction.withheld)
        removed += redaction.removed
    return RecordMessages([message for message in messages if message.records.records], removed)


def records_in(
    messages: Iterable[history_service_pb2.SearchShipmentsResponse],
) -> list[history_pb2.HistoryRecord]:
    """The messages' records."""
    return [record for message in messages for record in message.records.records]


def _disclose(
    record: history_pb2.HistoryRecord,
    additions: list[shipment_pb2.ShipmentAddition],
    classes: Collection[FieldClass],
) -> int:
    """Removes fields before the additions are merged, and additions that have nothing left; returns their number."""
    removed = redact(record.shipment, classes).removed
    removed += sum(redact(addition, classes).removed for addition in additions)
    additions[:] = [
        addition for addition in additions if addition.events or addition.inspections or addition.withdrawn_inspections
    ]
    return removed


def _added(records: Any, node: str, row: RecordRow) -> history_pb2.HistoryRecord | None:
    """Parses a record in place; None if unreadable."""
    record: history_pb2.HistoryRecord = records.add(node=node, revision=row.revision, position=row.position)
    try:
        record.shipment.MergeFromString(row.content)
    except DecodeError:
        log.error("record %s can't be read and isn't shown; see `gateway verify`", row.record_id)
        del records[-1]
        return None
    seconds, ms = divmod(row.recorded_at, 1000)
    record.recorded_at.seconds, record.recorded_at.nanos = seconds, ms * 1_000_000
    if row.matched_revision != row.revision:
        record.matched_revision = row.matched_revision
    return record


def _complete(
    record: history_pb2.HistoryRecord,
    additions: Sequence[shipment_pb2.ShipmentAddition],
    names: Mapping[int, history_pb2.NameMatch],
) -> None:
    left_out = len(additions) - (fitting := _fitting(record, additions))
    wire.merged(record.shipment, additions[left_out:])
    if left_out:
        why = f"the first {left_out} of {left_out + fitting} additions to this record are too much for one message"
        record.withheld.add(path="events", reason=why)
    if names:
        keys = {keys_wire.name_key(text) for text in keys_wire.names_of(record.shipment)}
        record.name_matches.extend(names[key] for key in sorted(keys & names.keys()))


def _fitting(record: history_pb2.HistoryRecord, additions: Sequence[shipment_pb2.ShipmentAddition]) -> int:
    """Number of newest additions that fit into a message."""
    room = MAX_RECORD_BYTES - _FRAME_BYTES - record.ByteSize()
    for count, addition in enumerate(reversed(additions)):
        room -= addition.ByteSize()
        if room < 0:
            return count
    return len(additions)


def additions_in(items: Iterable[LogRow]) -> Iterator[shipment_pb2.ShipmentAddition]:
    """The readable additions."""
    for logged in items:
        if logged.kind == wire.ADDITION and logged.content:
            item = wire.readable(logged.kind, logged.content)
            if isinstance(item, shipment_pb2.ShipmentAddition):
                yield item
