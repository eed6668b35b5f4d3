"""Asks a partner for shipment history, and says whether what comes back is an answer.

Bytes in, records and a verdict out; it knows nothing of the call that carries them.

1. records, as they come: no more of them than were asked for, within MAX_ANSWER_BYTES; each is a record of the
   contract, of the node that was asked, and no time in it is impossible.
2. signature: the statement is signed by a log key that the directory gives that node now, under the name
   `<federation>/<answerer>/<asker>/history/<query id>`: no other question's answer has it.
3. question: it is over the SHA-256 of the question's bytes.
4. records: size and root are those of the bytes that came, in order; so is the number of fields withheld.
5. mode: records weren't given where only a hit was asked for, and none beside a hit; what follows lies further back
   than what was asked for, within what was searched.

What fails here is no answer: nothing of it counts, what came is kept, and an alarm says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.contract.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.contract.limits import MAX_ANSWER_BYTES, MAX_RECORD_BYTES
from gateway.contract.timestamps import to_ms, to_timestamp
from gateway.contract.validation import impossible_times
from gateway.errors import TooLargeError, VerificationError
from gateway.feed.service.randomness import random_bytes
from gateway.feed.service.transaction import Transaction
from gateway.history.codec.signed_texts import (
    Statement,
    encode_query,
    parse_records,
    query_digest,
    question_origin,
    question_text,
)
from gateway.history.service.answer_verification import require_answer_to, verified_statement
from gateway.history.service.search import MAX_LIMIT
from gateway.history.service.terms import Terms, require_terms
from gateway.history.tables import answers
from gateway.history.tables.answers import ASKED, AnswerRow
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.note import Signer, sign_note
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import exchange_service_pb2, history_pb2, history_service_pb2

_FRAME_BYTES = 64 * 1024
"""Bytes that a message may have beyond its largest record; what was taken still fits into a message to own systems."""

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class SignedQuery:
    """A question as it is sent.

    Attributes:
        query: what is asked.
        data: its bytes.
        note: this node's signature over their digest.
        terms: what the agreement lets the partner answer, as this node reads it.
    """

    query: history_pb2.HistoryQuery
    data: bytes
    note: bytes
    terms: Terms


class QuerySigner:
    """Makes questions. Thread-safe."""

    def __init__(
        self,
        *,
        node: str,
        trust: Callable[[], TrustedDirectory],
        signer_for: Callable[[str], Signer],
        clock: Callable[[], int],
    ) -> None:
        self.node = node
        self._trust = trust
        self._signer_for = signer_for
        self._clock = clock

    def question(
        self,
        partner: str,
        *,
        grounds: history_pb2.QueryGrounds,
        criteria: history_pb2.SearchCriteria,
        mode: history_pb2.AnswerMode.ValueType,
        alternatives: Sequence[history_pb2.SearchCriteria] = (),
        limit: int = 0,
        before: int = 0,
        as_of: int = 0,
        whole: bool = False,
    ) -> SignedQuery:
        """A question to a partner, signed.

        Args:
            partner: node that is asked.
            grounds, criteria, mode, alternatives: checked against the contract.
            limit: most records; 0: as many as the partner thinks fit.
            before: only records at lower positions; 0: from the newest.
            as_of: only what was recorded up to this position; 0: everything.
            whole: of more than `limit` records none.

        Raises:
            AgreementForbidsError: the agreements don't allow it to be asked, or answered; nothing may be sent.
        """
        trust, now_ms = self._trust(), self._clock()
        query = history_pb2.HistoryQuery(
            query_id=uuid7(now_ms, random_bytes(UUID7_RANDOM_BYTES)),
            federation=trust.federation,
            asker=self.node,
            answerer=partner,
            asked_at=to_timestamp(now_ms),
            grounds=grounds,
            criteria=criteria,
            mode=mode,
            limit=limit,
            before=before,
            as_of=as_of,
            alternatives=alternatives,
            whole=whole,
        )
        terms = require_terms(trust.directory, query, datetime.fromtimestamp(now_ms / 1000, UTC))
        data = encode_query(query)
        origin = question_origin(trust.federation, self.node, partner)
        note = sign_note(question_text(origin, query.query_id, query_digest(data)), [self._signer_for(origin)])
        return SignedQuery(query, data, note, terms)


class AnswerVerifier:
    """An answer as it comes; for one thread at a time. Of its records it keeps one hash for each doubling.

    Attributes:
        count: records that came.
        statement_note: as it came; empty before.
    """

    def __init__(self, question: SignedQuery) -> None:
        self.question = question
        self.count = 0
        self.statement_note = b""
        self._tree = Tree.empty()
        self._bytes = 0
        self._withheld = 0

    def take(self, came: exchange_service_pb2.AnswerRecords) -> history_service_pb2.SearchShipmentsResponse:
        """Step 1: some records, parsed once for all that is done with them. They count once `end` has returned.

        Raises:
            VerificationError, MalformedError, TooLargeError: this is no answer.
        """
        query = self.question.query
        self.count += len(came.records)
        data = came.SerializeToString()
        self._bytes += len(data)
        if self.count > (query.limit or MAX_LIMIT):
            raise VerificationError(
                f"{query.answerer} sent more than the {query.limit or MAX_LIMIT} records asked for", step="1 records"
            )
        if self._bytes > MAX_ANSWER_BYTES or len(data) > MAX_RECORD_BYTES + _FRAME_BYTES:
            raise TooLargeError(
                f"{query.answerer} sent more than {MAX_ANSWER_BYTES} bytes in one answer, or too many at once"
            )
        response = parse_records(data)
        for record in response.records.records:
            if record.node != query.answerer:
                raise VerificationError(
                    f"{query.answerer} sent a record under the name {record.node[:40]!r}", step="1 records"
                )
            if found := impossible_times(record):
                first = found[0]
                raise VerificationError(
                    f"{first.field} of record {record.shipment.record_id[:64]!r} {first.message}", step="1 records"
                )
            self._withheld += len(record.withheld)
        self._tree = self._tree.append([leaf_hash(record) for record in came.records]).tree
        return response

    def end(self, statement_note: bytes, directory: Directory, now: datetime) -> Statement:
        """Steps 2 to 5.

        Args:
            statement_note: from the wire.
            directory: in force.
            now: with zone.

        Raises:
            SignatureInvalidError, VerificationError, MalformedError: this is no answer; which step fails.
        """
        self.statement_note = statement_note
        query = self.question.query
        statement = verified_statement(statement_note, query, directory.log_keys(query.answerer, now))
        require_answer_to(statement, query, self.question.data)
        if (statement.count, statement.root) != (self._tree.size, self._tree.root):  # 4
            raise VerificationError(
                f"{statement.answerer} signed for {statement.count} records, and these {self._tree.size} aren't those",
                step="4 records",
            )
        if statement.withheld != self._withheld:
            raise VerificationError(
                "the statement counts other withheld fields than the records list", step="4 records"
            )
        return statement


def asked_row(
    question: SignedQuery,
    *,
    actor: str,
    now_ms: int,
    keep_ms: int,
    outcome: str,
    reason: str,
    answer: AnswerVerifier,
) -> AnswerRow:
    """What is kept of a question of this node; see AnswerRow."""
    query = question.query
    return AnswerRow(
        side=ASKED,
        query_id=query.query_id,
        partner=query.answerer,
        actor=actor,
        asked_at=to_ms(query.asked_at),
        ended_at=now_ms,
        delete_at=now_ms + keep_ms,
        outcome=outcome,
        reason=reason,
        count=answer.count,
        query=question.data,
        note=question.note,
        statement=answer.statement_note,
    )


@dataclass(frozen=True, slots=True)
class KeepRecordsCommand:
    """Keeps some records of an answer as they came."""

    query_id: str
    first: int
    records: exchange_service_pb2.AnswerRecords
    weight: int = 10

    def execute(self, tx: Transaction) -> None:
        answers.add_records(tx.conn, self.query_id, self.first, self.records.SerializeToString())


@dataclass(frozen=True, slots=True)
class KeepAskedCommand:
    """Keeps a question with what came of it."""

    row: AnswerRow
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        answers.add(tx.conn, self.row)
