"""Lists days on which controls begin or end, and the open records that this touches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.messages import to_ms
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, Violation
from gateway.history.service.control_suggestions import day_of, list_day
from gateway.history.service.current_records import current_records
from gateway.history.service.search import NEWEST
from gateway.history.tables import shipment_search, shipments
from gateway.history.tables.shipment_search import RecordFilter
from gateway.risk.control_changes import ControlChange, codes_of, control_changes, elements_of, touched
from gateway.risk.facts.controlled import Controls
from gateway.v1 import history_pb2, shipment_pb2
from gateway.v1 import history_service_pb2 as pb

OPEN_DAYS: Final = 90
"""Days for which a record counts as open: a judgement, longer than most consignments are on their way."""

MOST_DAYS: Final = 3_660
"""Days from first to last; ten years."""

MOST_RECORDS: Final = 200
"""Records named for one change, the newest."""

_LOOKED_AT: Final = 2_000
"""Positions read for one change: a subheading also has goods that no line is about."""

_LEAVING: Final = (
    shipment_pb2.SHIPMENT_PROCEDURE_EXPORT,
    shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT,
    shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT,
    shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT,
)
_GONE: Final = frozenset(
    {
        shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT,
        shipment_pb2.SHIPMENT_EVENT_KIND_LOADED,
        shipment_pb2.SHIPMENT_EVENT_KIND_SEIZURE,
    }
)
"""Events after which a record isn't open."""

_DAY_MS: Final = 86_400_000


class ControlChanges:
    """Reads changes of controls with own records. Thread-safe."""

    def __init__(self, database: Database, controls: Controls, *, clock: Callable[[], int]) -> None:
        self._database = database
        self._controls = controls
        self._goods = controls.goods
        self._clock = clock

    def list(self, request: pb.ListControlChangesRequest) -> pb.ListControlChangesResponse:
        """Changes between two days, each with the open records that it touches.

        Raises:
            InvalidRequestError: a day is none, or they are too far apart or in the wrong order.
        """
        since = day_of(request.since, "since")
        until = day_of(request.until, "until") if request.until else self.today()
        if not timedelta(0) <= until - since <= timedelta(days=MOST_DAYS):
            message = f"must not come before since, nor more than {MOST_DAYS} days after it"
            raise InvalidRequestError([Violation("until", "until.after", message)])
        with self._database.read() as conn:
            changes = [self._message(conn, change) for change in control_changes(self._goods, since, until)]
        return pb.ListControlChangesResponse(changes=changes, list_version=self._goods.version, until=until.isoformat())

    def today(self) -> date:
        """The day at the place whose list it is."""
        return list_day(self._clock())

    def _message(self, conn: Connection, change: ControlChange) -> pb.ControlChange:
        row = change.announcement
        message = pb.ControlChange(
            announcement=row.key,
            measure=row.measure.value,
            day=change.day.isoformat(),
            before=change.before.value,
            after=change.after.value,
            state=change.text,
            by=change.by,
            destinations=row.destinations,
            subject=row.subject,
            confidence=change.confidence.name.lower(),
            source=row.source,
        )
        for record in self._open_records(conn, change):
            if len(message.records) == MOST_RECORDS:
                message.more_records = True
                break
            message.records.append(record)
        return message

    def _open_records(self, conn: Connection, change: ControlChange) -> Iterator[pb.TouchedRecord]:
        """Records that were open on the day of a change and that it touches, newest first."""
        codes, elements = codes_of(self._goods, change), elements_of(self._goods, change)
        if not (codes or elements):
            return
        end_ms = int(datetime(*change.day.timetuple()[:3], tzinfo=UTC).timestamp() * 1000) + 2 * _DAY_MS
        record_filter = RecordFilter(max(1, end_ms - OPEN_DAYS * _DAY_MS), max(1, min(end_ms, self._clock())), _LEAVING)
        if elements:  # any of them, or of the codes
            criteria, with_codes = history_pb2.SearchCriteria(substances=elements), [codes]
        else:
            criteria, with_codes = history_pb2.SearchCriteria(commodity_codes=codes), []
        key_sets = keys_wire.key_sets(criteria, substance_codes=with_codes)
        positions = list(shipment_search.search(conn, key_sets, record_filter, before=NEWEST, limit=_LOOKED_AT))
        rows = shipments.revisions(conn, positions)
        ids = dict.fromkeys(rows[position].record_id for position in positions if position in rows)
        for record in sorted(current_records(conn, list(ids)), key=lambda each: -to_ms(each.shipment.declared_at)):
            shipment = record.shipment
            if any(event.kind in _GONE for event in shipment.events):
                continue
            lines = touched(self._controls, change, shipment)
            if lines:
                yield pb.TouchedRecord(
                    record_id=record.record_id,
                    declared_at=shipment.declared_at,
                    procedure=shipment.procedure,
                    destination_territory=shipment.destination_territory,
                    code=lines[0].code,
                    substance=lines[0].substance,
                    confidence=lines[0].confidence,
                )
