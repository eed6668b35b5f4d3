"""Statements on answered requests, so that a resent one has no second effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from sqlalchemy import Connection, and_, bindparam, delete, or_, select

from gateway.db.database import Database
from gateway.db.statements import Prepared, PreparedList, insert_rows
from gateway.feed.tables.schema import requests

_COLUMNS = ("request_id", "principal", "digest", "response", "checksum", "answered_at")

_CHUNK = 1_000
_AFTER = (
    select(requests)
    .where(
        or_(
            requests.c.request_id > bindparam("request_id"),
            and_(requests.c.request_id == bindparam("request_id"), requests.c.principal > bindparam("principal")),
        )
    )
    .order_by(requests.c.request_id, requests.c.principal)
    .limit(_CHUNK)
)


_FIND = PreparedList(
    select(requests).where(
        requests.c.principal == bindparam("by"), requests.c.request_id.in_(bindparam("values", expanding=True))
    )
)
_FORGET = Prepared(
    delete(requests).where(
        requests.c.request_id == bindparam("request_id"), requests.c.principal == bindparam("principal")
    )
)


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request of 16 id bytes, with the SHA-256 of its body and its answer."""

    request_id: bytes
    principal: str
    digest: bytes
    response: bytes

    @property
    def checksum(self) -> int:
        """CRC-32 of the row, never 0: nothing else says what was answered."""
        row = b"\0".join((self.request_id, self.principal.encode(), self.digest, self.response))
        return crc32(row) or 1


def remember(conn: Connection, answered: Sequence[AnsweredRequest], *, now_ms: int) -> bool:
    """Stores answers; False if not all were new: roll back, since some were stored."""
    rows = [(a.request_id, a.principal, a.digest, a.response, a.checksum, now_ms) for a in answered]
    return insert_rows(conn, requests, _COLUMNS, rows, or_ignore=True) == len(rows)


def find(conn: Connection, principal: str, request_ids: Iterable[bytes]) -> dict[bytes, AnsweredRequest]:
    """Stored answers to a principal's requests, by id."""
    rows = _FIND(conn, list(request_ids), by=principal)
    return {bytes(row[0]): AnsweredRequest(bytes(row[0]), row[1], bytes(row[2]), bytes(row[3])) for row in rows}


def forget(conn: Connection, before_ms: int, most: int) -> int:
    """Removes answers given before a time, the oldest first; returns their number."""
    old = conn.execute(
        select(requests.c.request_id, requests.c.principal)
        .where(requests.c.answered_at < before_ms)
        .order_by(requests.c.answered_at)
        .limit(most)
    ).all()
    for request_id, principal in old:
        _FORGET(conn, request_id=bytes(request_id), principal=principal)
    return len(old)


def forget_ids(conn: Connection, request_ids: Iterable[bytes]) -> None:
    """Removes answers that have the words of something erased; a repeated request must be refused by what it made."""
    conn.execute(delete(requests).where(requests.c.request_id.in_(list(request_ids))))


def damaged(database: Database) -> Iterator[str]:
    """Describes each row that isn't what was stored; rows without a checksum, of earlier versions, pass."""
    last: tuple[bytes, str] = (b"", "")
    while True:
        with database.read() as conn:
            rows = conn.execute(_AFTER, {"request_id": last[0], "principal": last[1]}).all()
        if not rows:
            return
        for row in rows:
            stored = AnsweredRequest(bytes(row.request_id), row.principal, bytes(row.digest), bytes(row.response))
            if row.checksum not in (0, stored.checksum):
                yield f"the answer to request {stored.request_id.hex()} of {stored.principal} was changed"
        last = (bytes(rows[-1].request_id), rows[-1].principal)
