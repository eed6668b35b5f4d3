"""Gives records as they stand: from rows of the tables to serialised HistoryRecords, with what was added to them.

Owns the form in which a found record is handed on, and that one which can't be read holds up no other. Doesn't own
which records are found (services.history_search) or what a partner may see of them (services.history_answer).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from gateway.errors import MalformedError
from gateway.store import shipments
from gateway.store.shipments import LogRow, StandingRow
from gateway.v1 import history_pb2, history_service_pb2, shipment_pb2
from gateway.wire import shipment_keys as keys_wire
from gateway.wire import shipments as wire
from gateway.wire.history import answer_records, parse_record, parse_records, stored_record
from gateway.wire.limits import MAX_RECORD_BYTES

_FRAME_BYTES = 64 * 1024
"""Bytes of a record beside its shipment at most: names that were found, and what is withheld."""

_NO_NAMES: Mapping[int, history_pb2.NameMatch] = {}

log = logging.getLogger(__name__)


def encoded(
    conn: Connection,
    node: str,
    rows: Sequence[StandingRow],
    positions: Mapping[str, Sequence[int]],
    *,
    mets: Sequence[Sequence[int]] = (),
    names: Mapping[int, history_pb2.NameMatch] = _NO_NAMES,
) -> list[bytes]:
    """Records as they stand, serialised; one that was erased meanwhile is left out.

    Args:
        conn: to read what was added.
        node: whose records they are.
        rows: the records.
        positions: those of everything that was recorded of records with additions.
        mets: which criteria each record meets, where there are several.
        names: those that were asked for.
    """
    found = []
    for at, row in enumerate(rows):
        if not row.content:
            continue
        record = stored_record(
            node,
            revision=row.revision,
            position=row.position,
            recorded_at_ms=row.recorded_at,
            shipment=row.content,
            matched_revision=row.matched_revision if row.matched_revision != row.revision else 0,
            met=mets[at] if mets else (),
        )
        if row.additions or names:
            logged = shipments.log_rows(conn, positions.get(row.record_id, ()))
            additions = list(additions_in(one for _, one in sorted(logged.items())))
            record = _completed(record, additions, names)
        found.append(record)
    return found


def readable(records: Sequence[bytes]) -> history_service_pb2.SearchShipmentsResponse:
    """Serialised records as a message to own systems, without those that somebody's change has made unreadable."""
    try:
        return parse_records(answer_records(records))
    except MalformedError:
        response = history_service_pb2.SearchShipmentsResponse(records=history_service_pb2.HistoryRecords())
        if len(records) == 1:
            log.error("a record can't be read and isn't shown; see `gateway verify`")
            return response
        for one in records:
            response.records.MergeFrom(readable([one]).records)
        return response


def _completed(
    encoded: bytes, additions: Sequence[shipment_pb2.ShipmentAddition], names: Mapping[int, history_pb2.NameMatch]
) -> bytes:
    """A record with what was added to it, and with the names by which it was found; as it is if it can't be read."""
    try:
        record = parse_record(encoded)
    except MalformedError:
        return encoded
    left_out = len(additions) - (fitting := _fitting(record, additions))
    wire.merged(record.shipment, additions[left_out:])
    if left_out:
        why = f"the first {left_out} of {left_out + fitting} additions to this record are too much for one message"
        record.withheld.add(path="events", reason=why)
    if names:
        keys = {keys_wire.name_key(text) for text in keys_wire.names_of(record.shipment)}
        record.name_matches.extend(names[key] for key in sorted(keys & names.keys()))
    return record.SerializeToString()


def _fitting(record: history_pb2.HistoryRecord, additions: Sequence[shipment_pb2.ShipmentAddition]) -> int:
    """How many additions, from the newest back, a record takes before it is too large to be sent."""
    room = MAX_RECORD_BYTES - _FRAME_BYTES - record.ByteSize()
    for count, addition in enumerate(reversed(additions)):
        room -= addition.ByteSize()
        if room < 0:
            return count
    return len(additions)


def additions_in(items: Iterable[LogRow]) -> Iterator[shipment_pb2.ShipmentAddition]:
    """What was added to records among some items, in their order; what can't be read is left out."""
    for logged in items:
        if logged.kind == wire.ADDITION and logged.content:
            item = wire.readable(logged.kind, logged.content)
            if isinstance(item, shipment_pb2.ShipmentAddition):
                yield item
