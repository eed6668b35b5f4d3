"""Verifies databases and exports evidence, also beside a running node; rebuilds projections of a stopped one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.attachments.service.verification import STEP as FILES_STEP
from gateway.attachments.service.verification import wrong_files
from gateway.casework.projection.index import CaseworkProjection, casework_is_complete
from gateway.casework.projection.rebuild import rebuild_casework
from gateway.db import migrate
from gateway.db.database import Database
from gateway.errors import ConfigurationError, GatewayError, StoreDamagedError
from gateway.evidence.codec.audit_head import SignedAuditHead
from gateway.evidence.codec.bundle import Bundle
from gateway.evidence.service import verification
from gateway.evidence.service.answer_export import export_answer
from gateway.evidence.service.audit_heads import AUDIT_HEAD_FILE, read_head_file
from gateway.evidence.service.audit_verification import STEP as AUDIT_STEP
from gateway.evidence.service.export import export_parts
from gateway.evidence.service.feed_verification import Progress
from gateway.evidence.service.findings import DatabaseFinding
from gateway.evidence.service.projection_verification import Follower, Rebuilding
from gateway.evidence.service.verification import DatabaseReport, verify_database
from gateway.feed.projection.projector import Projector
from gateway.feed.projection.rebuild import RebuildReport, rebuild
from gateway.feed.service.writing.writer import Writer
from gateway.feed.tables import journal
from gateway.history.projection.rebuild import rebuild_records
from gateway.history.tables import shipments
from gateway.node.assembly.history import retention_of
from gateway.node.assembly.node import system_clock_ms
from gateway.node.backups.start import detect_restored
from gateway.node.capabilities.attachments import file_store
from gateway.node.existing_data import accepted_directory, existing_database, require_database_file
from gateway.node.marks import open_marks
from gateway.node.projections import registry
from gateway.node.settings import Settings
from gateway.node.signing_keys import load_log_key, second_counts
from gateway.node.signing_tokens import SigningTokens
from gateway.node.sole_use import sole_use
from gateway.trust.pki.keys import LogKey
from gateway.trust.service.audit_queue import AuditQueue
from gateway.trust.service.directory_versions import TrustedDirectory


class Maintenance:
    """An existing database and the last accepted directory."""

    def __init__(self, settings: Settings, database: Database, trust: TrustedDirectory) -> None:
        self.database = database
        self.trust = trust
        self._settings = settings

    def verification_work(self) -> int:
        """Entries and audit events to verify; 0 if they can't be counted, which `verify` tells."""
        try:
            return verification.work_in(self.database)
        except StoreDamagedError:
            return 0

    def verify(self, progress: Progress, *, head_files: Sequence[Path] = ()) -> DatabaseReport:
        """See evidence.service.verification.

        Args:
            progress: is called with numbers of further entries.
            head_files: heads of the audit log that auditors kept; the one in the data folder counts too.

        Raises:
            ConfigurationError: a file isn't a signed head of this node's audit log.
        """
        kept = [self._kept_head(path) for path in head_files]
        wrong: list[DatabaseFinding] = []
        own = self._settings.data_dir / AUDIT_HEAD_FILE
        if own.exists():
            try:
                kept.append(self._kept_head(own))
            except ConfigurationError as error:
                wrong.append(DatabaseFinding("audit", None, AUDIT_STEP, error.message))
        settings = self._settings
        report = verify_database(
            self.database,
            self.trust,
            node=settings.node,
            progress=progress,
            kept_heads=kept,
            rebuilding=Rebuilding(
                self._projector(), retention_of(settings.history), settings.data_dir, followers=_followers(settings)
            ),
        )
        return replace(report, findings=(*report.findings, *wrong, *self._wrong_files()))

    def _wrong_files(self) -> list[DatabaseFinding]:
        """12. Kept files whose bytes aren't those of their digests."""
        if not self._settings.attachments.enabled:
            return []
        found = wrong_files(self.database, file_store(self._settings))
        return [DatabaseFinding(f"file {sha256}", None, FILES_STEP, problem) for sha256, problem in found]

    def _projector(self) -> Projector:
        settings = self._settings
        return Projector(
            registry(federation=settings.federation, node=settings.node, directory=lambda: self.trust.directory)
        )

    def _kept_head(self, path: Path) -> SignedAuditHead:
        try:
            return read_head_file(path, self.trust, self._settings.node)
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from error
        except GatewayError as error:
            raise ConfigurationError(f"{path} isn't a signed head of this node's audit log: {error.message}") from error

    def rebuild_work(self) -> int:
        """Entries and recorded items to project."""
        with self.database.read() as conn:
            return journal.head_position(conn) + shipments.last_position(conn)

    def rebuild(self, progress: Progress) -> RebuildReport:
        """See feed.projection.rebuild. Nobody else may use the database meanwhile.

        Raises:
            ConfigurationError: the node runs, or another command like this one.
        """
        with sole_use(self._settings, command="gateway rebuild"):
            return self._rebuild(progress)

    def _rebuild(self, progress: Progress) -> RebuildReport:
        settings = self._settings
        migrate.upgrade(self.database)
        with closing(open_marks(settings)) as marks, SigningTokens(settings) as tokens:
            # As at a node's start: a restored database mustn't extend a feed, and a rebuild may send dispositions.
            history = detect_restored(self.database, settings, marks, self.trust.directory, now_ms=system_clock_ms())
            writer = Writer(
                self.database,
                own_node=settings.node,
                signers=LogKey(
                    lambda: load_log_key(settings, tokens, self.trust.directory, datetime.now(UTC)),
                    second_counts=second_counts(lambda: self.trust.directory, settings.node, lambda: datetime.now(UTC)),
                ),
                clock=system_clock_ms,
                audit_queue=AuditQueue(),
                projector=self._projector(),
                history=history,
            )
            writer.start()
            try:
                report = rebuild(writer, report_progress=progress)
                records = rebuild_records(writer, self.database, retention_of(settings.history), progress=progress)
                if settings.casework.enabled:
                    rebuild_casework(writer.run, self.database)
                return replace(report, records=records)
            finally:
                writer.stop()

    def export(self, *, publisher: str, alert_id: str, recipient: str) -> Iterator[Bundle]:
        """See evidence.service.export."""
        return export_parts(self.database, self.trust, publisher=publisher, alert_id=alert_id, recipient=recipient)

    def export_answer(self, query_id: str, record_ids: Collection[str]) -> Bundle:
        """See evidence.service.answer_export."""
        return export_answer(self.database, self.trust, query_id=query_id, record_ids=record_ids)


def _followers(settings: Settings) -> Sequence[Follower]:
    """What is built behind the projections at this node, and compared with a rebuild."""
    if not settings.casework.enabled:
        return ()
    return [
        Follower(CaseworkProjection.tables, casework_is_complete, lambda database, run: rebuild_casework(run, database))
    ]


@contextmanager
def maintenance(settings: Settings, *, migrates: bool = False) -> Iterator[Maintenance]:
    """Opens a node's database and directory.

    Args:
        migrates: the command brings an older schema to the present one; others are refused such a database.

    Raises:
        ConfigurationError: no gateway database, one of another schema, or no trusted directory.
        StoreUnavailableError: the database can't be reached.
    """
    require_database_file(settings)
    trust = accepted_directory(settings)
    with existing_database(settings) as database:
        if not migrates:
            with database.read() as conn:
                migrate.require_current(conn)
        yield Maintenance(settings, database, trust)
