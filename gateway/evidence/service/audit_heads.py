"""Signs heads of the audit log in the node's own feed, and keeps the newest one outside the database.

The hash chain alone has no key: with the database one can rewrite it from any event on. A signed head fixes all events
up to it. A head signs every event by the next minute; what is younger isn't fixed yet.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.errors import GatewayError, NotFoundError
from gateway.evidence.codec.audit_head import (
    AUDIT_ENTRIES,
    SignedAuditHead,
    encode_head_file,
    head_event,
    read_head_entry,
    verify_head_file,
)
from gateway.feed.service.alarms import AUDIT_LOG, Alarms
from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.service.writing.writer import Writer
from gateway.feed.tables import feeds, heads
from gateway.feed.tables.heads import StoredTiles
from gateway.files import OWNER_ONLY, replace_file
from gateway.tlog.merkle import inclusion_proof
from gateway.tlog.proof_file import MAX_PROOF_BYTES
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditHead, AuditResult, AuditSink
from gateway.trust.service.directory_versions import TrustedDirectory

log = logging.getLogger(__name__)

AUDIT_HEAD_FILE = "audit.head"
"""Name of the file in the data folder that keeps the newest head."""

SIGN_AFTER_S = 45.0
"""Least seconds between two heads; with the caller's interval, less than a minute."""

QUIET_S = 60.0
"""Seconds between looks at a log to whose database nothing was committed."""

AUDIT_LOG_CHANGED = "AUDIT_LOG_CHANGED"
"""Reason of the audit event that tells of a log without a head that was signed."""

METHOD = "audit head"
"""Method of audit events about the log itself."""


@dataclass(frozen=True, slots=True)
class SignAuditHeadCommand:
    """Appends the audit log's present head to its feed; None when the newest entry has it already.

    Events of the same transaction are appended later and belong to the next head.
    """

    origin: FeedOrigin
    weight: int = field(default=1, init=False)

    def execute(self, tx: Transaction) -> AuditHead | None:
        head = audit.read_head(tx.conn)
        newest = newest_signed(tx.conn, self.origin)
        if newest is not None and newest.head == head:
            return None
        tx.append(self.origin, new_entry(AUDIT_ENTRIES.type_name, head_event(head), now_ms=tx.now_ms), urgent=False)
        return head


def newest_signed(conn: Connection, origin: FeedOrigin) -> SignedAuditHead | None:
    """The head in the feed's newest entry, unverified; None for none."""
    size = feeds.size_of(conn, origin)
    if not size:
        return None
    (entry,) = feeds.read_entries(conn, feeds.get(conn, origin).id, size - 1, size)
    return read_head_entry(origin, entry)


def export_head(database: Database, origin: FeedOrigin, index: int | None = None) -> bytes:
    """The file of the newest signed head, or of the one at an index of the feed.

    Raises:
        NotFoundError: no head was signed yet.
    """
    with database.read() as conn:
        feed = feeds.find(conn, origin)
        if feed is None or not feed.size:
            raise NotFoundError("no head of the audit log was signed yet; a running gateway signs one within a minute")
        at = feed.size - 1 if index is None else index
        (entry,) = feeds.read_entries(conn, feed.id, at, at + 1)
        hashes = inclusion_proof(entry.index, feed.size, StoredTiles(conn, feed.id))
        checkpoint = heads.checkpoint_at(conn, feed.id, feed.size)
    note = checkpoint.note if checkpoint is not None else feed.checkpoint
    return encode_head_file(entry, tuple(hashes), note)


class AuditHeadSigner:
    """Signs a head whenever there are new events, at most every SIGN_AFTER_S; thread-safe.

    The newest head is kept in a file beside the database. If the log no longer passes through it, somebody changed the
    log or restored a backup: an alarm and an audit event say so before the file moves on.
    """

    def __init__(
        self,
        database: Database,
        *,
        writer: Writer,
        origin: FeedOrigin,
        kept: Path,
        trust: Callable[[], TrustedDirectory],
        record: AuditSink,
        alarms: Alarms,
        clock: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`kept`: the file of the newest head."""
        self._database = database
        self._writer = writer
        self._origin = origin
        self._kept = kept
        self._trust = trust
        self._record = record
        self._alarms = alarms
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._signed: SignedAuditHead | None = None
        self._sign_at_s = 0.0
        self._compared = False
        self._waits = False  # for a time at which a head counts
        self._news = NewsSince(database.commits, most_s=QUIET_S)

    @property
    def is_due(self) -> bool:
        """Whether there may be new events, and the last head is old enough: call `step` then."""
        return self._monotonic_s() >= self._sign_at_s and self._news.is_due

    def step(self) -> None:
        """Signs if there are new events and the last head is old enough; raises GatewayError or OSError."""
        with self._lock:
            if self._monotonic_s() < self._sign_at_s:
                return
            self._read_kept()
            with self._database.read() as conn:
                head = audit.read_head(conn)
            if self._signed is None or head != self._signed.head:
                self._sign()
            self._news.looked()

    def finish(self) -> None:
        """Commits waiting events and signs a last head; raises GatewayError or OSError."""
        with self._lock:
            self._writer.flush_audit()
            self._read_kept()
            self._sign()

    def _sign(self) -> None:
        self._compare_signed()
        if not self._counts_now():
            return
        self._writer.run(SignAuditHeadCommand(self._origin))
        # A crash here leaves an older head in the file, and the log passes through that one too.
        replace_file(self._kept, export_head(self._database, self._origin), mode=OWNER_ONLY)
        with self._database.read() as conn:
            self._signed = newest_signed(conn, self._origin)
        self._sign_at_s = self._monotonic_s() + SIGN_AFTER_S

    def _counts_now(self) -> bool:
        """Whether a head that is signed now verifies: by this clock a log key of the node counts.

        Otherwise it would be a head that `gateway verify` finds wrong for good.
        """
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        counts = bool(self._trust().log_verifiers(self._origin, now))
        if not counts and not self._waits:
            log.error(
                "the audit log's head isn't signed: at %s, by this clock, the directory lets no log key of this node "
                "count; set the clock right, or put a version of the directory in force",
                now.isoformat(timespec="seconds"),
            )
        self._waits = not counts
        return counts

    def _read_kept(self) -> None:
        """Compares the log with the head kept by an earlier process, once."""
        if self._compared:
            return
        try:
            if self._kept.exists():
                self._signed = read_head_file(self._kept, self._trust(), self._origin.publisher)
        except GatewayError as error:
            self._report(f"{self._kept} holds no head signed by this node: {error.message}")
        self._compare_signed()
        self._compared = True

    def _compare_signed(self) -> None:
        """Compares the log with the last head that this node knows to have signed."""
        signed = self._signed
        if signed is None:
            return
        seq = signed.head.seq
        with self._database.read() as conn:
            stored = audit.hash_at(conn, seq)
            heads = feeds.size_of(conn, self._origin)
        if stored == signed.head.hash and heads > signed.index:
            return
        self._signed = None  # said once
        if stored is None:
            self._report(f"event {seq} of the audit log, covered by a signed head, is missing")
        elif stored != signed.head.hash:
            self._report(f"the audit log up to event {seq} isn't the one under the head that was signed over it")
        else:
            self._report(
                f"signed heads of the audit log are missing: there are {heads}, and one has number {signed.index}"
            )

    def _report(self, what: str) -> None:
        self._alarms.set(
            AUDIT_LOG, "head", f"{what}: a backup was restored, or the database was changed; run `gateway verify`"
        )
        self._record(
            AuditEntry(
                time_ms=self._clock(),
                principal=f"gateway/{self._origin.publisher}",
                method=METHOD,
                result=AuditResult.ERROR,
                reason=AUDIT_LOG_CHANGED,
                detail=what,
            )
        )


def read_head_file(path: Path, trust: TrustedDirectory, node: str) -> SignedAuditHead:
    """The verified head in a file.

    Raises:
        MalformedError, VerificationError: as `verify_head_file`.
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_PROOF_BYTES + 1)
    return verify_head_file(data, trust, node)
