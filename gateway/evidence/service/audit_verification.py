"""Verifies the audit log against its signed heads (step 8 of `verification`).

The feed of heads itself was verified in steps 1 to 6.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.db.database import Database
from gateway.errors import GatewayError, VerificationError
from gateway.evidence import tables as inspection
from gateway.evidence.codec.audit_head import SignedAuditHead, audit_feed, read_head_entry
from gateway.evidence.tables import FeedRow
from gateway.feed.tables import feeds
from gateway.plurals import counted
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditHead

STEP = "8 audit"

CHUNK = 1_000
"""Signed heads read at once."""

Add = Callable[[int | None, str], None]
"""Called with an event's number (None if unknown) and a problem."""


@dataclass(frozen=True, slots=True)
class AuditCoverage:
    """What signed heads say about the audit log.

    Attributes:
        since: when the first head was signed: later changes to events under it show.
        recorded_before: events recorded before that.
        signed: last event under a signed head.
    """

    since: datetime
    recorded_before: int
    signed: int


@dataclass(slots=True)
class _Coverage:
    """Notes signed heads as they are read."""

    first: SignedAuditHead | None = None
    last: SignedAuditHead | None = None

    def note(self, heads: Iterable[SignedAuditHead]) -> Iterator[SignedAuditHead]:
        for head in heads:
            self.first = self.first or head
            self.last = head
            yield head

    def result(self) -> AuditCoverage | None:
        if self.first is None or self.last is None:
            return None
        return AuditCoverage(self.first.signed_at, self.first.head.seq, self.last.head.seq)


def check_audit(
    database: Database,
    rows: Sequence[FeedRow],
    kept_heads: Iterable[SignedAuditHead],
    add: Add,
    *,
    federation: str,
    node: str,
) -> tuple[int, AuditCoverage | None]:
    """Verifies the chain through the node's signed heads and those kept elsewhere.

    Returns:
        The number of events, and what the node's own feed vouches for; None if nothing.
    """
    origin = audit_feed(federation, node).line
    outside = tuple(kept_heads)
    row = next((row for row in rows if row.origin == origin), None)
    kept = sorted((signed.head for signed in outside), key=_sequence)
    coverage = _Coverage()
    with database.read() as conn:
        try:
            own = (signed.head for signed in coverage.note(_signed_heads(conn, row))) if row is not None else ()
            length = audit.verify_chain(conn, trusted_heads=heapq.merge(own, kept, key=_sequence)).seq
        except VerificationError as error:
            add(int(error.metadata["seq"]), error.message)
            return inspection.audit_length(conn), None
        except GatewayError as error:
            add(None, f"a signed head can't be read: {error.message}")
            return inspection.audit_length(conn), None
        except (TypeError, ValueError) as error:  # SQLite accepts text in place of bytes
            add(None, f"an event can't be read: {error}")
            return inspection.audit_length(conn), None
    size = 0 if row is None else row.size
    for signed in outside:
        if signed.index >= size:
            add(
                signed.head.seq,
                f"the feed of heads has {counted(size, 'entry')}, a head kept elsewhere is its entry {signed.index}",
            )
    return length, coverage.result()


def _signed_heads(conn: Connection, row: FeedRow) -> Iterator[SignedAuditHead]:
    origin = feeds.get_by_id(conn, row.id).origin
    for first in range(0, row.size, CHUNK):
        for entry in feeds.read_entries(conn, row.id, first, min(first + CHUNK, row.size)):
            signed = read_head_entry(origin, entry)
            if signed is not None:
                yield signed


def _sequence(head: AuditHead) -> int:
    return head.seq
