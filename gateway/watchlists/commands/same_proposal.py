"""Finds a waiting proposal with the same changes: an import repeated before its approval makes no second one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import chain

from sqlalchemy import Connection

from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.db.database import Database
from gateway.feed.service.writing.transaction import Transaction
from gateway.persons.rules.four_eyes import ProposalState
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.commands.proposals import BY_ITSELF, PENDING_STEPS, Lists
from gateway.watchlists.service.updates import read_update
from gateway.watchlists.tables import proposals as proposal_rows
from gateway.watchlists.tables.schema import list_proposals

MOST_COMPARED = 8
"""Most waiting proposals that an import is compared with."""


class CatchUpCommand:
    """Projects what was decided so far, so that what is read next has it; a large change isn't waited for."""

    weight = 1

    def execute(self, tx: Transaction) -> None:
        tx.seal()
        for _ in range(PENDING_STEPS):
            if not tx.project(MAX_STREAM_ITEMS):
                return


def same_proposal(
    database: Database,
    proposal_id: str,
    pending: Sequence[bytes],
    *,
    list_name: str,
    count: int,
) -> str:
    """Id of a waiting proposal with the same changes in the same order; empty if there is none.

    Proposals of equal list and count are read whole, so this isn't for the writer's thread.

    Args:
        proposal_id: of the import, whose parts so far are in the log.
        pending: its other changes, serialised.
        count: number of all its changes.
    """
    of_list = (list_proposals.c.list == list_name, list_proposals.c.changes == count)
    with database.read() as conn:
        waiting = proposal_rows.waiting_proposals(conn, *of_list, after="", limit=MOST_COMPARED)
        if not waiting:
            return ""
        others = map(watchlist_pb2.WatchlistChange.FromString, pending)
        ours = _digest(chain(_changes(conn, proposal_id), others))
        return next((row.proposal_id for row in waiting if _digest(_changes(conn, row.proposal_id)) == ours), "")


def is_waiting(tx: Transaction, proposal_id: str) -> bool:
    """Whether a proposal still waits for a decision."""
    CatchUpCommand().execute(tx)
    row = proposal_rows.proposal(tx.conn, proposal_id)
    return row is not None and row.state == ProposalState.COMPLETE


def drop_proposal(tx: Transaction, lists: Lists, proposal_id: str, *, same: str) -> None:
    """Rejects an incomplete proposal of which parts are in the log; without parts there is nothing to reject."""
    if proposal_rows.proposal(tx.conn, proposal_id) is not None:
        rejected = watchlist_pb2.ProposalDecision(
            proposal_id=proposal_id, remarks=f"proposal {same} has the same changes"
        )
        tx.append(lists.origin, lists.decision(tx.now_ms, BY_ITSELF, rejected=rejected))


def _changes(conn: Connection, proposal_id: str) -> Iterator[watchlist_pb2.WatchlistChange]:
    for feed_id, index in proposal_rows.parts_of(conn, proposal_id):
        yield from read_update(conn, feed_id, index).changes


def _digest(changes: Iterable[watchlist_pb2.WatchlistChange]) -> bytes:
    said = sha256()
    for change in changes:
        said.update(without_time(change))
    return said.digest()


def without_time(change: watchlist_pb2.WatchlistChange) -> bytes:
    """What a change says, but for its time."""
    if change.WhichOneof("change") == "entered":
        entry = change.entered
        return entered_without_time(entry.id, entry.revision, wire.content_digest(entry.content))
    end = change.ended
    return repr((end.id, end.revision, end.end, end.reason)).encode()


def entered_without_time(entry_id: str, revision: int, digest: bytes) -> bytes:
    """As `without_time`, of a new entry or revision whose content has this digest."""
    return repr((entry_id, revision, digest)).encode()
