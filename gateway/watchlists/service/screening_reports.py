"""Reads reports of whose verdict a list's change has changed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement

from gateway.contract.filters import decode_page_token, encode_page_token, page_size
from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.errors import NotFoundError
from gateway.v1 import match_pb2, watchlist_pb2
from gateway.watchlists.codec.matches import source_message
from gateway.watchlists.rules.matches import MatchPlace, SourceKey, SourceKind
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.queries import visible
from gateway.watchlists.tables import screening_reports as reports
from gateway.watchlists.tables.schema import screening_reports as table
from gateway.watchlists.tables.screening_reports import LineRow, ReportRow


class ScreeningReportQueries:
    """Reads reports. Thread-safe."""

    def __init__(self, database: Database, *, node: str) -> None:
        self._database = database
        self._node = node

    def list(
        self, request: match_pb2.ListScreeningReportsRequest, *, hidden: Hidden = NOTHING_HIDDEN
    ) -> match_pb2.ListScreeningReportsResponse:
        """A page of reports, newest first, or one with its verdicts.

        Raises:
            NotFoundError: there is no report of that number.
            InvalidRequestError: the page token isn't of this query.
        """
        conditions = visible(hidden, table)
        if request.list:
            publisher, slash, name = request.list.partition("/")
            wanted = (publisher, name) if slash else (self._node, request.list)
            conditions += [table.c.publisher == wanted[0], table.c.list == wanted[1]]
        if request.number:
            return self._one(request.number, conditions)
        token = decode_page_token(request.page_token, request.list, 1)
        limit = page_size(request.page_size)
        before = int(token[0]) if token else 0
        with self._database.read() as conn:
            rows = reports.page(conn, conditions, before=before, limit=limit + 1)
        response = match_pb2.ListScreeningReportsResponse(reports=map(_message, rows[:limit]))
        if len(rows) > limit:
            response.next_page_token = encode_page_token((str(rows[limit - 1].number),), request.list)
        return response

    def _one(self, number: int, conditions: Sequence[ColumnElement[bool]]) -> match_pb2.ListScreeningReportsResponse:
        with self._database.read() as conn:
            rows = reports.page(conn, [*conditions, table.c.number == number], before=0, limit=1)
            lines = reports.lines_of(conn, number) if rows else []
        if not rows:
            raise NotFoundError(f"number: there is no report {number} here; reports are kept for ninety days")
        report = _message(rows[0])
        report.verdicts.extend(_verdict(rows[0], line) for line in lines)
        return match_pb2.ListScreeningReportsResponse(reports=[report])


def _message(row: ReportRow) -> match_pb2.ScreeningReport:
    return match_pb2.ScreeningReport(
        number=row.number,
        publisher=row.publisher,
        list=row.list,
        began_at=to_timestamp(row.began_at),
        ended_at=to_timestamp(row.ended_at),
        became=row.became,
        ceased=row.ceased,
        regraded=row.regraded,
    )


def _verdict(report: ReportRow, line: LineRow) -> match_pb2.ChangedVerdict:
    source = SourceKey(SourceKind(line.source), line.source_publisher, line.source_id)
    return match_pb2.ChangedVerdict(
        source=source_message(MatchPlace(source, 0, line.field)),
        entry=watchlist_pb2.WatchlistReference(publisher=report.publisher, list=report.list, id=line.entry_id),
        class_before=watchlist_pb2.MatchClass.ValueType(line.class_before),
        class_after=watchlist_pb2.MatchClass.ValueType(line.class_after),
        match_id=line.match_id,
    )
