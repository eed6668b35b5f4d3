"""Proposals of a register's changes, each with where it stands: statements on a table of any register."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Table, bindparam, delete, insert, select

from gateway.db.statements import Prepared
from gateway.errors import MalformedError
from gateway.persons.rules.four_eyes import ProposalState


class PlacedProposal(NamedTuple):
    """A proposal and where it stands; `state`: complete, approved or rejected."""

    proposal_id: str
    state: str
    feed_id: int
    idx: int


class RegisterProposals:
    """The proposals of one register, in a table with the columns of `PlacedProposal`."""

    def __init__(self, table: Table) -> None:
        is_it = table.c.proposal_id == bindparam("id")
        self._table = table
        self._find = Prepared(select(table).where(is_it))
        self._drop = Prepared(delete(table).where(is_it))
        self._add = Prepared(insert(table))

    def find(self, conn: Connection, proposal_id: str) -> PlacedProposal | None:
        """A proposal by id, or None."""
        row = self._find(conn, id=proposal_id).one_or_none()
        return None if row is None else PlacedProposal(*row)

    def add(self, conn: Connection, proposal_id: str, feed_id: int, index: int) -> None:
        """Notes a proposal that waits."""
        self._put(conn, PlacedProposal(proposal_id, ProposalState.COMPLETE.value, feed_id, index))

    def decide(self, conn: Connection, proposal_id: str, state: ProposalState) -> PlacedProposal:
        """Notes a decision; raises MalformedError where none is waited for."""
        row = self.find(conn, proposal_id)
        if row is None or row.state != ProposalState.COMPLETE:
            raise MalformedError(f"proposal {proposal_id} doesn't wait for a decision")
        self._put(conn, row._replace(state=state.value))
        return row

    def waiting(self, conn: Connection, *, after: str, limit: int) -> list[PlacedProposal]:
        """Undecided proposals, oldest first."""
        table = self._table.c
        query = (
            select(self._table)
            .where(table.state == ProposalState.COMPLETE.value, table.proposal_id > after)
            .order_by(table.proposal_id)
            .limit(limit)
        )
        return [PlacedProposal(*row) for row in conn.execute(query)]

    def _put(self, conn: Connection, row: PlacedProposal) -> None:
        self._drop(conn, id=row.proposal_id)
        self._add(conn, **row._asdict())
