"""Reads records in partners' answers that this node holds, for the purpose and case that they were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError

from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.errors import NotFoundError, PermissionDeniedError
from gateway.history.tables import answers
from gateway.history.tables.answers import AskedRow
from gateway.link_analysis.rules.graph import NamedRecord
from gateway.link_analysis.service.records import of_answer
from gateway.v1 import alert_pb2, exchange_service_pb2, history_pb2
from gateway.v1 import link_analysis_service_pb2 as pb

MOST_LISTED = 50
"""Answers in a list, by the contract."""

QUERIES_LOOKED_AT = 10_000
"""Newest queries among which those of a case are looked for: some tens of milliseconds."""

_AT_ONCE = 1_000

_AFTER_ALL = "g"
"""After every query id, which is hexadecimal."""


def held_records(
    database: Database, wanted: Iterable[alert_pb2.AnswerReference], grounds: history_pb2.QueryGrounds
) -> list[NamedRecord]:
    """Records of answers.

    Raises:
        NotFoundError: the answer isn't here, or no longer.
        PermissionDeniedError: it was asked for another purpose or case.
    """
    records: list[NamedRecord] = []
    for reference in wanted:
        with database.read() as conn:
            row = answers.find(conn, answers.ASKED, reference.query_id)
            if row is None or row.partner != reference.node:
                raise NotFoundError(f"answers: there is no answer {reference.query_id} of {reference.node} here")
            if not _is_for(history_pb2.HistoryQuery.FromString(row.query), grounds):
                raise PermissionDeniedError(
                    f"answers: {reference.query_id} was asked for another purpose or case; ask {reference.node} again"
                )
            parts = answers.records(conn, reference.query_id)
        for _, part in parts:
            records += [of_answer(record, reference.query_id) for record in _records(part)]
    return [record for record in records if record.mentions]


def held_answers(database: Database, grounds: history_pb2.QueryGrounds) -> tuple[list[pb.HeldAnswer], bool]:
    """Answers with records to queries for a purpose and case, newest first, and whether there may be older ones."""
    listed: list[pb.HeldAnswer] = []
    for number, row in enumerate(_newest(database)):
        if number == QUERIES_LOOKED_AT:
            return listed, True
        if grounds.case_reference.encode() not in row.query:  # cheaper than to parse it
            continue
        query = history_pb2.HistoryQuery.FromString(row.query)
        if not _is_for(query, grounds):
            continue
        if len(listed) == MOST_LISTED:
            return listed, True
        answer = alert_pb2.AnswerReference(node=row.partner, query_id=row.query_id)
        listed.append(
            pb.HeldAnswer(
                answer=answer, asked_at=to_timestamp(row.asked_at), criteria=query.criteria, records=row.records
            )
        )
    return listed, False


def _newest(database: Database) -> Iterator[AskedRow]:
    before = _AFTER_ALL
    while before:
        with database.read() as conn:
            rows = answers.newest_asked(conn, before, _AT_ONCE)
        yield from rows
        before = rows[-1].query_id if len(rows) == _AT_ONCE else ""


def _is_for(query: history_pb2.HistoryQuery, grounds: history_pb2.QueryGrounds) -> bool:
    asked = query.grounds
    return (asked.purpose, asked.case_reference) == (grounds.purpose, grounds.case_reference)


def _records(part: bytes) -> list[history_pb2.HistoryRecord]:
    try:
        texts = exchange_service_pb2.AnswerRecords.FromString(part).records
        return [history_pb2.HistoryRecord.FromString(text) for text in texts]
    except DecodeError:  # `gateway verify` tells of it
        return []
