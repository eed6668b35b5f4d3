"""Reads open matches in groups: of one entry, or of one party."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection

from gateway.contract.filters import decode_page_token, encode_page_token, page_size, token_number
from gateway.contract.messages import page_of
from gateway.db.database import Database
from gateway.errors import NotFoundError
from gateway.v1 import match_pb2
from gateway.watchlists.commands.matches import match_message
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.queries import visible
from gateway.watchlists.tables import match_groups, matches
from gateway.watchlists.tables.match_groups import GroupRow
from gateway.watchlists.tables.schema import matches as table

_COUNTS = range(2**53)


@dataclass(frozen=True, slots=True)
class GroupAudit:
    """What an audit event says of a group: its entry or one of its matches, and how many are open."""

    subject_ids: Sequence[str]
    matches: int


class MatchGroupQueries:
    """Reads groups of open matches. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self, request: match_pb2.ListMatchGroupsRequest, *, hidden: Hidden = NOTHING_HIDDEN
    ) -> match_pb2.ListMatchGroupsResponse:
        """A page of groups, the largest first.

        Raises:
            InvalidRequestError: the token is of another list.
            NotFoundError: there is no such match.
        """
        asked = f"{request.by} {request.match_id}"
        token = decode_page_token(request.page_token, asked, 2)
        after = (token_number(token[0], _COUNTS), token[1]) if token else None
        limit = page_size(request.page_size)
        conditions = visible(hidden, table)
        response = match_pb2.ListMatchGroupsResponse()
        with self._database.read() as conn:
            if request.match_id:
                conditions += group_of(conn, request.match_id, request.by, hidden)
            rows = match_groups.largest(conn, request.by, conditions, after=after, limit=limit + 1)
            newest = {row.match_id: row for row in matches.by_ids(conn, [row.newest for row in rows[:limit]])}
        newest_of = {match_id: match_message(row) for match_id, row in newest.items()}
        page = page_of(rows, lambda row: _message(row, newest_of[row.newest]), limit=limit)
        response.groups.extend(page.messages)
        if page.last is not None:
            response.next_page_token = encode_page_token((str(page.last.matches), page.last.newest), asked)
        return response

    def group(self, request: match_pb2.DismissMatchesRequest, *, hidden: Hidden = NOTHING_HIDDEN) -> GroupAudit:
        """What is to be recorded of a group; raises NotFoundError."""
        with self._database.read() as conn:
            conditions = group_of(conn, request.match_id, request.by, hidden)
            row = matches.find(conn, request.match_id)
            count = match_groups.count_open(conn, conditions, upto=request.newest_match_id)
        assert row is not None  # noqa: S101  # group_of has found it
        entry = f"{row.publisher}/{row.list}/{row.entry_id}"
        is_of_entry = request.by == match_pb2.MATCH_GROUPING_ENTRY
        return GroupAudit((entry if is_of_entry else request.match_id,), count)


def group_of(
    conn: Connection, match_id: str, by: match_pb2.MatchGrouping.ValueType, hidden: Hidden
) -> list[ColumnElement[bool]]:
    """Conditions of the matches that are alike with one, without those of hidden lists.

    Raises:
        NotFoundError: there is no such match.
    """
    row = matches.find(conn, match_id)
    if row is None or (row.publisher, row.list) in hidden:
        raise NotFoundError(f"match_id: there is no match {match_id} here")
    return [*match_groups.alike(row, by), *visible(hidden, table)]


def _message(row: GroupRow, newest: match_pb2.Match) -> match_pb2.MatchGroup:
    group = match_pb2.MatchGroup(newest=newest, matches=row.matches, identical=row.identical, others=row.others)
    group.first_found_at.FromMilliseconds(row.first_found_at)
    return group
