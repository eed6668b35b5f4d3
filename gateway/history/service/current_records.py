"""Reads the node's records, each in its newest revision with its additions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.history.codec import shipments as wire
from gateway.history.service.record_messages import additions_in
from gateway.history.service.search import positions_of
from gateway.history.tables import shipments
from gateway.history.tables.shipments import LogRow
from gateway.v1 import shipment_pb2


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    """A record's newest revision with additions, and all its items by position."""

    record_id: str
    revision: int
    position: int
    shipment: shipment_pb2.Shipment
    items: Mapping[int, LogRow]


class CurrentShipment(NamedTuple):
    """A record's newest revision with additions, and that revision's position."""

    position: int
    record_id: str
    shipment: shipment_pb2.Shipment


def current_shipments(conn: Connection, logged: Sequence[LogRow]) -> Iterator[CurrentShipment]:
    """The records of indexed items as `current_records` gives them; most have one item, which is there already."""
    single = shipments.single(conn, {row.record_id for row in logged})
    alone = [row for row in logged if row.position in single]
    known = {row.record_id for row in alone}
    others = dict.fromkeys(row.record_id for row in logged if row.record_id not in known)
    for row in alone:
        if (shipment := _shipment(row.content, ())) is not None:
            yield CurrentShipment(row.position, row.record_id, shipment)
    for record in current_records(conn, others) if others else ():
        yield CurrentShipment(record.position, record.record_id, record.shipment)


def current_records(conn: Connection, record_ids: Collection[str]) -> Iterator[CurrentRecord]:
    """Records by id, without unknown and unreadable ones and additions without a record."""
    known = [row for row in shipments.find(conn, list(record_ids)).values() if row.position]
    grown = positions_of(conn, [row.record_id for row in known if row.revision + row.additions > 1])
    positions = {row.record_id: grown.get(row.record_id) or (row.position,) for row in known}
    logged = shipments.log_rows(conn, [position for of_record in positions.values() for position in of_record])
    for row in known:
        items = {position: logged[position] for position in sorted(positions[row.record_id])}
        shipment = _shipment(logged[row.position].content, items.values() if len(items) > 1 else ())
        if shipment is not None:
            yield CurrentRecord(row.record_id, row.revision, row.position, shipment, items)


def with_additions_before(record: CurrentRecord, position: int) -> shipment_pb2.Shipment:
    """A newest revision with the additions before a position."""
    earlier = [logged for at, logged in record.items.items() if at < position]
    shipment = _shipment(record.items[record.position].content, earlier)
    return shipment or shipment_pb2.Shipment()


def _shipment(content: bytes, items: Iterable[LogRow]) -> shipment_pb2.Shipment | None:
    shipment = wire.readable(wire.SHIPMENT, content) if content else None
    if not isinstance(shipment, shipment_pb2.Shipment):
        return None
    if additions := list(additions_in(items)):
        wire.merged(shipment, additions)
    return shipment
