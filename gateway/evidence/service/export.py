"""Exports evidence of an alert from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts import tables as alerts
from gateway.alerts.tables import AlertRow
from gateway.db.database import Database
from gateway.errors import ErasedError, InvalidRequestError, NotFoundError, TooLargeError, VerificationError, Violation
from gateway.evidence.codec.bundle import MAX_BUNDLE_BYTES, MAX_EVENTS, Bundle, EvidenceEntry, EvidenceParts
from gateway.evidence.codec.bundle_text import render
from gateway.evidence.service.check import examine
from gateway.feed.tables import checkpoints, dispositions, feeds, journal
from gateway.feed.tables.tiles import StoredTiles
from gateway.tlog.proof_file import TlogProof
from gateway.tlog.tiles import inclusion_proof
from gateway.trust.service.directory_versions import TrustedDirectory


@dataclass(frozen=True, slots=True, order=True)
class _EntryPlace:
    """An entry's position in the local log and in its feed."""

    position: int
    feed_id: int
    index: int


def export(
    database: Database, trust: TrustedDirectory, *, publisher: str, alert_id: str, recipient: str = ""
) -> Bundle:
    """Makes the bundle of a recipient's copy of an alert, own or a partner's, and verifies it.

    `recipient` may be empty if there is one copy.

    Raises:
        NotFoundError: no such copy here.
        InvalidRequestError: several copies, and no recipient.
        ErasedError: the alert's content was erased.
        VerificationError: the stored alert doesn't verify: database damaged, or a key missing in the directory.
        TooLargeError, MalformedError: the bundle would exceed a limit.
    """
    with database.read() as conn:
        row = _copy(conn, publisher, alert_id, recipient)
        alert = _entry(conn, row.feed_id, row.first_idx)
        if alert is None:
            raise ErasedError(f"the content of alert {publisher}/{alert_id} was erased")
        later = _entries(conn, _later(conn, row))
    parts = EvidenceParts(trust.note, alert, later)
    bundle = render(parts)
    examination = examine(bundle, directory_note=trust.note, require_receipt=False)
    if examination.evidence is None:
        last = examination.steps[-1]
        raise VerificationError(
            f"what is stored of alert {alert_id} doesn't verify: {last.detail}", step=f"{last.number} {last.name}"
        )
    return bundle


def _copy(conn: Connection, publisher: str, alert_id: str, recipient: str) -> AlertRow:
    rows = alerts.copies(conn, publisher, alert_id)
    copies = [row for row in rows if recipient in ("", row.key.recipient)]
    if not copies:
        to = f" for {recipient}" if recipient else ""
        raise NotFoundError(f"there is no alert {publisher}/{alert_id}{to} here")
    if len(copies) > 1:
        known = ", ".join(row.key.recipient for row in copies)
        raise InvalidRequestError([Violation("recipient", "recipient.required", f"name one of: {known}")])
    return copies[0]


def _entries(conn: Connection, places: Sequence[_EntryPlace]) -> tuple[EvidenceEntry, ...]:
    """Those that aren't erased; raises TooLargeError before it has read more than a bundle holds."""
    if len(places) > MAX_EVENTS:
        raise TooLargeError(f"a bundle has at most {MAX_EVENTS} events; this alert has {len(places)}")
    entries, size = [], 0
    for place in places:
        entry = _entry(conn, place.feed_id, place.index)
        if entry is not None:
            entries.append(entry)
            size += len(entry.payload)
        if size > MAX_BUNDLE_BYTES:
            raise TooLargeError(f"a bundle has at most {MAX_BUNDLE_BYTES} bytes; the steps of this alert have more")
    return tuple(entries)


def _later(conn: Connection, row: AlertRow) -> list[_EntryPlace]:
    """Later steps and dispositions of the alert in local order."""
    events = [
        event
        for event, _, _ in alerts.events_of(conn, row.key.publisher, row.key.alert_id)
        if event.key.recipient == row.key.recipient
    ]
    places = {_EntryPlace(event.position, event.feed_id, event.idx) for event in events}
    for event in events:
        disposition = dispositions.find(conn, event.feed_id, event.idx)
        if disposition is not None:
            places.add(_place_of(conn, disposition.position))
    return sorted(place for place in places if (place.feed_id, place.index) != (row.feed_id, row.first_idx))


def _place_of(conn: Connection, position: int) -> _EntryPlace:
    run = journal.runs_after(conn, position - 1, 1)[0]
    return _EntryPlace(position, run.feed_id, run.first_index + position - run.first_position)


def _entry(conn: Connection, feed_id: int, index: int) -> EvidenceEntry | None:
    """An entry with its proof; None if its payload was erased."""
    (stored,) = feeds.read_entries(conn, feed_id, index, index + 1)
    if not stored.payload:
        return None
    checkpoint = checkpoints.receipted_over(conn, feed_id, index)
    if checkpoint is None:
        checkpoint = checkpoints.between(conn, feed_id, index, index + 1)
    if checkpoint is None:
        raise VerificationError(f"no checkpoint covers entry {index} of feed {feed_id}", step="6 checkpoint")
    hashes = inclusion_proof(index, checkpoint.size, StoredTiles(conn, feed_id))
    proof = TlogProof(index, tuple(hashes), checkpoint.cosigned_note).encode()
    return EvidenceEntry(stored.header, stored.salt, stored.payload, proof)
