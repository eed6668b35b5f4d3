"""Stores audit events with their hash chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    func,
    literal_column,
    select,
    text,
)

from gateway.contract.limits import MAX_PAGE_SIZE
from gateway.db.schema import Id, metadata
from gateway.db.statements import Prepared, insert_rows
from gateway.errors import InvalidRequestError, MalformedError, VerificationError, Violation
from gateway.trust.rules.audit import EMPTY_HEAD, MAX_TEXT_CHARS, AuditEntry, AuditHead, AuditResult, extend

VERIFY_BATCH = 5_000

audit_events = Table(
    "audit_events",
    metadata,
    Column("seq", Id, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("principal", String(MAX_TEXT_CHARS), nullable=False),
    Column("method", String(MAX_TEXT_CHARS), nullable=False),
    Column("result", String(8), nullable=False),
    Column("reason", String(MAX_TEXT_CHARS), nullable=False),
    Column("body", LargeBinary, nullable=False),  # canonical JSON, covered by the chain
    Column("hash", LargeBinary, nullable=False),  # SHA-256 of the previous row's hash and the body
    Column("case_reference", String(MAX_TEXT_CHARS), nullable=False, server_default=""),
    # Few different values each, so that new rows go to the ends of few pages.
    Index(None, "principal", "seq"),
    Index(None, "method", "seq"),
    Index(
        "ix_audit_events_case_reference_seq",
        "case_reference",
        "seq",
        sqlite_where=text("case_reference <> ''"),
        postgresql_where=text("case_reference <> ''"),
    ),
)


_COLUMNS = ("time", "principal", "method", "result", "reason", "case_reference")
"""Search columns; they repeat the body."""

_HEAD = Prepared(select(audit_events.c.seq, audit_events.c.hash).order_by(audit_events.c.seq.desc()).limit(1))

_HASH_AT = Prepared(select(audit_events.c.hash).where(audit_events.c.seq == bindparam("event")))

_Row = Row[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Events to list; None means any. Milliseconds since 1970, `until_ms` exclusive."""

    principal: str | None = None
    method: str | None = None
    case_reference: str | None = None
    result: AuditResult | None = None
    reason: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the chain."""

    seq: int
    event: AuditEntry
    hash: bytes


def read_head(conn: Connection) -> AuditHead:
    """The unverified head; `EMPTY_HEAD` without events."""
    row = _HEAD(conn).one_or_none()
    return EMPTY_HEAD if row is None else AuditHead(row[0], bytes(row[1]))


def append(conn: Connection, events: Sequence[AuditEntry]) -> AuditHead:
    """Appends events inside the caller's transaction, in its turn (`db.membership`), and returns the new head."""
    head = read_head(conn)
    rows = []
    for event in map(AuditEntry.clipped, events):
        body = event.canonical()
        head = extend(head, body)
        rows.append((head.seq, body, head.hash, *_columns(event).values()))
    if rows:
        insert_rows(conn, audit_events, ("seq", "body", "hash", *_COLUMNS), rows)
    return head


def verify_chain(conn: Connection, *, trusted_heads: Iterable[AuditHead] = ()) -> AuditHead:
    """Verifies every event and returns the verified head.

    1. The sequence numbers start at 1 and have no gap.
    2. Each hash is SHA-256 of the previous hash and the body.
    3. Each body is canonical, and the search columns repeat it.
    4. The chain passes through every trusted head, signed by this node or kept by an auditor; they come in order.

    Raises:
        VerificationError: a step fails; `metadata["seq"]` names the first event that doesn't fit.
    """
    trusted = _TrustedHeads(trusted_heads)
    head = EMPTY_HEAD
    trusted.compare(head)
    while rows := _rows_after(conn, head.seq, VERIFY_BATCH):
        for row in rows:
            head = _verified_next(head, row)
            trusted.compare(head)
    trusted.require_none_after(head)
    return head


def hash_at(conn: Connection, seq: int) -> bytes | None:
    """The unverified chain value after an event; None without the event."""
    if seq == 0:
        return EMPTY_HEAD.hash
    stored = _HASH_AT(conn, event=seq).scalar_one_or_none()
    return None if stored is None else bytes(stored)


def list_events(
    conn: Connection, *, where: AuditFilter | None = None, before_seq: int | None = None, limit: int = 100
) -> tuple[StoredEvent, ...]:
    """Up to `limit` events before `before_seq` (None: the newest), newest first.

    The last event's `seq` is the next page's `before_seq`; a shorter page is the last. Later events don't shift pages.

    Raises:
        InvalidRequestError: `limit` or `before_seq` is out of range.
        VerificationError: a stored body isn't an audit event.
    """
    _check_page(before_seq, limit)
    query = select(audit_events).where(*_conditions(where or AuditFilter()))
    if before_seq is not None:
        query = query.where(audit_events.c.seq < before_seq)
    rows = conn.execute(query.order_by(audit_events.c.seq.desc()).limit(limit)).all()
    return tuple(StoredEvent(row.seq, _event_of(row), bytes(row.hash)) for row in rows)


def _verified_next(head: AuditHead, row: _Row) -> AuditHead:
    if row.seq != head.seq + 1:  # 1
        raise _broken(head.seq + 1, "1. sequence", f"event {head.seq + 1} is missing")
    following = extend(head, bytes(row.body))
    if following.hash != bytes(row.hash):  # 2
        raise _broken(row.seq, "2. chain", f"event {row.seq} or its predecessor was changed")
    event = _event_of(row)  # 3
    shown = {name: getattr(row, name) for name in _COLUMNS}
    if _columns(event) != shown:
        raise _broken(row.seq, "3. columns", f"the columns of event {row.seq} differ from its body")
    return following


class _TrustedHeads:
    """Step 4: trusted heads, met one after the other."""

    def __init__(self, heads: Iterable[AuditHead]) -> None:
        self._heads = iter(heads)
        self._next = next(self._heads, None)
        self._vouched = 0  # last event under a head that fits

    def compare(self, head: AuditHead) -> None:
        while self._next is not None and self._next.seq <= head.seq:
            if self._next != head:
                raise self._not_under(self._next)
            self._vouched = head.seq
            self._next = next(self._heads, None)

    def require_none_after(self, head: AuditHead) -> None:
        if self._next is not None:
            missing = f"{_events(head.seq + 1, self._next.seq)} missing: a trusted head covers {self._next.seq}"
            raise _broken(head.seq + 1, "4. trusted head", missing)

    def _not_under(self, trusted: AuditHead) -> VerificationError:
        first = min(self._vouched + 1, trusted.seq)
        return _broken(
            first, "4. trusted head", f"{_events(first, trusted.seq)} not what the trusted head of {trusted.seq} covers"
        )


def _events(first: int, last: int) -> str:
    return f"event {last} is" if first == last else f"events {first} to {last} are"


def _event_of(row: _Row) -> AuditEntry:
    try:
        return AuditEntry.from_bytes(bytes(row.body))
    except MalformedError as error:
        raise _broken(row.seq, "3. body", f"event {row.seq} isn't an audit event") from error


def _rows_after(conn: Connection, seq: int, limit: int) -> Sequence[_Row]:
    query = select(audit_events).where(audit_events.c.seq > seq).order_by(audit_events.c.seq).limit(limit)
    return conn.execute(query).all()


def _conditions(where: AuditFilter) -> list[ColumnElement[bool]]:
    """The conditions, of which one alone may use an index: the case's, else the principal's, else the method's.

    Without statistics SQLite takes the index of a method with a million events for a person who did nothing.
    """
    columns = audit_events.c
    wanted = [
        (columns.case_reference, where.case_reference),
        (columns.principal, where.principal),
        (columns.method, where.method),
        (columns.reason, where.reason),
        (columns.result, None if where.result is None else where.result.value),
    ]
    given = [(column, value) for column, value in wanted if value is not None]
    conditions = [column == value for column, value in given[:1]]
    conditions += [func.coalesce(column, "") == value for column, value in given[1:]]
    if where.case_reference is not None:
        conditions.append(columns.case_reference != literal_column("''"))
    if where.from_ms is not None:
        conditions.append(columns.time >= where.from_ms)
    if where.until_ms is not None:
        conditions.append(columns.time < where.until_ms)
    return conditions


def _check_page(before_seq: int | None, limit: int) -> None:
    violations = []
    if not 1 <= limit <= MAX_PAGE_SIZE:
        violations.append(Violation("page_size", "range", f"must be between 1 and {MAX_PAGE_SIZE}"))
    if before_seq is not None and before_seq < 1:
        violations.append(Violation("page_token", "range", "must be one that this gateway gave"))
    if violations:
        raise InvalidRequestError(violations)


def _columns(event: AuditEntry) -> dict[str, int | str]:
    return {
        "time": event.time_ms,
        "principal": event.principal,
        "method": event.method,
        "result": event.result.value,
        "reason": event.reason,
        "case_reference": event.case_reference,
    }


def _broken(seq: int, step: str, message: str) -> VerificationError:
    return VerificationError(message, step=f"audit {step}", metadata={"seq": str(seq)})
