"""Statements on proposals for own lists and on their parts."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select

from gateway.db.statements import Prepared, insert_rows
from gateway.watchlists.tables.schema import list_imports, list_parts, list_proposals
from gateway.watchlists.tables.upsert import upsert, values_of


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """`state`: open (parts may follow), complete, approved or rejected."""

    proposal_id: str
    list: str
    proposer: str
    note: str
    proposed_at: int
    changes: int
    state: str


_PROPOSAL_COLUMNS = tuple(list_proposals.c.keys())

_PROPOSAL = Prepared(select(list_proposals).where(list_proposals.c.proposal_id == bindparam("id")))
_PARTS = Prepared(
    select(list_parts.c.feed_id, list_parts.c.idx)
    .where(list_parts.c.proposal_id == bindparam("id"))
    .order_by(list_parts.c.idx)
)
_IMPORTED = Prepared(
    select(list_imports.c.proposal_id).where(
        list_imports.c.list == bindparam("name"), list_imports.c.digest == bindparam("digest")
    )
)
_FORGET_IMPORT = Prepared(delete(list_imports).where(list_imports.c.proposal_id == bindparam("id")))


def proposal(conn: Connection, proposal_id: str) -> ProposalRow | None:
    """A proposal by id, or None."""
    row = _PROPOSAL(conn, id=proposal_id).one_or_none()
    return None if row is None else ProposalRow(*row)


def put_proposal(conn: Connection, row: ProposalRow) -> None:
    """Writes the current state of a proposal."""
    upsert(conn, list_proposals, _PROPOSAL_COLUMNS, [values_of(row, _PROPOSAL_COLUMNS)])


def waiting_proposals(conn: Connection, *conditions: ColumnElement[bool], after: str, limit: int) -> list[ProposalRow]:
    """Complete, undecided proposals, oldest first."""
    query = (
        select(list_proposals)
        .where(list_proposals.c.state == "complete", list_proposals.c.proposal_id > after, *conditions)
        .order_by(list_proposals.c.proposal_id)
        .limit(limit)
    )
    return [ProposalRow(*row) for row in conn.execute(query)]


def open_proposals(conn: Connection) -> list[str]:
    """Ids of incomplete proposals, oldest first."""
    query = select(list_proposals.c.proposal_id).where(list_proposals.c.state == "open")
    return list(conn.execute(query.order_by(list_proposals.c.proposal_id)).scalars())


def add_part(conn: Connection, proposal_id: str, feed_id: int, idx: int) -> None:
    """Records the feed position of a proposal's part."""
    insert_rows(conn, list_parts, ("proposal_id", "idx", "feed_id"), [(proposal_id, idx, feed_id)])


def parts_of(conn: Connection, proposal_id: str) -> list[tuple[int, int]]:
    """Feed positions of a proposal's parts, in order: (feed id, index)."""
    return [(row[0], row[1]) for row in _PARTS(conn, id=proposal_id)]


def imported_before(conn: Connection, list_name: str, digest: bytes) -> str:
    """Id of an import's waiting proposal with these changes of a list; empty if there is none."""
    row = _IMPORTED(conn, name=list_name, digest=digest).one_or_none()
    return "" if row is None else str(row[0])


def keep_changes(conn: Connection, list_name: str, digest: bytes, proposal_id: str) -> None:
    """Notes what an import's proposal changes, until it is decided; the key is unique."""
    insert_rows(conn, list_imports, ("list", "digest", "proposal_id"), [(list_name, digest, proposal_id)])


def release_changes(conn: Connection, proposal_id: str) -> None:
    """Lets the changes of a decided proposal be proposed again."""
    _FORGET_IMPORT(conn, id=proposal_id)
