"""Notes what is asked for at partners, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gateway.attachments.rules.states import StoredState
from gateway.attachments.tables import fetches, files
from gateway.attachments.tables.fetches import FetchRow, FetchState
from gateway.feed.service.writing.transaction import Transaction
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult

FETCH_METHOD = "fetch_file"
"""Operation in the audit log: the end of what RequestFile began."""


@dataclass(frozen=True, slots=True)
class RequestCommand:
    """Keeps the wish for a file; True when it is to be fetched, False when it is here or on its way already."""

    row: FetchRow
    weight: int = 1

    def execute(self, tx: Transaction) -> bool:
        known = files.find(tx.conn, self.row.sha256)
        if known is not None and known.state is not StoredState.ERASED:
            return False
        before = fetches.of_files(tx.conn, [self.row.sha256])
        if any(one.state is FetchState.WAITING for one in before):
            return False
        fetches.put(tx.conn, replace(self.row, asked_at=tx.now_ms))
        return True


@dataclass(frozen=True, slots=True)
class NoteFetchCommand:
    """Notes why a fetch waits, or that it was refused; a refusal is told in the audit log."""

    row: FetchRow
    refused: bool
    code: str
    reason: str
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        fetches.note(
            tx.conn,
            self.row.sha256,
            self.row.partner,
            state=FetchState.REFUSED if self.refused else FetchState.WAITING,
            reason=self.reason,
            attempts=self.row.attempts + 1,
            ended_at=tx.now_ms if self.refused else 0,
        )
        if self.refused:
            audit.append(
                tx.conn, [fetch_event(self.row, tx, result=AuditResult.DENY, code=self.code, text=self.reason)]
            )


def fetch_event(
    row: FetchRow, tx: Transaction, *, result: AuditResult, code: str, text: str = "", size: int = 0
) -> AuditEntry:
    """The end of a fetch, with the purpose and case for which it was asked."""
    return AuditEntry(
        time_ms=tx.now_ms,
        principal=row.asked_by,
        method=FETCH_METHOD,
        result=result,
        reason=code,
        detail="; ".join(filter(None, (f"from {row.partner}", text))),
        purpose=row.purpose,
        case_reference=row.case_reference,
        subject_ids=(row.sha256, row.alert_id),
        counts=(("bytes", size),) if size else (),
    )
