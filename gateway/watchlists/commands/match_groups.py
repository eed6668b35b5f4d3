"""Dismisses open matches that are alike with one reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.commits import MATCHES
from gateway.feed.service.writing.transaction import Transaction
from gateway.v1 import match_pb2
from gateway.watchlists.rules.matches import MatchDecision, decided
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.match_groups import group_of
from gateway.watchlists.tables import match_groups, matches

MAX_DISMISSED = 2_000
"""Most matches of one transaction: some tens of milliseconds in which no other commits."""


@dataclass(frozen=True, slots=True)
class DismissMatchesCommand(IdempotentCommand[match_pb2.DismissMatchesResponse]):
    """Dismisses the open matches of a group, up to the newest that the caller has seen.

    Raises:
        NotFoundError: there is no such match.
    """

    request: match_pb2.DismissMatchesRequest
    principal: str
    actor: str
    hidden: Hidden = field(default=NOTHING_HIDDEN)
    weight: int = MAX_DISMISSED // 10

    @property
    def response_type(self) -> type[match_pb2.DismissMatchesResponse]:
        return match_pb2.DismissMatchesResponse

    def answer(self, tx: Transaction) -> match_pb2.DismissMatchesResponse:
        group = group_of(tx.conn, self.request.match_id, self.request.by, self.hidden)
        seen = match_groups.open_upto(group, self.request.newest_match_id)
        rows = [
            replace(
                row,
                status=decided(row.state, MatchDecision.DISMISS).value,
                decided_by=self.actor,
                decided_at=tx.now_ms,
                reason=self.request.reason,
            )
            for row in matches.page(tx.conn, seen, before=None, limit=MAX_DISMISSED)
        ]
        matches.write(tx.conn, [], rows)
        if rows:
            tx.topics.add(MATCHES)
        return match_pb2.DismissMatchesResponse(dismissed=len(rows), left=match_groups.count_open(tx.conn, group))
