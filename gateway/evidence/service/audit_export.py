"""Exports events of the audit log under a head that is signed for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import TooLargeError
from gateway.evidence.codec.audit_export import HEAD, digest_of, event_files, event_lines, readme
from gateway.evidence.codec.audit_head import AUDIT_ENTRIES, head_event, verify_head_file
from gateway.evidence.codec.bundle import DIRECTORY, MAX_BUNDLE_BYTES, README
from gateway.evidence.service.audit_heads import export_head
from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.trust import tables as audit
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.trust.tables import AuditFilter, StoredEvent
from gateway.v1 import audit_log_pb2
from gateway.v1.evidence_service_pb2 import AuditEvent

MAX_EVENTS = 100_000
"""Most events of one export: some 50 MB, held in memory meanwhile."""

PAGE = 1_000
"""Events read at once."""

_OTHER_FILES_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CollectedEvents:
    """Events in files, and what a head is to say of them."""

    files: Mapping[str, bytes]
    export: audit_log_pb2.AuditExport


@dataclass(frozen=True, slots=True)
class SignAuditExportCommand:
    """Appends a head with what was exported under it; returns its index in the feed."""

    origin: FeedOrigin
    export: audit_log_pb2.AuditExport
    weight: int = field(default=1, init=False)

    def execute(self, tx: Transaction) -> int:
        event = head_event(audit.read_head(tx.conn), self.export)
        return tx.append(self.origin, new_entry(AUDIT_ENTRIES.type_name, event, now_ms=tx.now_ms), urgent=False).index


def collect(
    database: Database,
    where: AuditFilter,
    *,
    filter: str,
    form: audit_log_pb2.AuditExportForm.ValueType,
    message_of: Callable[[list[StoredEvent]], Iterator[AuditEvent]],
    without_hidden_lists: bool,
) -> CollectedEvents:
    """The events that a filter leaves now.

    Args:
        filter: `where` as it was asked for.
        message_of: events as their reader may see them.
        without_hidden_lists: whether that leaves something out.

    Raises:
        TooLargeError: there are more than MAX_EVENTS.
        VerificationError: a stored body isn't an audit event.
    """
    with database.read() as conn:
        head = audit.read_head(conn)
        events = sorted(_events(conn, where, head.seq), key=lambda event: event.seq)
    if len(events) > MAX_EVENTS:
        raise TooLargeError(f"filter: it leaves more than {MAX_EVENTS} events; narrow it by time")
    files = event_files(form, event_lines(form, message_of(events)))
    if sum(map(len, files.values())) > MAX_BUNDLE_BYTES - _OTHER_FILES_BYTES:
        raise TooLargeError("filter: its events are too many bytes for one export; narrow it by time")
    return CollectedEvents(
        files,
        audit_log_pb2.AuditExport(
            form=form,
            filter=filter,
            events=len(events),
            upto=head.seq,
            sha256=digest_of(files),
            without_hidden_lists=without_hidden_lists,
        ),
    )


def signed_files(
    database: Database, collected: CollectedEvents, trust: TrustedDirectory, origin: FeedOrigin, index: int
) -> dict[str, bytes]:
    """All files of an export whose head was signed as entry `index`, verified with our own directory."""
    file = export_head(database, origin, index)
    signed = verify_head_file(file, trust, origin.publisher)
    return {**collected.files, HEAD: file, DIRECTORY: trust.note, README: readme(signed)}


def _events(conn: Connection, where: AuditFilter, upto: int) -> list[StoredEvent]:
    """Events up to a number, as many as an export has and one more at most."""
    events: list[StoredEvent] = []
    before = upto + 1
    while before > 1 and len(events) <= MAX_EVENTS:
        page = audit.list_events(conn, where=where, before_seq=before, limit=PAGE)
        events += page
        if len(page) < PAGE:
            break
        before = page[-1].seq
    return events
