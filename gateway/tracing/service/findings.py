"""Copies this node's findings on alerts into the inspected records, for later queries that don't know the alert.

A finding that was corrected or withdrawn is taken out of the records again. When a record is indexed under a search key
of a finding, that finding's records are searched again. Progress moves in the transaction that records findings, and
the next search waits until these are indexed and projections have caught up. So a record gets a finding once, despite
failures, repeats and rebuilds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.rules.findings import CHANGES
from gateway.alerts.tables import events
from gateway.alerts.tables.events import AlertEventRow
from gateway.contract.findings import FindingPlace, finding_of, place_of
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_ms
from gateway.db.database import Database
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import journal
from gateway.history.commands.record import RecordCommand, checked
from gateway.history.service.current_records import current_records
from gateway.history.service.search import NEWEST
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipment_search, shipments
from gateway.history.tables.shipment_search import RecordFilter
from gateway.tracing import tables as findings
from gateway.tracing.rules.records import MAX_RECORDS
from gateway.tracing.service.inspected_records import Inspection
from gateway.tracing.tables import PROGRESS
from gateway.v1 import alert_pb2, shipment_pb2

BATCH = 200

READ_AT_ONCE = 1_000
"""Own steps in one transaction."""

LOOK_POSITIONS = 10_000
"""Positions searched together; after as many an empty search is recorded."""

REST = 50
"""Pause after a search, as a multiple of its duration."""

MOST_POSITIONS = 1_000
"""Most positions per value of an alert."""

MOST_RECORDS = 50
"""Most records that get one finding."""

ACTOR = "gateway"


@dataclass(frozen=True, slots=True)
class _FindingProgress:
    steps: int
    records: int
    written: int
    projected: int
    indexed: int

    @classmethod
    def of(cls, conn: Connection) -> _FindingProgress:
        return cls(*PROGRESS.read(conn), journal.projected_position(conn), record_progress.indexed(conn))

    @property
    def is_whole(self) -> bool:
        """Whether all that was read or written is indexed."""
        return self.projected >= self.steps and self.indexed >= max(self.records, self.written)


@dataclass(frozen=True, slots=True)
class FindingBatch:
    """Findings to add or take out, with the progress before and after."""

    before: tuple[int, int]
    after: tuple[int, int]
    additions: tuple[shipment_pb2.ShipmentAddition, ...]


@dataclass(frozen=True, slots=True)
class _ReportedFinding:
    finding: alert_pb2.AlertFinding
    inspection: Inspection

    @classmethod
    def of(cls, conn: Connection, node: str, position: int, payload: bytes) -> _ReportedFinding | None:
        """The finding of a step, or of its correction; None for another step, or if it or its alert is gone."""
        finding = finding_of(wire.parse_event(payload)) if payload else None
        if finding is None:
            return None
        about = finding.alert
        for row, _, content in events.newest_of(conn, about.publisher, about.alert_id):
            # Later amendments of the alert weren't inspected.
            alert = wire.alert_of(wire.parse_event(content)) if content and row.position < position else None
            if alert is not None:
                return cls(finding, Inspection(alert.content.subject, finding.inspected_at, node))
        return None


class _FindingIndex:
    """Own findings by index keys."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._known: set[int] = set()
        self._by_key: dict[int, list[tuple[int, RecordFilter]]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def keep(self, conn: Connection, steps: Iterable[tuple[int, bytes]]) -> list[int]:
        """Indexes the findings among own steps; returns their positions, and those of findings that they change."""
        positions = []
        for position, payload in steps:
            positions += _changed_by(conn, payload)
            finding = _ReportedFinding.of(conn, self._node, position, payload)
            if finding is not None:
                positions.append(position)
                self._keep(position, finding)
        return positions

    def _keep(self, position: int, finding: _ReportedFinding) -> None:
        if position in self._known:
            return
        self._known.add(position)
        for query in finding.inspection.queries():
            for key in query.keys:
                self._by_key.setdefault(key, []).append((position, query.record_filter))

    def concerned(self, conn: Connection, *, after: int, until: int) -> list[int]:
        """Findings that may concern new records."""
        met = list(findings.met(conn, list(self._by_key), after=after, until=until)) if after < until else []
        rows = shipments.revisions(conn, [position for _, position in met])
        return sorted(
            {
                step
                for key, position in met
                for step, record_filter in self._by_key[key]
                if position in rows and record_filter.matches(rows[position])
            }
        )


class FindingSearch:
    """Searches the records of findings. Not thread-safe."""

    def __init__(self, database: Database, *, node: str) -> None:
        self._database = database
        self._node = node
        self._kept: _FindingIndex | None = None
        self._looked = 0
        self._rests_until = 0.0

    def next(self) -> FindingBatch | None:
        if self._kept is None:
            self._kept = self._all_before()
        kept = self._kept
        if kept is None:
            return None
        began = time.monotonic()
        rests = began < self._rests_until
        with self._database.read() as conn:
            reached = _FindingProgress.of(conn)
            if not reached.is_whole:
                return None
            steps = events.after(conn, reached.steps, BATCH)
            new = kept.keep(conn, self._own(steps))
            until, concerned = self._of_new_records(conn, kept, reached, 0 if rests else LOOK_POSITIONS)
            additions = self._additions(conn, dict.fromkeys([*new, *concerned]))
        if not rests:
            now = time.monotonic()
            self._rests_until = now + REST * (now - began)
        if not (steps or additions or until - reached.records >= LOOK_POSITIONS):
            self._looked = until  # a commit each time would cost too much
            return None
        last = steps[-1][0].position if steps else reached.steps
        return FindingBatch((reached.steps, reached.records), (last, until), additions)

    def _own(self, steps: Iterable[tuple[AlertEventRow, str, bytes]]) -> Iterator[tuple[int, bytes]]:
        for row, origin, payload in steps:
            if FeedOrigin.parse(origin).publisher == self._node != row.key.publisher:
                yield row.position, payload

    def _all_before(self) -> _FindingIndex | None:
        """Findings among earlier steps; None while some can't be read."""
        kept, after = _FindingIndex(self._node), 0
        while True:
            with self._database.read() as conn:
                reached = _FindingProgress.of(conn)
                if not reached.is_whole:
                    return None
                some = findings.own_steps(conn, self._node, after=after, until=reached.steps, limit=READ_AT_ONCE)
                kept.keep(conn, some)
            if len(some) < READ_AT_ONCE:
                return kept
            after = some[-1][0]

    def _of_new_records(
        self, conn: Connection, kept: _FindingIndex, reached: _FindingProgress, most: int
    ) -> tuple[int, list[int]]:
        """The last position read, and the findings that may concern new records."""
        looked = max(self._looked, reached.records)
        until = min(looked + most, reached.indexed) if kept else reached.indexed
        return until, kept.concerned(conn, after=looked, until=until)

    def _additions(self, conn: Connection, steps: Iterable[int]) -> tuple[shipment_pb2.ShipmentAddition, ...]:
        made: dict[bytes, shipment_pb2.ShipmentAddition] = {}
        for step in steps:
            for position, payload in findings.own_steps(conn, self._node, after=step - 1, until=step, limit=1):
                finding = _ReportedFinding.of(conn, self._node, position, payload)
                if finding is None:
                    continue
                for addition in _additions_for(conn, position, finding):
                    made[addition.SerializeToString(deterministic=True)] = addition
        return tuple(made.values())


def _missing(conn: Connection, reported: _ReportedFinding) -> Iterator[shipment_pb2.ShipmentAddition]:
    """A finding for each of its records without it."""
    inspected = inspection_of(reported.finding)
    records = {
        current_record.record_id: current_record.shipment
        for current_record in current_records(conn, _candidates(conn, reported))
    }
    for record_id in reported.inspection.meant(records)[:MOST_RECORDS]:
        if inspected not in records[record_id].inspections:
            yield shipment_pb2.ShipmentAddition(record_id=record_id, inspections=[inspected])


def _left_over(conn: Connection, reported: _ReportedFinding) -> Iterator[shipment_pb2.ShipmentAddition]:
    """The withdrawal of a finding from each record that has it."""
    inspected = inspection_of(reported.finding)
    for record in current_records(conn, _candidates(conn, reported)):
        if inspected in record.shipment.inspections:
            yield shipment_pb2.ShipmentAddition(record_id=record.record_id, withdrawn_inspections=[inspected])


def _changed_by(conn: Connection, payload: bytes) -> list[int]:
    """Position of the finding that a step corrects or withdraws."""
    event = wire.parse_event(payload) if payload else None
    if event is None or event.WhichOneof("event") not in CHANGES:
        return []
    about = getattr(event, str(event.WhichOneof("event"))).alert
    return events.positions_of(conn, about.publisher, about.alert_id, place_of(event))


def _additions_for(
    conn: Connection, position: int, reported: _ReportedFinding
) -> Iterator[shipment_pb2.ShipmentAddition]:
    """What a step that reports or corrects a finding changes in records, by what the finding is now."""
    ((row, origin, _),) = events.at_positions(conn, [position])
    ledger = events.finding_ledger(conn, row.key)
    if ledger.current(FindingPlace(origin, row.idx)) is not None:
        yield from _missing(conn, reported)
    elif inspection_of(reported.finding) not in [inspection_of(each.finding) for each in ledger.standing]:
        yield from _left_over(conn, reported)  # else its correction says the same of the inspection


def _candidates(conn: Connection, reported: _ReportedFinding) -> list[str]:
    """Records that a finding may concern, nearest to the inspection first."""
    positions: set[int] = set()
    for keys, record_filter in reported.inspection.queries():
        positions.update(shipment_search.search(conn, [keys], record_filter, before=NEWEST, limit=MOST_POSITIONS))
    at = to_ms(reported.finding.inspected_at)
    rows = sorted(shipments.revisions(conn, list(positions)).values(), key=lambda row: abs(row.declared_at - at))
    return list(dict.fromkeys(row.record_id for row in rows))[:MAX_RECORDS]


def inspection_of(finding: alert_pb2.AlertFinding) -> shipment_pb2.ShipmentInspection:
    """A finding as an inspection."""
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
        goods_item = inspection.goods_found.add(
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
                setattr(goods_item, name, getattr(goods, name))
    return inspection


@dataclass(frozen=True, slots=True)
class KeepFindingsInRecordsCommand:
    """Records findings and moves the cursors; False if others came first."""

    origin: FeedOrigin
    reported: FindingBatch

    @property
    def weight(self) -> int:
        return max(1, len(self.reported.additions))

    def execute(self, tx: Transaction) -> bool:
        reached = _FindingProgress.of(tx.conn)
        if not reached.is_whole or (reached.steps, reached.records) != self.reported.before:
            return False
        known = shipments.find(tx.conn, list({addition.record_id for addition in self.reported.additions}))
        additions = [
            checked(addition) for addition in self.reported.additions if addition.record_id in known
        ]  # not erased meanwhile
        if additions:
            written = RecordCommand(self.origin, additions, ACTOR).execute(tx)
            PROGRESS.write(tx.conn, written_position=written)
        steps, records = self.reported.after
        PROGRESS.write(tx.conn, step_position=steps, record_position=records)
        return True
