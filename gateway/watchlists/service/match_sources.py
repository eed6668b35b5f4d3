"""Sources that are screened automatically: alerts and recorded shipments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.rules.life import AlertStatus
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import events as alert_events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.schema import alerts as alerts_table
from gateway.contract.messages import to_ms
from gateway.db.database import Database
from gateway.feed.tables import journal
from gateway.history.codec.shipments import SHIPMENT
from gateway.history.service.current_records import CurrentRecord, current_records, with_additions_before
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.history.tables.shipments import LogRow
from gateway.v1 import alert_pb2, screening_pb2, shipment_pb2
from gateway.watchlists.codec.subjects import subjects_of, subjects_of_shipment
from gateway.watchlists.rules.matches import SourceKey, SourceKind

NEWEST_AT_ONCE = 200
"""Newest sources read in one transaction."""

_NAMING = frozenset({"published", "amended", "withdrawn"})
"""Alert events that change which parties it names."""


@dataclass(frozen=True, slots=True)
class SourceItem:
    """A source's current revision and subjects by path.

    Attributes:
        gone: void, without any.
        at_ms: when it was declared or published, in milliseconds since 1970.
    """

    key: SourceKey
    revision: int
    subjects: Mapping[str, screening_pb2.ScreeningSubject] = field(default_factory=dict)
    gone: bool = False
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class MatchSource:
    """A kind of source.

    Attributes:
        kind: also the name of its cursor.
        head: position up to which it can be read.
        after: items changed after a position, about `limit` at most, and the position after them.
        newest: all items, newest first, read in short transactions.
    """

    kind: SourceKind
    head: Callable[[Connection], int]
    after: Callable[[Connection, int, int], tuple[list[SourceItem], int]]
    newest: Callable[[Database], Iterator[SourceItem]]


def _alerts_after(conn: Connection, position: int, limit: int) -> tuple[list[SourceItem], int]:
    projected = journal.projected_position(conn)
    events = alert_events.after(conn, position, limit)
    keys = {
        (event.key.publisher, event.key.alert_id): None
        for event, _, payload in events
        if payload and _changes_matches(wire.parse_event(payload))
    }
    reached = events[-1][0].position if len(events) == limit else max(projected, position)
    items = [_alert(conn, publisher, alert_id) for publisher, alert_id in keys]
    return [item for item in items if item is not None], reached


def _changes_matches(event: alert_pb2.AlertEvent) -> bool:
    """Whether an event changes which parties its alert names, or to whom they may be reported."""
    consented = event.answer.consent == alert_pb2.TRANSFER_CONSENT_GRANTED
    return event.WhichOneof("event") in _NAMING or consented


def _alert(conn: Connection, publisher: str, alert_id: str) -> SourceItem | None:
    payload = alerts.current_payload(conn, publisher, alert_id)
    return _item(alerts.copies(conn, publisher, alert_id), payload) if payload else None


def _item(copies: list[AlertRow], payload: bytes) -> SourceItem | None:
    alert = wire.alert_of(wire.parse_event(payload))
    if alert is None or not copies:
        return None
    key = SourceKey(SourceKind.ALERT, copies[0].key.publisher, copies[0].key.alert_id)
    if all(row.life.status is AlertStatus.WITHDRAWN for row in copies):
        return SourceItem(key, alert.revision, gone=True)
    return SourceItem(key, alert.revision, subjects_of(alert.content), at_ms=to_ms(alert.published_at))


def _newest_alerts(database: Database) -> Iterator[SourceItem]:
    before: tuple[str, str, str] | None = None
    last: SourceKey | None = None
    while True:
        with database.read() as conn:
            named = alerts_table.c.status != AlertStatus.WITHDRAWN.value
            rows = alerts.list_page(conn, [named], before=before, limit=NEWEST_AT_ONCE)
        for row, payload in rows:
            item = _item([row], payload) if payload else None
            if item is not None and item.key != last:  # copies of an alert are adjacent
                last = item.key
                yield item
        if len(rows) < NEWEST_AT_ONCE:
            return
        newest = rows[-1][0].key
        before = (newest.alert_id, newest.publisher, newest.recipient)


def _shipments_after(conn: Connection, position: int, limit: int) -> tuple[list[SourceItem], int]:
    """Current records with an item after a position.

    An addition counts only if it names something new: most repeat the record's container and lorry, and screening costs
    far more than this check.
    """
    head = record_progress.indexed(conn)
    logged = [row for row in shipments.log_after(conn, position, limit) if row.position <= head]
    records = _standing(conn, logged)
    changed = [row.record_id for row in reversed(logged) if _changes(row, records.get(row.record_id))]
    items = _items(conn, [records[record_id] for record_id in reversed(dict.fromkeys(changed))])
    return items, logged[-1].position if logged else position


def _changes(logged: LogRow, record: CurrentRecord | None) -> bool:
    """Whether a log item is the revision, or names something new."""
    if record is None or not logged.content:
        return False
    if logged.kind == SHIPMENT or logged.position < record.position:  # the newest revision includes the additions
        return logged.position == record.position
    before, with_it = (with_additions_before(record, logged.position + more) for more in (0, 1))
    return bool(_named(with_it) - _named(before))


def _named(shipment: shipment_pb2.Shipment) -> set[bytes]:
    return {subject.SerializeToString() for subject in subjects_of_shipment(shipment).values()}


def _newest_shipments(database: Database) -> Iterator[SourceItem]:
    """Newest revisions of records with their additions."""
    with database.read() as conn:
        before = record_progress.indexed(conn) + 1
    while before > 1:
        first = max(1, before - NEWEST_AT_ONCE)
        with database.read() as conn:
            logged = [row for row in shipments.log_after(conn, first - 1, NEWEST_AT_ONCE) if row.position < before]
            records = _standing(conn, logged)
            newest = [row.record_id for row in logged if _is_newest(row, records.get(row.record_id))]
            items = _items(conn, [records[record_id] for record_id in reversed(newest)])
        yield from items
        before = first


def _is_newest(logged: LogRow, record: CurrentRecord | None) -> bool:
    return record is not None and record.position == logged.position


def _standing(conn: Connection, logged: Sequence[LogRow]) -> dict[str, CurrentRecord]:
    record_ids = {row.record_id for row in logged if row.content}
    return {record.record_id: record for record in current_records(conn, record_ids)}


def _items(conn: Connection, records: Sequence[CurrentRecord]) -> list[SourceItem]:
    node = shipments.recording_node(conn) if records else ""
    return [
        SourceItem(
            SourceKey(SourceKind.SHIPMENT, node, record.record_id),
            record.revision,
            subjects_of_shipment(record.shipment),
            at_ms=to_ms(record.shipment.declared_at),
        )
        for record in records
    ]


def erased(conn: Connection, sources: Collection[SourceKey]) -> set[SourceKey]:
    """A search under way may still hold erased records' parties."""
    ids = [source.id for source in sources if source.kind is SourceKind.SHIPMENT]
    known = shipments.find(conn, ids) if ids else {}
    return {source for source in sources if source.kind is SourceKind.SHIPMENT and source.id not in known}


ALERTS = MatchSource(kind=SourceKind.ALERT, head=journal.projected_position, after=_alerts_after, newest=_newest_alerts)

SHIPMENTS = MatchSource(
    kind=SourceKind.SHIPMENT,
    head=record_progress.indexed,
    after=_shipments_after,
    newest=_newest_shipments,
)

SOURCES = (ALERTS, SHIPMENTS)
"""All kinds of source."""
