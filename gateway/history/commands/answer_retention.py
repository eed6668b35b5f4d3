"""Removes queries and answers whose retention has ended."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from gateway.contract.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.commands.retention import PURGE_METHOD
from gateway.history.service.queries import DAY_MS
from gateway.history.tables import answers, holds
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.v1 import history_pb2

PURGED_AT_ONCE = 20
"""Answers in one transaction: some thousand rows."""

ORPHAN_DAYS = 8
"""Days back to search for records without an answer."""


@dataclass(frozen=True, slots=True)
class PurgeAnswersCommand:
    """Removes answers whose retention has ended; returns how many were due: repeat it until 0.

    A legal hold on the case keeps an answer for another day.
    """

    weight: int = PURGED_AT_ONCE

    def execute(self, tx: Transaction) -> int:
        due = answers.due(tx.conn, tx.now_ms, PURGED_AT_ONCE)
        if not due:
            return 0
        held = {hold.case_reference for hold in holds.all_of(tx.conn, released=False)}
        going = []
        for row in due:
            if history_pb2.HistoryQuery.FromString(row.query).grounds.case_reference in held:
                answers.keep_until(tx.conn, row, tx.now_ms + DAY_MS)
            else:
                answers.remove(tx.conn, row)
                going.append(row)
        if going:
            digest = sha256(b"".join(row.query + row.statement for row in going)).hexdigest()
            event = AuditEntry(
                time_ms=tx.now_ms,
                principal=f"gateway/{tx.own_node}",
                method=PURGE_METHOD,
                result=AuditResult.ALLOW,
                detail=f"retention of questions and answers has ended; SHA-256 over queries and statements {digest}",
                subject_ids=tuple(row.query_id for row in going),
                counts=(("answers", len(going)), ("records", sum(row.count for row in going))),
            )
            audit.append(tx.conn, [event])
        return len(due)


@dataclass(frozen=True, slots=True)
class PurgeOrphansCommand:
    """Removes records of answers that a crash cut off.

    An answer ends within a minute, so day-old records without one never get one.
    """

    weight: int = PURGED_AT_ONCE

    def execute(self, tx: Transaction) -> int:
        first, last = (uuid7(max(0, tx.now_ms - days * DAY_MS), bytes(UUID7_RANDOM_BYTES)) for days in (ORPHAN_DAYS, 1))
        return answers.remove_orphans(tx.conn, first, last)
