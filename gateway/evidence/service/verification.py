"""Verifies a whole database: recomputes everything signed from the stored bytes, and everything else that it can.

It only reads, a bounded number of rows per short transaction, so it can run beside a working gateway: committed rows
never change, and later ones are ignored. A scratch copy outside the database takes the rebuilt projections.

First the database itself:

0. database: its engine's own check, tables as the code needs them, and rows that carry a checksum
   (evidence.service.database_check). On SQLite each row that can't be recomputed stands in an index too, which the
   engine compares with the table.

For each feed (evidence.service.feed_verification):

1. head: size, entries and checkpoints reach equally far.
2. entries: none is missing; each header is canonical, and payload and salt are those that it commits to.
3. tree: at every checkpoint the leaves lead to the signed root, or else stored leaf hashes tell which entry was
   changed. Every stored tile hash is the computed one.
4. checkpoints: each agrees with its columns, and a log key of the feed's publisher has signed it.
5. receipts: each cosignature is the recipient's, of the time in its column.
6. head: edge, newest checkpoint and receipted size are those computed.

For the whole database:

7. journal: every entry has one position, and positions have no gap; entries at a feed's end have none while the first
   of them waits for more of the reverse feed.
8. audit: the hash chain of audit events is whole and passes through every signed head of it, the newest kept beside the
   database and those that auditors kept (evidence.service.audit_verification).
9. records: shipment records agree with the log of records (evidence.service.record_verification).
10. answers: answers about shipments are those signed (evidence.service.answer_verification).
11. projections: they are what a rebuild gives (evidence.service.projection_verification).

A damaged row becomes a finding, and so does whatever fails because of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.contract.ids import Channel, FeedOrigin
from gateway.db.database import Database
from gateway.errors import MalformedError
from gateway.evidence import tables as inspection
from gateway.evidence.codec.audit_head import SignedAuditHead, audit_feed
from gateway.evidence.service.answer_verification import STEP as ANSWERS_STEP
from gateway.evidence.service.answer_verification import check_answers
from gateway.evidence.service.audit_verification import STEP as AUDIT_STEP
from gateway.evidence.service.audit_verification import AuditCoverage, check_audit
from gateway.evidence.service.database_check import STEP as DATABASE_STEP
from gateway.evidence.service.database_check import check_database
from gateway.evidence.service.feed_verification import FeedCheck, FeedSummary, Progress
from gateway.evidence.service.findings import DatabaseFinding, FindingList
from gateway.evidence.service.journal_verification import check_journal
from gateway.evidence.service.projection_verification import STEP as PROJECTIONS_STEP
from gateway.evidence.service.projection_verification import Rebuilding, check_projections
from gateway.evidence.service.record_verification import STEP as RECORDS_STEP
from gateway.evidence.service.record_verification import check_records
from gateway.evidence.tables import FeedRow
from gateway.feed.tables import journal
from gateway.trust.service.directory_versions import TrustedDirectory


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """Numbers verified and findings; without findings everything holds.

    Attributes:
        audit_coverage: what signed heads vouch for; None if nothing.
        projected: rows of projections compared with rebuilt ones.
        unchecked: sentences on what couldn't be checked.
    """

    feeds: tuple[FeedSummary, ...]
    audit_events: int
    records: int
    findings: tuple[DatabaseFinding, ...]
    answers: int = 0
    audit_coverage: AuditCoverage | None = None
    projected: int = 0
    unchecked: tuple[str, ...] = ()


def work_in(database: Database) -> int:
    """Entries and audit events to verify, for a progress bar."""
    with database.read() as conn:
        return sum(row.size for row in inspection.feed_rows(conn)) + inspection.audit_length(conn)


def verify_database(
    database: Database,
    trust: TrustedDirectory,
    *,
    node: str,
    progress: Progress,
    kept_heads: Sequence[SignedAuditHead] = (),
    rebuilding: Rebuilding | None = None,
) -> DatabaseReport:
    """Verifies everything by these steps.

    Args:
        trust: has the keys, past ones included.
        node: whose database it is.
        kept_heads: heads of the audit log from outside the database.
        rebuilding: how to build the projections; None leaves step 11 out.

    Raises:
        StoreUnavailableError: the database can't be reached.
    """
    run = _Run(database, trust, node, progress)
    return run.report(kept_heads, rebuilding)


class _Run:
    """One verification."""

    def __init__(self, database: Database, trust: TrustedDirectory, node: str, progress: Progress) -> None:
        self._database = database
        self._trust = trust
        self._node = node
        self._progress = progress
        self._findings = FindingList()
        self._unchecked: list[str] = []

    def report(self, kept_heads: Sequence[SignedAuditHead], rebuilding: Rebuilding | None) -> DatabaseReport:
        findings = self._findings
        with findings.whatever_fails("database", DATABASE_STEP):
            check_database(self._database, findings.of("database", DATABASE_STEP), self._unchecked.append)  # 0
        rows, head = self._heads()
        summaries = tuple(
            FeedCheck(self._database, row, self._trust, findings, self._progress).run() for row in rows
        )  # 1 to 6
        with findings.whatever_fails("journal", "7 journal"):
            check_journal(self._database, rows, head, findings.add)  # 7
        events, coverage = self._audit(rows, kept_heads)  # 8
        records = sum(self._records(row) for row in rows)  # 9
        answers = self._answers()  # 10
        projected = 0 if rebuilding is None else self._projections(rebuilding)  # 11
        if any(finding.place == audit_feed(self._trust.federation, self._node).line for finding in findings.found):
            coverage = None
        return DatabaseReport(
            summaries,
            events,
            records,
            tuple(findings.found),
            answers,
            coverage,
            projected,
            tuple(self._unchecked),
        )

    def _heads(self) -> tuple[list[FeedRow], int]:
        rows: list[FeedRow] = []
        head = 0
        with self._findings.whatever_fails("feeds", "1 head"), self._database.read() as conn:
            rows = inspection.feed_rows(conn)
            head = journal.head_position(conn)
        return rows, head

    def _audit(
        self, rows: Sequence[FeedRow], kept_heads: Sequence[SignedAuditHead]
    ) -> tuple[int, AuditCoverage | None]:
        events, coverage = 0, None
        with self._findings.whatever_fails("audit", AUDIT_STEP):
            events, coverage = check_audit(
                self._database,
                rows,
                kept_heads,
                lambda index, problem: self._findings.add("audit", index, AUDIT_STEP, problem),
                federation=self._trust.federation,
                node=self._node,
            )
        self._progress(events)
        return events, coverage

    def _records(self, row: FeedRow) -> int:
        """Step 9, for a log of records."""
        count = 0
        with self._findings.whatever_fails("records", RECORDS_STEP):
            try:
                if FeedOrigin.parse(row.origin).channel is not Channel.RECORDS:
                    return 0
            except MalformedError:
                return 0  # step 1 has reported it
            count = check_records(
                self._database,
                row.id,
                row.size,
                lambda position, what: self._findings.add("records", position, RECORDS_STEP, what),
            )
        return count

    def _answers(self) -> int:
        count = 0
        with self._findings.whatever_fails("answers", ANSWERS_STEP):
            count = check_answers(self._database, self._trust, self._findings.of("answers", ANSWERS_STEP))
        return count

    def _projections(self, rebuilding: Rebuilding) -> int:
        """Step 11, only of a truth in which nothing was found: otherwise it would repeat those findings."""
        if any(finding.place not in ("answers", "audit") for finding in self._findings.found):
            self._unchecked.append("projections weren't compared, since what they are built from is damaged")
            return 0
        compared = 0
        with self._findings.whatever_fails("projections", PROJECTIONS_STEP):
            compared = check_projections(
                self._database,
                rebuilding,
                node=self._node,
                add=lambda table, what: self._findings.add(table, None, PROJECTIONS_STEP, what),
                unchecked=self._unchecked.append,
            )
        return compared
