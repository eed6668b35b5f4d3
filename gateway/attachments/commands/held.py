"""Decides which alerts a legal hold keeps, and which files: those that a held alert, or a finding or an answer on it,
names.

An alert is held where one of its revisions is of the hold's case, or where what they say of the subject matches the
hold's criteria as a record would. As with records, a hold keeps too much rather than too little: time and procedure, of
which an alert says nothing, don't count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.tables import events
from gateway.contract.identification import shipment_keys
from gateway.errors import FileHeldError
from gateway.history.commands.legal_holds import HoldCriteria
from gateway.history.tables import holds
from gateway.history.tables.holds import LegalHold
from gateway.v1 import alert_pb2, shipment_pb2

MOST_NAMED = 5
"""Most holds that an error names."""


@dataclass(frozen=True, slots=True)
class FileHolds:
    """Holds in force at one moment.

    Attributes:
        holds: each with its criteria as keys.
    """

    holds: tuple[tuple[LegalHold, HoldCriteria], ...]

    @classmethod
    def read(cls, conn: Connection) -> FileHolds:
        """Reads the unreleased holds."""
        return cls(tuple((hold, HoldCriteria.of(hold)) for hold in holds.all_of(conn, released=False)))

    def on(self, conn: Connection, sha256: str) -> list[LegalHold]:
        """Holds that keep a file, newest first; its alerts must be projected."""
        if not self.holds:
            return []
        alerts = {(key.publisher, key.alert_id) for key in events.alerts_naming(conn, sha256)}
        contents = [list(_revisions(conn, *alert)) for alert in sorted(alerts)]
        return [hold for hold, criteria in self.holds if any(_holds(hold, criteria, each) for each in contents)]

    def on_alert(self, conn: Connection, publisher: str, alert_id: str) -> list[LegalHold]:
        """Holds that keep an alert, newest first; it must be projected."""
        contents = list(_revisions(conn, publisher, alert_id)) if self.holds else []
        return [hold for hold, criteria in self.holds if _holds(hold, criteria, contents)]

    def require_released(self, conn: Connection, sha256: str) -> None:
        """Raises FileHeldError while a hold keeps a file."""
        found = self.on(conn, sha256)
        if not found:
            return
        raise FileHeldError(
            f"file {sha256} belongs to an alert that a legal hold keeps: {_named(found)}",
            metadata={"sha256": sha256, "hold_id": found[0].hold_id},
        )


def holds_on_alert(conn: Connection, publisher: str, alert_id: str) -> str:
    """Names the holds that keep an alert; empty for none."""
    return _named(FileHolds.read(conn).on_alert(conn, publisher, alert_id))


def _named(found: list[LegalHold]) -> str:
    named = ", ".join(f"{hold.hold_id} (case {hold.case_reference})" for hold in found[:MOST_NAMED])
    return f"{named} and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else named


def _holds(hold: LegalHold, criteria: HoldCriteria, revisions: list[alert_pb2.AlertContent]) -> bool:
    if any(hold.case_reference and content.case_reference == hold.case_reference for content in revisions):
        return True
    return bool(revisions) and criteria.match_keys(frozenset[int]().union(*map(_keys, revisions)))


def _revisions(conn: Connection, publisher: str, alert_id: str) -> Iterator[alert_pb2.AlertContent]:
    for _, _, payload in events.of_alert(conn, publisher, alert_id):
        alert = wire.alert_of(wire.parse_event(payload)) if payload else None
        if alert is not None:
            yield alert.content


def _keys(content: alert_pb2.AlertContent) -> set[int]:
    """Keys of a text, as of a record that says the same; a record's id may be its declaration number."""
    subject = content.subject
    record = shipment_pb2.Shipment(
        references=subject.references,
        equipment=subject.equipment,
        means=subject.means,
        parties=subject.parties,
        route=content.route,
    )
    ids = {key for reference in subject.references for key in shipment_keys.record_keys(reference.value)}
    return shipment_keys.keys_of(record) | ids
