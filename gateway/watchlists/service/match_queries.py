"""Reads pages and changes of matches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, select

from gateway.contract.filters import (
    EQUAL,
    ORDERED,
    Term,
    compared,
    decode_page_token,
    encode_page_token,
    invalid_value,
    page_size,
    parse_filter,
)
from gateway.contract.messages import page_of
from gateway.db.database import Database
from gateway.feed.tables.restores import PositionKind, number_of, public_position
from gateway.v1 import match_pb2, watchlist_pb2
from gateway.watchlists.commands.matches import match_message
from gateway.watchlists.rules.matches import MatchStatus, SourceKind
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.queries import visible
from gateway.watchlists.tables import matches
from gateway.watchlists.tables.matches import MatchRow
from gateway.watchlists.tables.schema import matches as table

WATCH_PAGE = 100
"""Most matches in one message of a watch."""

AT_ONCE = 50
"""Most matches that are read together."""

_CLASSES = {
    "identical": watchlist_pb2.MATCH_CLASS_IDENTICAL,
    "strong": watchlist_pb2.MATCH_CLASS_STRONG,
    "compatible": watchlist_pb2.MATCH_CLASS_COMPATIBLE,
}
_VALUES: Mapping[str, Mapping[str, str | int]] = {
    "status": {status.value: status.value for status in MatchStatus},
    "class": _CLASSES,
    "source": {kind.value: kind.value for kind in SourceKind},
}
_OTHER = table.alias()
_COLUMNS = {
    "status": table.c.status,
    "class": table.c.match_class,
    "source": table.c.source,
    "source_id": table.c.source_id,
    "publisher": table.c.publisher,
    "list": table.c.list,
    "id": table.c.entry_id,
    "match_id": table.c.match_id,
}
_FIELDS = {**dict.fromkeys((*_COLUMNS, "party_of"), EQUAL), "match_id": ORDERED}


class MatchQueries:
    """Reads matches. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self, request: match_pb2.ListMatchesRequest, *, hidden: Hidden = NOTHING_HIDDEN
    ) -> match_pb2.ListMatchesResponse:
        """A page of matches, newest first; raises InvalidRequestError."""
        conditions = [_condition(term) for term in parse_filter(request.filter, _FIELDS)]
        conditions += visible(hidden, table)
        token = decode_page_token(request.page_token, request.filter, 1)
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            rows = _newest(conn, conditions, token[0] if token else None, limit + 1)
            page = page_of(rows, match_message, limit=limit)
        response = match_pb2.ListMatchesResponse(matches=page.messages)
        if page.last is not None:
            response.next_page_token = encode_page_token((page.last.match_id,), request.filter)
        return response

    def changes(self, position: int, *, hidden: Hidden = NOTHING_HIDDEN) -> tuple[match_pb2.WatchMatchesResponse, bool]:
        """Matches changed after a position with the next position, and whether there may be more.

        Raises:
            PositionUnknownError: the position lies beyond the newest change, or was lost by a restore.
        """
        with self._database.read() as conn:
            last = matches.last_change(conn)
            after, epoch = number_of(conn, position, PositionKind.MATCHES, last), public_position(conn, 0)
            rows = matches.changed_after(conn, after, *visible(hidden, table), limit=WATCH_PAGE)
        page = page_of(rows, match_message, limit=WATCH_PAGE)
        reached = page.last if page.last is not None else rows[-1] if len(rows) == WATCH_PAGE else None
        number = last if reached is None else reached.change
        response = match_pb2.WatchMatchesResponse(changes=page.messages, position=epoch | number)
        return response, reached is not None


def _newest(
    conn: Connection, conditions: Sequence[ColumnElement[bool]], before: str | None, most: int
) -> Iterator[MatchRow]:
    """Matches, newest first, read a few at a time: each quotes a party of a partner's alert."""
    while most > 0:
        limit = min(most, AT_ONCE)
        rows = matches.page(conn, conditions, before=before, limit=limit)
        yield from rows
        if len(rows) < limit:
            return
        before, most = rows[-1].match_id, most - limit


def _condition(term: Term) -> ColumnElement[bool]:
    if term.field == "party_of":
        return table.c.subject == select(_OTHER.c.subject).where(_OTHER.c.match_id == term.value).scalar_subquery()
    allowed = _VALUES.get(term.field)
    if allowed is None:
        condition: ColumnElement[bool] = compared(_COLUMNS[term.field], term, term.value)
        return condition
    if term.value not in allowed:
        raise invalid_value(term, f"one of {', '.join(allowed)}")
    return _COLUMNS[term.field] == allowed[term.value]
