"""Exports evidence of an answer from the store: question, statement and records.

Changed data no longer leads to the signed root and isn't exported.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from google.protobuf.message import DecodeError

from gateway.db.database import Database
from gateway.errors import (
    InvalidRequestError,
    MalformedError,
    NotFoundError,
    TooLargeError,
    VerificationError,
    Violation,
)
from gateway.evidence.codec.answer_bundle import MAX_RECORDS, AnswerParts, render_answer
from gateway.evidence.codec.bundle import Bundle
from gateway.evidence.service.answer_check import examine_answer
from gateway.history.codec.signed_texts import parse_record
from gateway.history.tables import answers
from gateway.history.tables.answers import ANSWERED, ASKED, AnswerRow
from gateway.tlog.encoding import HASH_BYTES
from gateway.tlog.merkle import Tree, inclusion_proof, leaf_hash
from gateway.tlog.proof_file import TlogProof
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import exchange_service_pb2


def export_answer(
    database: Database, trust: TrustedDirectory, *, query_id: str, record_ids: Collection[str] = ()
) -> Bundle:
    """Makes the bundle of an answer and verifies it.

    The asker has the records; the answerer has question and statement, which prove their number. `record_ids` are the
    records to include, all if empty.

    Raises:
        NotFoundError: no such question, or the answer lacks the record.
        InvalidRequestError: it has no answer.
        VerificationError: the stored answer doesn't verify.
        TooLargeError, MalformedError: the bundle would exceed a limit; name records.
    """
    with database.read() as conn:
        row = answers.find(conn, ASKED, query_id) or answers.find(conn, ANSWERED, query_id)
        stored = answers.records(conn, query_id) if row is not None and row.side == ASKED else []
        proof = answers.proof(conn, query_id)
    if row is None:
        raise NotFoundError(f"query_id: this node neither asked nor answered {query_id}, or its time is over")
    if not row.statement:
        raise InvalidRequestError(
            [Violation("query_id", "answer.signed", f"there was no signed answer to it ({row.outcome}): {row.reason}")]
        )
    records = stored_records(stored)
    chosen = _chosen(row, records, record_ids)
    beside = proof if row.side == ASKED and len(chosen) == len(records) else b""
    parts = AnswerParts(trust.note, row.query, row.note, row.statement, chosen, beside)
    bundle = render_answer(parts)
    examination = examine_answer(bundle, directory_note=trust.note)
    if examination.evidence is None:
        last = examination.steps[-1]
        raise VerificationError(
            f"what is stored of the answer to {query_id} doesn't verify: {last.detail}",
            step=f"{last.number} {last.name}",
        )
    return bundle


def stored_records(stored: Sequence[tuple[int, bytes]]) -> list[bytes]:
    """An answer's stored records.

    Raises:
        MalformedError: a row is damaged or missing.
    """
    records: list[bytes] = []
    for first, data in stored:
        if first != len(records):
            raise MalformedError(f"the answer's records from number {len(records)} on aren't stored")
        try:
            records.extend(exchange_service_pb2.AnswerRecords.FromString(data).records)
        except DecodeError as error:
            raise MalformedError(f"the answer's records from number {first} on are damaged") from error
    return records


class _Tiles:
    """Tree hashes in memory."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = {write.level: write.hashes for write in Tree.empty().append(leaves).tiles}

    def hashes(self, level: int, start: int, count: int) -> bytes:
        """`count` hashes of a level from `start` on."""
        return self._levels[level][start * HASH_BYTES : (start + count) * HASH_BYTES]


def _chosen(row: AnswerRow, records: Sequence[bytes], record_ids: Collection[str]) -> dict[int, tuple[bytes, bytes]]:
    if row.side == ANSWERED or not records:
        if record_ids:
            raise NotFoundError(f"record_ids: this node keeps no record of the answer to {row.query_id}")
        return {}
    ids = [parse_record(record).shipment.record_id for record in records]
    if missing := sorted(set(record_ids) - set(ids)):
        raise NotFoundError(f"record_ids: the answer to {row.query_id} has no record {', '.join(missing[:10])}")
    chosen = [at for at, record_id in enumerate(ids) if not record_ids or record_id in record_ids]
    if len(chosen) > MAX_RECORDS:
        raise TooLargeError(f"a bundle has at most {MAX_RECORDS} records; name those of the {len(chosen)} that matter")
    tiles = _Tiles([leaf_hash(record) for record in records])
    return {
        at: (
            records[at],
            TlogProof(at, tuple(inclusion_proof(at, len(records), tiles)), row.statement).encode(),
        )
        for at in chosen
    }
