"""Puts the findings that this node reported on alerts into its own shipment history.

A finding travels in the alerts feed, signed; the inspected shipment's record gets it too, so that whoever asks for the
shipment later can rely on it without knowing of the alert. Owns which records that are: those that an alert names by
reference or container. Doesn't own findings (services.publish) or records (services.history_record).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.model.ids import FeedOrigin
from gateway.services.commit import Transaction
from gateway.services.history_record import RecordWork, checked
from gateway.store import alerts, shipments
from gateway.store.database import Database
from gateway.store.shipments import Narrowing
from gateway.v1 import alert_pb2, history_pb2, shipment_pb2
from gateway.wire import alerts as wire
from gateway.wire import shipment_keys as keys_wire

CURSOR = "findings"
"""Cursor: position in this node's order up to which steps of alerts were looked at."""

BATCH = 200
"""Steps that are looked at together."""

MOST_RECORDS = 50
"""Most records that one finding is put into."""

ACTOR = "gateway"


@dataclass(frozen=True, slots=True)
class Reported:
    """Findings to put into records, and how far was looked."""

    after: int
    last: int
    additions: tuple[shipment_pb2.ShipmentAddition, ...]


class FindingSearch:
    """Looks for own findings on alerts; for one thread at a time."""

    def __init__(self, database: Database, *, node: str) -> None:
        self._database = database
        self._node = node

    def next(self) -> Reported | None:
        """The next findings; None when there are no more steps."""
        with self._database.read() as conn:
            after = shipments.cursor(conn, CURSOR)
            steps = alerts.events_after(conn, after, BATCH)
            if not steps:
                return None
            found = [
                addition
                for _, origin, payload in steps
                if payload and FeedOrigin.parse(origin).publisher == self._node
                for addition in _additions(conn, wire.parse_event(payload))
            ]
        return Reported(after, steps[-1][0].position, tuple(found))


def _additions(conn: Connection, event: alert_pb2.AlertEvent) -> Iterator[shipment_pb2.ShipmentAddition]:
    if event.WhichOneof("event") != "finding":
        return
    finding = event.finding
    payload = alerts.current_payload(conn, finding.alert.publisher, finding.alert.alert_id)
    alert = wire.alert_of(wire.parse_event(payload)) if payload else None
    if alert is None:
        return
    inspection = inspection_of(finding)
    for record_id in _records_of(conn, alert.content.subject):
        yield shipment_pb2.ShipmentAddition(record_id=record_id, inspections=[inspection])


def _records_of(conn: Connection, subject: alert_pb2.Subject) -> list[str]:
    """Own records with a reference of the subject, or else with a container of it."""
    references = [history_pb2.SearchReference(kind=one.kind, value=one.value) for one in subject.references]
    containers = [one.id for one in subject.equipment]
    for criteria in (
        history_pb2.SearchCriteria(references=references),
        history_pb2.SearchCriteria(containers=containers),
    ):
        sets = keys_wire.key_sets(criteria)
        if not sets:
            continue
        before = shipments.last_position(conn) + 1
        positions = list(shipments.search(conn, sets, Narrowing(), before=before, limit=MOST_RECORDS))
        if positions:
            return sorted({row.record_id for row in shipments.revisions(conn, positions).values()})
    return []


def inspection_of(finding: alert_pb2.AlertFinding) -> shipment_pb2.ShipmentInspection:
    """A finding on an alert as an inspection of a shipment."""
    inspection = shipment_pb2.ShipmentInspection(
        result=finding.result,
        inspected_at=finding.inspected_at,
        methods=finding.methods,
        remarks=finding.remarks,
        evidence=finding.evidence,
        alert=finding.alert,
    )
    if finding.HasField("place"):
        inspection.place.CopyFrom(finding.place)
    for sequence, goods in enumerate(finding.goods_found, 1):
        found = inspection.goods_found.add(
            sequence=sequence,
            codes=goods.declared_codes,
            description=goods.description,
            substance=goods.substance,
            element=goods.element,
            form=goods.form,
            origin_territory=goods.origin_territory,
        )
        for name in ("purity_percent", "net_mass_kg", "gross_mass_kg"):
            if goods.HasField(name):
                setattr(found, name, getattr(goods, name))
    return inspection


@dataclass(frozen=True, slots=True)
class KeepFindingsInRecordsWork:
    """Records the findings and moves the cursor; the result is whether they were still next."""

    origin: FeedOrigin
    reported: Reported

    @property
    def weight(self) -> int:
        return max(1, len(self.reported.additions))

    def stage(self, tx: Transaction) -> bool:
        if shipments.cursor(tx.conn, CURSOR) != self.reported.after:
            return False
        if self.reported.additions:
            RecordWork(self.origin, [checked(one) for one in self.reported.additions], ACTOR).stage(tx)
        shipments.move_cursor(tx.conn, CURSOR, self.reported.last)
        return True
