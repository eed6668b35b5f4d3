"""Reads records in partners' answers that this node holds, for the purpose and case that they were asked for."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from gateway.db.database import Database
from gateway.errors import NotFoundError, PermissionDeniedError
from gateway.history.tables import answers
from gateway.link_analysis.rules.graph import NamedRecord
from gateway.link_analysis.service.records import of_answer
from gateway.v1 import alert_pb2, exchange_service_pb2, history_pb2


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
            asked = history_pb2.HistoryQuery.FromString(row.query).grounds
            if (asked.purpose, asked.case_reference) != (grounds.purpose, grounds.case_reference):
                raise PermissionDeniedError(
                    f"answers: {reference.query_id} was asked for another purpose or case; ask {reference.node} again"
                )
            parts = answers.records(conn, reference.query_id)
        for _, part in parts:
            records += [of_answer(record, reference.query_id) for record in _records(part)]
    return [record for record in records if record.mentions]


def _records(part: bytes) -> list[history_pb2.HistoryRecord]:
    try:
        texts = exchange_service_pb2.AnswerRecords.FromString(part).records
        return [history_pb2.HistoryRecord.FromString(text) for text in texts]
    except DecodeError:  # `gateway verify` tells of it
        return []
