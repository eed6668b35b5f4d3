"""Puts the findings that this node reported on alerts into its own shipment history.

A finding travels in the alerts feed, signed; the inspected shipment's record gets it too, so that whoever asks for the
shipment later can rely on it without knowing of the alert. A new finding is put into the records that can be found.
All findings are kept in mind, by keys of the index, and when a record becomes findable under such a key, that
finding's records are looked for again.

How far was looked are cursors that move in the transaction that records what was found. The next look waits until that
is findable itself and the projections show at least what they showed before. So a record has a finding once, whatever
ends, is repeated or is built again in between.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts import tables as alerts
from gateway.alerts.tables import AlertEventRow
from gateway.contract.ids import FeedOrigin
from gateway.contract.timestamps import to_ms
from gateway.db.database import Database
from gateway.feed.service.transaction import Transaction
from gateway.feed.tables import progress
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
"""Steps that are looked at together."""

READ_AT_ONCE = 1_000
"""Own steps that are read in one transaction when a process begins."""

LOOK_POSITIONS = 10_000
"""Positions of records that are looked at together, and after how many it is noted that nothing was there."""

REST = 50
"""How many times as long as a look took there is none at new records: they have a fiftieth of the time at most."""

MOST_POSITIONS = 1_000
"""Positions that are looked at for one thing that an alert names."""

MOST_RECORDS = 50
"""Most records that one finding is put into."""

ACTOR = "gateway"


@dataclass(frozen=True, slots=True)
class _FindingProgress:
    """How far was looked, in steps of alerts and in records; the last own addition; how far the projections are."""

    steps: int
    records: int
    written: int
    projected: int
    indexed: int

    @classmethod
    def of(cls, conn: Connection) -> _FindingProgress:
        return cls(*PROGRESS.read(conn), progress.position(conn), record_progress.indexed(conn))

    @property
    def is_whole(self) -> bool:
        """Whether everything can be found that was looked at or made before: not so while tables are built again."""
        return self.projected >= self.steps and self.indexed >= max(self.records, self.written)


@dataclass(frozen=True, slots=True)
class FindingBatch:
    """Findings to put into records; how far was looked, in steps and in records, before and now."""

    before: tuple[int, int]
    after: tuple[int, int]
    additions: tuple[shipment_pb2.ShipmentAddition, ...]


@dataclass(frozen=True, slots=True)
class _ReportedFinding:
    """An own finding, and what it is about."""

    said: alert_pb2.AlertFinding
    inspection: Inspection

    @classmethod
    def of(cls, conn: Connection, node: str, position: int, payload: bytes) -> _ReportedFinding | None:
        """The finding of a step; None when the step is another one, or nothing is left of it or of its alert."""
        event = wire.parse_event(payload) if payload else None
        if event is None or event.WhichOneof("event") != "finding":
            return None
        about = event.finding.alert
        for row, _, content in reversed(alerts.events_of(conn, about.publisher, about.alert_id)):
            # The alert as it was then: what is amended afterwards wasn't inspected.
            alert = wire.alert_of(wire.parse_event(content)) if content and row.position < position else None
            if alert is not None:
                return cls(event.finding, Inspection(alert.content.subject, event.finding.inspected_at, node))
        return None


class _FindingIndex:
    """Findings by what records are found by that they may be about; each by the position of its step."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._known: set[int] = set()
        self._by_key: dict[int, list[tuple[int, RecordFilter]]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def keep(self, conn: Connection, steps: Iterable[tuple[int, bytes]]) -> list[int]:
        """Keeps the findings among own steps; gives their positions."""
        positions = []
        for position, payload in steps:
            finding = _ReportedFinding.of(conn, self._node, position, payload)
            if finding is not None:
                positions.append(position)
                self._keep(position, finding)
        return positions

    def _keep(self, position: int, finding: _ReportedFinding) -> None:
        if position in self._known:
            return  # it wasn't recorded when it was read before
        self._known.add(position)
        for sought in finding.inspection.sought():
            for key in sought.keys:
                self._by_key.setdefault(key, []).append((position, sought.record_filter))

    def concerned(self, conn: Connection, *, after: int, until: int) -> list[int]:
        """Findings that may be about something that stands at positions of records after one up to another."""
        met = list(findings.met(conn, list(self._by_key), after=after, until=until)) if after < until else []
        rows = shipments.revisions(conn, [position for _, position in met])
        return sorted(
            {
                step
                for key, position in met
                for step, record_filter in self._by_key[key]
                if position in rows and record_filter.admits(rows[position])
            }
        )


class FindingSearch:
    """Looks for records of own findings; for one thread at a time."""

    def __init__(self, database: Database, *, node: str) -> None:
        """Reads nothing yet."""
        self._database = database
        self._node = node
        self._kept: _FindingIndex | None = None
        self._looked = 0
        self._rests_until = 0.0

    def next(self) -> FindingBatch | None:
        """The next findings to put into records; None when there is nothing to do."""
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
            steps = alerts.events_after(conn, reached.steps, BATCH)
            new = kept.keep(conn, self._own(steps))
            until, concerned = self._of_new_records(conn, kept, reached, 0 if rests else LOOK_POSITIONS)
            additions = self._additions(conn, dict.fromkeys([*new, *concerned]))
        if not rests:
            now = time.monotonic()
            self._rests_until = now + REST * (now - began)
        if not (steps or additions or until - reached.records >= LOOK_POSITIONS):
            self._looked = until  # that nothing was there is noted later: it would cost a commit each time
            return None
        last = steps[-1][0].position if steps else reached.steps
        return FindingBatch((reached.steps, reached.records), (last, until), additions)

    def _own(self, steps: Iterable[tuple[AlertEventRow, str, bytes]]) -> Iterator[tuple[int, bytes]]:
        for row, origin, payload in steps:
            if FeedOrigin.parse(origin).publisher == self._node != row.key.publisher:
                yield row.position, payload

    def _all_before(self) -> _FindingIndex | None:
        """Findings up to where steps were looked at; None while not all of them can be read."""
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
        """Looks at some more positions of records; gives how far that is, and the findings that these may concern."""
        looked = max(self._looked, reached.records)
        until = min(looked + most, reached.indexed) if kept else reached.indexed
        return until, kept.concerned(conn, after=looked, until=until)

    def _additions(self, conn: Connection, steps: Iterable[int]) -> tuple[shipment_pb2.ShipmentAddition, ...]:
        """What is still to be added of findings to their records."""
        made: dict[bytes, shipment_pb2.ShipmentAddition] = {}
        for step in steps:
            for position, payload in findings.own_steps(conn, self._node, after=step - 1, until=step, limit=1):
                finding = _ReportedFinding.of(conn, self._node, position, payload)
                for one in _missing(conn, finding) if finding is not None else ():
                    made[one.SerializeToString(deterministic=True)] = one
        return tuple(made.values())


def _missing(conn: Connection, finding: _ReportedFinding) -> Iterator[shipment_pb2.ShipmentAddition]:
    """A finding for each of its records that doesn't have it."""
    inspected = inspection_of(finding.said)
    records = {one.record_id: one.shipment for one in current_records(conn, _candidates(conn, finding))}
    for record_id in finding.inspection.meant(records)[:MOST_RECORDS]:
        if inspected not in records[record_id].inspections:
            yield shipment_pb2.ShipmentAddition(record_id=record_id, inspections=[inspected])


def _candidates(conn: Connection, finding: _ReportedFinding) -> list[str]:
    """Records that a finding may be about; of many those that were declared next to the inspection."""
    positions: set[int] = set()
    for keys, record_filter in finding.inspection.sought():
        positions.update(shipment_search.search(conn, [keys], record_filter, before=NEWEST, limit=MOST_POSITIONS))
    at = to_ms(finding.said.inspected_at)
    rows = sorted(shipments.revisions(conn, list(positions)).values(), key=lambda row: abs(row.declared_at - at))
    return list(dict.fromkeys(row.record_id for row in rows))[:MAX_RECORDS]


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
class KeepFindingsInRecordsCommand:
    """Records the findings and moves the cursors; the result is whether they were still next."""

    origin: FeedOrigin
    reported: FindingBatch

    @property
    def weight(self) -> int:
        return max(1, len(self.reported.additions))

    def execute(self, tx: Transaction) -> bool:
        reached = _FindingProgress.of(tx.conn)
        if not reached.is_whole or (reached.steps, reached.records) != self.reported.before:
            return False
        known = shipments.find(tx.conn, list({one.record_id for one in self.reported.additions}))
        additions = [checked(one) for one in self.reported.additions if one.record_id in known]  # not erased meanwhile
        if additions:
            written = RecordCommand(self.origin, additions, ACTOR).execute(tx)
            PROGRESS.write(tx.conn, written_position=written)
        steps, records = self.reported.after
        PROGRESS.write(tx.conn, step_position=steps, record_position=records)
        return True
