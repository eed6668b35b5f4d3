"""Reads proposals for own lists: those that wait, and what one would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.contract.filters import decode_page_token, encode_page_token, page_size, token_number
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.messages import page_of
from gateway.db.database import Database
from gateway.errors import NotFoundError
from gateway.v1 import watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.codec.events import ListKey, key_of
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.updates import read_changes, read_update
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import proposals as proposal_rows
from gateway.watchlists.tables.proposals import ProposalRow
from gateway.watchlists.tables.schema import list_proposals

MAX_COUNTED = 100_000
"""Most changes of a proposal that are read for a preview, which takes about a second."""

_PARTS, _ORDINALS = range(1_000_000), range(MAX_STREAM_ITEMS)


class _Place(NamedTuple):
    """Of a change: the proposal's part, and where it stands in that."""

    part: int
    ordinal: int


class _Placed(NamedTuple):
    place: _Place
    change: pb.ProposedChange


class ProposalQueries:
    """Reads proposals. Thread-safe."""

    def __init__(self, database: Database, *, node: str) -> None:
        self._database = database
        self._node = node

    def list(self, request: pb.ListProposalsRequest, *, hidden: Hidden = NOTHING_HIDDEN) -> pb.ListProposalsResponse:
        """Undecided complete proposals, oldest first; raises InvalidRequestError."""
        token = decode_page_token(request.page_token, "", 1)
        limit = page_size(request.page_size)
        unseen = sorted(name for publisher, name in hidden if publisher == self._node)
        with self._database.read() as conn:
            rows = proposal_rows.waiting_proposals(
                conn,
                *(list_proposals.c.list != name for name in unseen),
                after=token[0] if token else "",
                limit=limit + 1,
            )
            page = page_of(rows, partial(_with_sample, conn), limit=limit)
        response = pb.ListProposalsResponse(proposals=page.messages)
        if page.last is not None:
            response.next_page_token = encode_page_token((page.last.proposal_id,), "")
        return response

    def preview(
        self, request: pb.PreviewProposalRequest, *, hidden: Hidden = NOTHING_HIDDEN
    ) -> pb.PreviewProposalResponse:
        """Counts a proposal's changes and shows some beside what the entries say now.

        Raises:
            NotFoundError: it doesn't wait for a decision.
            InvalidRequestError: the page token isn't one of this request's.
        """
        asked = f"{request.proposal_id} {request.kind} {request.search}"
        token = decode_page_token(request.page_token, asked, 2)
        first = _Place(token_number(token[0], _PARTS), token_number(token[1], _ORDINALS)) if token else _Place(0, 0)
        limit = min(page_size(request.page_size), MAX_STREAM_ITEMS)
        response = pb.PreviewProposalResponse()
        found: list[_Placed] = []
        counts = Counter[int]()
        with self._database.read() as conn:
            row = self._waiting(conn, request.proposal_id, hidden)
            response.proposal.CopyFrom(_message(row))
            for placed in islice(self._changes(conn, row, first), MAX_COUNTED):
                counts[placed.change.kind] += 1
                if request.kind in (0, placed.change.kind) and _names(placed.change, request.search.casefold()):
                    found.append(placed)
                if token and len(found) > limit:
                    break
        distance = max(1, -(-len(found) // limit)) if request.spread else 1
        page = page_of(found[::distance], lambda placed: placed.change, limit=limit)
        response.changes.extend(page.messages)
        if page.last is not None and not request.spread:
            following = found[len(page.messages)].place
            response.next_page_token = encode_page_token((str(following.part), str(following.ordinal)), asked)
        if not token:
            response.added = counts[pb.PROPOSED_CHANGE_KIND_NEW]
            response.changed = counts[pb.PROPOSED_CHANGE_KIND_CHANGED]
            response.withdrawn = counts[pb.PROPOSED_CHANGE_KIND_WITHDRAWN]
            response.counted, response.found = counts.total(), len(found)
        return response

    def entries(self, proposal_id: str, *, hidden: Hidden = NOTHING_HIDDEN) -> Sequence[watchlist_pb2.WatchlistEntry]:
        """Entries that a proposal would put in force, at most MAX_COUNTED; raises NotFoundError."""
        with self._database.read() as conn:
            row = self._waiting(conn, proposal_id, hidden)
            parts = proposal_rows.parts_of(conn, row.proposal_id)
            changes = (change for part in parts for change in read_update(conn, *part).changes)
            return list(islice((change.entered for change in changes if change.HasField("entered")), MAX_COUNTED))

    def _waiting(self, conn: Connection, proposal_id: str, hidden: Hidden) -> ProposalRow:
        row = proposal_rows.proposal(conn, proposal_id)
        if row is None or row.state != "complete" or (self._node, row.list) in hidden:
            raise NotFoundError(f"no proposal {proposal_id} waits for a decision")
        return row

    def _changes(self, conn: Connection, row: ProposalRow, first: _Place) -> Iterator[_Placed]:
        """Changes of a proposal from a place on, each with what the entry says now."""
        for number, part in enumerate(proposal_rows.parts_of(conn, row.proposal_id)):
            if number < first.part:
                continue
            changes = read_update(conn, *part).changes
            known = watchlists.find(conn, self._node, row.list, {key_of(change).entry_id for change in changes})
            listed = {entry_id: entry for entry_id, entry in known.items() if not entry.ended}
            present = read_changes(conn, list(listed.values()))
            for ordinal, change in enumerate(changes):
                place = _Place(number, ordinal)
                if place >= first:
                    key = ListKey(row.list, key_of(change).entry_id)
                    yield _Placed(place, _proposed(change, present.get(key), is_listed=key.entry_id in listed))


def _proposed(
    change: watchlist_pb2.WatchlistChange, now: watchlist_pb2.WatchlistChange | None, *, is_listed: bool
) -> pb.ProposedChange:
    if change.HasField("ended"):
        kind = pb.PROPOSED_CHANGE_KIND_WITHDRAWN
    else:
        kind = pb.PROPOSED_CHANGE_KIND_CHANGED if is_listed else pb.PROPOSED_CHANGE_KIND_NEW
    return pb.ProposedChange(change=change, kind=kind, present=now.entered.content if now is not None else None)


def _names(one: pb.ProposedChange, searched: str) -> bool:
    """Whether a change's entry has a text in its id, names, identifiers or codes."""
    if not searched:
        return True
    texts = [key_of(one.change).entry_id]
    for content in (one.present, one.change.entered.content):
        texts += [name.text for name in content.names]
        texts += [identifier.value for identifier in content.identifiers]
        texts += [commodity.code for commodity in content.commodities]
    return any(searched in text.casefold() for text in texts)


def _message(row: ProposalRow) -> pb.Proposal:
    return pb.Proposal(
        proposal_id=row.proposal_id,
        list=row.list,
        proposer=row.proposer,
        note=row.note,
        proposed_at_unix_ms=row.proposed_at,
        changes=row.changes,
    )


def _with_sample(conn: Connection, row: ProposalRow) -> pb.Proposal:
    proposal = _message(row)
    proposal.sample.CopyFrom(read_update(conn, *proposal_rows.parts_of(conn, row.proposal_id)[0]))
    return proposal
