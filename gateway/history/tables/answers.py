"""Statements on queries for shipment history and their answers.

Received records are stored some hundred to a row, so that a large answer is written in parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, update

from gateway.db.statements import Prepared, insert_rows
from gateway.history.tables.schema import history_answer_proofs, history_answer_records, history_answers, history_pages

MAX_REASON_CHARS = 1_024

ASKED, ANSWERED = 0, 1
"""Sides: this node queried, or was queried."""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """A query and its outcome.

    Attributes:
        actor: our system that asked, or the partner's gateway.
        asked_at, ended_at, delete_at: milliseconds since 1970.
        outcome: e.g. complete, denied.
        reason: for people.
        query, note, statement: bytes as sent; the statement may be empty.
    """

    side: int
    query_id: str
    partner: str
    actor: str
    asked_at: int
    ended_at: int
    delete_at: int
    outcome: str
    reason: str
    count: int
    query: bytes
    note: bytes
    statement: bytes


class ProofRow(NamedTuple):
    """The proof beside an answer; `head` is root and key of the head numbered so."""

    query_id: str
    partner: str
    number: int
    head: bytes
    proof: bytes


class AskedRow(NamedTuple):
    """Of a query of this node, what a list of answers shows."""

    query_id: str
    partner: str
    asked_at: int
    records: int
    query: bytes


@dataclass(frozen=True, slots=True)
class PageRow:
    """Where an answer to a partner goes on.

    Attributes:
        before, as_of: as the partner was told.
        query_id: of the answer before.
        before_position, as_of_position: of the records; the partner isn't told.
        recorded_position: last one when the first page was searched.
    """

    partner: str
    before: int
    query_id: str
    as_of: int
    before_position: int
    as_of_position: int
    recorded_position: int


_PROOF = Prepared(select(history_answer_proofs).where(history_answer_proofs.c.query_id == bindparam("with_id")))
_NUMBERED = Prepared(
    select(history_answer_proofs)
    .where(
        history_answer_proofs.c.partner == bindparam("of_partner"),
        history_answer_proofs.c.number == bindparam("numbered"),
    )
    .limit(1)
)
_COLUMNS = tuple(history_answers.c.keys())
_PAGE_COLUMNS = tuple(history_pages.c.keys())

_FIND = Prepared(
    select(history_answers).where(
        history_answers.c.side == bindparam("of_side"), history_answers.c.query_id == bindparam("with_id")
    )
)
_PAGE = Prepared(
    select(history_pages).where(
        history_pages.c.partner == bindparam("of_partner"), history_pages.c.before == bindparam("told_before")
    )
)


def add(conn: Connection, row: AnswerRow) -> None:
    """Inserts a new row."""
    # PostgreSQL's text has no NUL, which a partner may send.
    kept = replace(row, reason=row.reason[:MAX_REASON_CHARS].replace("\0", "\ufffd"))
    insert_rows(conn, history_answers, _COLUMNS, [tuple(getattr(kept, name) for name in _COLUMNS)])


def find(conn: Connection, side: int, query_id: str) -> AnswerRow | None:
    """The row of a query."""
    row = _FIND(conn, of_side=side, with_id=query_id).one_or_none()
    return None if row is None else AnswerRow(*row)


def newest_asked(conn: Connection, before: str, limit: int) -> list[AskedRow]:
    """Queries of this node whose answer has records, the newest first, of ids below one."""
    table = history_answers
    rows = conn.execute(
        select(table.c.query_id, table.c.partner, table.c.asked_at, table.c.count, table.c.query)
        .where(table.c.side == ASKED, table.c.query_id < before, table.c.count > 0)
        .order_by(table.c.query_id.desc())
        .limit(limit)
    )
    return [AskedRow(*row) for row in rows]


def add_page(conn: Connection, row: PageRow) -> None:
    """Inserts where an answer goes on."""
    insert_rows(conn, history_pages, _PAGE_COLUMNS, [tuple(getattr(row, name) for name in _PAGE_COLUMNS)])


def find_page(conn: Connection, partner: str, before: int) -> PageRow | None:
    """Where a partner's answer goes on, by the number that it was told."""
    row = _PAGE(conn, of_partner=partner, told_before=before).one_or_none()
    return None if row is None else PageRow(*row)


def add_proof(conn: Connection, row: ProofRow) -> None:
    """Inserts the proof beside an answer."""
    insert_rows(conn, history_answer_proofs, ProofRow._fields, [row])


def proof(conn: Connection, query_id: str) -> bytes:
    """The proof beside an answer; empty for none."""
    row = _PROOF(conn, with_id=query_id).one_or_none()
    return b"" if row is None else ProofRow(*row).proof


def numbered_proof(conn: Connection, partner: str, number: int) -> ProofRow | None:
    """A proof by the head of this number of a partner."""
    row = _NUMBERED(conn, of_partner=partner, numbered=number).one_or_none()
    return None if row is None else ProofRow(*row)


def add_records(conn: Connection, query_id: str, first: int, records: bytes) -> None:
    """Inserts part of an answer: a serialised AnswerRecords, with the number of its first record."""
    insert_rows(conn, history_answer_records, ("query_id", "first", "records"), [(query_id, first, records)])


def records(conn: Connection, query_id: str) -> list[tuple[int, bytes]]:
    """Parts of an answer in order, with the number of their first record."""
    table = history_answer_records
    rows = conn.execute(
        select(table.c.first, table.c.records).where(table.c.query_id == query_id).order_by(table.c.first)
    )
    return [(row.first, bytes(row.records)) for row in rows]


def ids_after(conn: Connection, side: int, after: str, limit: int) -> list[str]:
    """Query ids in order."""
    where = (history_answers.c.side == side, history_answers.c.query_id > after)
    rows = conn.execute(
        select(history_answers.c.query_id).where(*where).order_by(history_answers.c.query_id).limit(limit)
    )
    return list(rows.scalars())


def due(conn: Connection, now_ms: int, limit: int) -> list[AnswerRow]:
    """Rows whose retention has ended, oldest first."""
    table = history_answers
    rows = conn.execute(select(table).where(table.c.delete_at <= now_ms).order_by(table.c.delete_at).limit(limit))
    return [AnswerRow(*row) for row in rows]


def remove(conn: Connection, row: AnswerRow) -> None:
    """Removes a row with its records."""
    conn.execute(delete(history_answers).where(*_is(row)))
    if row.side == ASKED:
        conn.execute(delete(history_answer_records).where(history_answer_records.c.query_id == row.query_id))
        conn.execute(delete(history_answer_proofs).where(history_answer_proofs.c.query_id == row.query_id))
    else:
        conn.execute(delete(history_pages).where(history_pages.c.query_id == row.query_id))


def remove_orphans(conn: Connection, first_id: str, last_id: str) -> int:
    """Removes records without a query, as a crash leaves them."""
    chunks, asked = history_answer_records, history_answers
    known = select(asked.c.query_id).where(asked.c.side == ASKED, asked.c.query_id.between(first_id, last_id))
    gone = conn.execute(
        delete(chunks).where(chunks.c.query_id.between(first_id, last_id), chunks.c.query_id.not_in(known))
    )
    return gone.rowcount


def keep_until(conn: Connection, row: AnswerRow, delete_at: int) -> None:
    """Extends a row's retention; milliseconds since 1970."""
    conn.execute(update(history_answers).where(*_is(row)).values(delete_at=delete_at))


def _is(row: AnswerRow) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return history_answers.c.side == row.side, history_answers.c.query_id == row.query_id
