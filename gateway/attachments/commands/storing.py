"""Keeps, releases and erases files."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from gateway.alerts.tables import events
from gateway.attachments.commands.fetching import fetch_event
from gateway.attachments.commands.held import FileHolds
from gateway.attachments.rules.limits import FileLimits
from gateway.attachments.rules.states import FileStep, StoredState, after
from gateway.attachments.tables import fetches, files
from gateway.attachments.tables.fetches import FetchRow, FetchState
from gateway.attachments.tables.files import FileRow
from gateway.errors import NotFoundError
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.v1 import file_pb2, file_service_pb2

PURGE_METHOD = "purge_files"
SCAN_METHOD = "scan_file"
"""Operations in the audit log."""

PURGE_BATCH = 200
"""Files that one look for ended retention reads."""

ReadFileValue = Callable[[Transaction, str], file_pb2.AttachedFile]
"""What is known of a file, in a transaction."""


@dataclass(frozen=True, slots=True)
class KeepFileCommand:
    """Makes a file known whose bytes lie in the store: they may be read from then on, or once they are scanned.

    The same bytes again change nothing but the end of a fetch; of an erased file they are kept anew.

    Attributes:
        row: with the state that a new file begins in.
        fetch: that brought it; None for an upload.
    """

    row: FileRow
    limits: FileLimits
    fetch: FetchRow | None = None
    weight: int = 1

    def execute(self, tx: Transaction) -> FileRow:
        tx.catch_up()  # so that a partner's mention before counts
        known = files.find(tx.conn, self.row.sha256)
        if known is None or known.state is StoredState.ERASED:
            self.limits.require_room(files.stored_bytes(tx.conn), self.row.size)
        row = self._row(tx, known)
        files.put(tx.conn, row)
        if self.fetch is not None:
            fetch = replace(self.fetch, state=FetchState.DONE, reason="", ended_at=tx.now_ms)
            fetches.put(tx.conn, fetch)
            arrived = fetch_event(fetch, tx, result=AuditResult.ALLOW, code="ARRIVED", size=row.size)
            audit.append(tx.conn, [arrived])
        return row

    def _row(self, tx: Transaction, known: FileRow | None) -> FileRow:
        own = self.fetch is None and events.first_speaker(tx.conn, self.row.sha256) in ("", tx.own_node)
        if known is None:
            return replace(self.row, own=own, added_at=tx.now_ms)
        if known.state is StoredState.ERASED:
            unscanned = self.row.state is StoredState.UNSCANNED
            state = after(known.state, FileStep.STORE_UNSCANNED if unscanned else FileStep.STORE_CLEAN)
            return replace(self.row, state=state, own=known.own or own, added_at=tx.now_ms)
        return known


@dataclass(frozen=True, slots=True)
class ScannedCommand:
    """Releases a file, or puts it into quarantine; one that was erased meanwhile stays so."""

    sha256: str
    clean: bool
    text: str
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        row = files.find(tx.conn, self.sha256)
        if row is None or row.state is not StoredState.UNSCANNED:
            return
        state = after(row.state, FileStep.FOUND_CLEAN if self.clean else FileStep.FOUND_INFECTED)
        files.put(tx.conn, replace(row, state=state, reason="" if self.clean else self.text))
        event = AuditEntry(
            time_ms=tx.now_ms,
            principal=f"gateway/{tx.own_node}",
            method=SCAN_METHOD,
            result=AuditResult.ALLOW if self.clean else AuditResult.DENY,
            reason=state.value.upper(),
            detail=self.text,
            subject_ids=(self.sha256,),
        )
        audit.append(tx.conn, [event])


@dataclass(frozen=True, slots=True)
class EraseFileCommand(IdempotentCommand[file_service_pb2.EraseFileResponse]):
    """Marks a file as erased: nothing of it is read from this commit on, and the bytes are removed after it.

    A crash between the two leaves bytes that nobody may read; the next look removes them.

    Raises:
        NotFoundError: no bytes of it were ever here.
        IllegalTransitionError: it was erased before.
        FileHeldError: a legal hold keeps it.
    """

    request: file_service_pb2.EraseFileRequest
    principal: str
    read: ReadFileValue
    weight: int = 1

    @property
    def response_type(self) -> type[file_service_pb2.EraseFileResponse]:
        return file_service_pb2.EraseFileResponse

    def answer(self, tx: Transaction) -> file_service_pb2.EraseFileResponse:
        sha256 = self.request.sha256.hex()
        row = files.find(tx.conn, sha256)
        if row is None:
            raise NotFoundError(f"no bytes of file {sha256} are here")
        tx.catch_up()  # so that an alert that names it counts
        FileHolds.read(tx.conn).require_released(tx.conn, sha256)
        files.put(tx.conn, _erased(row, tx.now_ms, by=self.principal, reason=self.request.reason))
        return file_service_pb2.EraseFileResponse(file=self.read(tx, sha256))


@dataclass(frozen=True, slots=True)
class FilePurgeResult:
    """Digests erased, the number of files that legal holds keep, and the last digest looked at; empty at the end."""

    erased: list[str]
    held: int
    last: str


@dataclass(frozen=True, slots=True)
class PurgeFilesCommand:
    """Marks files as erased whose retention has ended: so long after the end of the last alert that names them, or
    after they came where none does. A file that a legal hold keeps stays."""

    retention_ms: int
    after: str = ""
    weight: int = PURGE_BATCH

    def execute(self, tx: Transaction) -> FilePurgeResult:
        before = tx.now_ms - self.retention_ms
        rows = files.added_before(tx.conn, before, after=self.after, limit=PURGE_BATCH)
        ended = [row for row in rows if events.last_end_naming(tx.conn, row.sha256) < before]
        holds = FileHolds.read(tx.conn)
        due = [row for row in ended if not holds.on(tx.conn, row.sha256)]
        reason = "its retention has ended"
        for row in due:
            files.put(tx.conn, _erased(row, tx.now_ms, by="gateway", reason=reason))
        if due:
            event = AuditEntry(
                time_ms=tx.now_ms,
                principal=f"gateway/{tx.own_node}",
                method=PURGE_METHOD,
                result=AuditResult.ALLOW,
                detail=reason,
                subject_ids=tuple(row.sha256 for row in due),
                counts=(("bytes", sum(row.size for row in due)), ("files", len(due))),
            )
            audit.append(tx.conn, [event])
        last = rows[-1].sha256 if len(rows) == PURGE_BATCH else ""
        return FilePurgeResult([row.sha256 for row in due], len(ended) - len(due), last)


def forget_alert(conn: Connection, publisher: str, alert_id: str, digests: Collection[str], *, at_ms: int) -> None:
    """Marks files of an alert that was erased as erased, without their names, where no other alert names them.

    The bytes are removed at the next look for leftovers.
    """
    fetches.forget_alert(conn, publisher, alert_id)
    for sha256, row in files.find_all(conn, digests).items():
        if row.state is not StoredState.ERASED and not events.alerts_naming(conn, sha256):
            erased = _erased(row, at_ms, by="gateway", reason="the alert was erased")
            files.put(conn, replace(erased, file_name="", description=""))


def _erased(row: FileRow, now_ms: int, *, by: str, reason: str) -> FileRow:
    state = after(row.state, FileStep.ERASE)
    return replace(row, state=state, reason=reason, erased_at=now_ms, erased_by=by)
