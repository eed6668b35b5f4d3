"""Signs queries for shipment history, and verifies partners' answers.

1. records, on arrival: at most as many as asked for, within MAX_ANSWER_BYTES; valid by the contract, of the queried
   node, without impossible times.
2. signature: the statement is signed under the name `<federation>/<answerer>/<asker>/history/<query id>`, unique to
   this answer, by one of that node's current log keys.
3. question: the statement is over the SHA-256 of the query's bytes.
4. records: its size, root and number of withheld fields are those of the records received, in order.
5. mode: no records beside a hit or where only a hit was asked for; the next page lies further back, within what was
   searched.
6. completeness: a proof beside a complete answer is right (history.service.completeness); without one it is as told.
7. heads: no other tree is known that the node has signed under the number of the proof's head.

After a failed step no record counts; the bytes are kept as evidence, and an alarm is set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.contract.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.contract.limits import MAX_ANSWER_BYTES, MAX_RECORD_BYTES
from gateway.contract.messages import to_ms, to_timestamp
from gateway.contract.validation import impossible_times, validate
from gateway.db.database import Database
from gateway.errors import TooLargeError, VerificationError
from gateway.feed.service.quotas import Quotas, Stored, count
from gateway.feed.service.writing.commands import random_bytes
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.codec.key_tree_heads import KeyTreeHead
from gateway.history.codec.signed_texts import (
    Statement,
    encode_query,
    parse_records,
    query_digest,
    question_origin,
    question_text,
)
from gateway.history.service.answer_verification import require_answer_to, verified_statement
from gateway.history.service.completeness import Completeness, keys_to_prove, verify_completeness
from gateway.history.service.search import MAX_LIMIT
from gateway.history.service.terms import Terms, require_terms
from gateway.history.tables import answers
from gateway.history.tables.answers import ASKED, AnswerRow, ProofRow
from gateway.plurals import counted
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.note import Signer, sign_note
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import exchange_service_pb2, history_pb2, history_service_pb2

_FRAME_BYTES = 64 * 1024
"""Most bytes of a message beyond its largest record."""

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class SignedQuery:
    """A query to send; `note` is this node's signature over the digest of `data`."""

    query: history_pb2.HistoryQuery
    data: bytes
    note: bytes
    terms: Terms


class QuerySigner:
    """Makes queries. Thread-safe."""

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

    def sign(
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
        follow: bool = False,
        span: tuple[int, int] = (0, 0),
    ) -> SignedQuery:
        """A signed query to a partner.

        Args:
            limit, whole: most records (0: the partner's default); none if there are more.
            follow: also what is linked with that, of a partner that knows it.
            span: see HistorySearch.chunks; of a partner that knows it.
            before, as_of: only records below `before`, only items up to `as_of`; 0: all.

        Raises:
            AgreementForbidsError: the query or its answer isn't allowed.
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
            follow=follow,
        )
        for field, bound in zip((query.match_declared_from, query.match_declared_until), span, strict=True):
            if bound:
                field.CopyFrom(to_timestamp(bound))
        terms = require_terms(trust.directory, query, datetime.fromtimestamp(now_ms / 1000, UTC))
        data = encode_query(query)
        origin = question_origin(trust.federation, self.node, partner)
        note = sign_note(question_text(origin, query.query_id, query_digest(data)), [self._signer_for(origin)])
        return SignedQuery(query, data, note, terms)


class AnswerVerifier:
    """Verifies an answer as it comes, for one thread at a time; of its records it keeps the ids."""

    def __init__(self, signed: SignedQuery) -> None:
        self.signed = signed
        self.count = 0
        self.statement_note = b""
        self.followed: Sequence[history_pb2.SearchCriteria] = ()
        self.completeness: Completeness | None = None
        self._proof = b""
        self._record_ids: list[str] = []
        self._tree = Tree.empty()
        self._bytes = 0
        self._withheld = 0

    def take(self, came: exchange_service_pb2.AnswerRecords) -> history_service_pb2.SearchShipmentsResponse:
        """Step 1. The records count once `end` has returned.

        Raises:
            VerificationError, MalformedError, TooLargeError: the answer is wrong.
        """
        query = self.signed.query
        self.count += len(came.records)
        data = came.SerializeToString()
        self._bytes += len(data)
        if self.count > (query.limit or MAX_LIMIT):
            raise VerificationError(
                f"{query.answerer} sent more than the {counted(query.limit or MAX_LIMIT, 'record')} asked for",
                step="1 records",
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
            if violations := impossible_times(record):
                first = violations[0]
                raise VerificationError(
                    f"{first.field} of record {record.shipment.record_id[:64]!r} {first.message}", step="1 records"
                )
            self._withheld += len(record.withheld)
            self._record_ids.append(record.shipment.record_id)
        self._tree = self._tree.append([leaf_hash(record) for record in came.records]).tree
        return response

    def end(self, end: exchange_service_pb2.AnswerEnd, directory: Directory, now: datetime) -> Statement:
        """Steps 2 to 6.

        Raises:
            SignatureInvalidError, VerificationError, MalformedError: names the step.
            InvalidRequestError: what it says to have followed isn't of the contract.
        """
        self.statement_note = end.statement
        query = self.signed.query
        statement = verified_statement(end.statement, query, directory.log_keys(query.answerer, now))
        require_answer_to(statement, query, self.signed.data)
        if (statement.count, statement.root) != (self._tree.size, self._tree.root):  # 4
            raise VerificationError(
                f"{statement.answerer} signed for {counted(statement.count, 'record')}, "
                f"and these {self._tree.size} aren't those",
                step="4 records",
            )
        if statement.withheld != self._withheld:
            raise VerificationError(
                "the statement counts other withheld fields than the records list", step="4 records"
            )
        if query.follow:
            validate(end, "end.")
            self.followed = list(end.followed)
        if end.HasField("proof") and statement.is_complete and statement.hit is None:  # 6
            self.completeness = verify_completeness(
                end.proof,
                query,
                keys=keys_to_prove(query, self.followed, self.signed.terms.field_classes),
                record_ids=self._record_ids,
                log_keys=directory.log_keys(query.answerer, now),
                now_ms=round(now.timestamp() * 1000),
            )
            self._proof = end.proof.SerializeToString(deterministic=True)
        return statement

    @property
    def proof_row(self) -> ProofRow | None:
        """The proof to keep."""
        if self.completeness is None:
            return None
        head, query = self.completeness.head, self.signed.query
        return ProofRow(query.query_id, query.answerer, head.number, head.tree, self._proof)


def asked_row(
    signed: SignedQuery,
    *,
    actor: str,
    now_ms: int,
    keep_ms: int,
    outcome: str,
    reason: str,
    answer: AnswerVerifier,
) -> AnswerRow:
    """The row of this node's query."""
    query = signed.query
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
        query=signed.data,
        note=signed.note,
        statement=answer.statement_note,
    )


@dataclass(frozen=True, slots=True)
class KeepRecordsCommand:
    """Stores records of an answer as received; raises OverloadedError beyond the partner's quota of the day."""

    query_id: str
    first: int
    records: exchange_service_pb2.AnswerRecords
    partner: str
    quotas: Quotas
    weight: int = 10

    def execute(self, tx: Transaction) -> None:
        data, items = self.records.SerializeToString(), len(self.records.records)
        self.quotas.take(tx.conn, self.partner, Stored.ANSWERS, items=items, size=len(data), now_ms=tx.now_ms)
        answers.add_records(tx.conn, self.query_id, self.first, data)


@dataclass(frozen=True, slots=True)
class KeepAskedCommand:
    """Stores a query with its outcome, and the proof beside its answer."""

    row: AnswerRow
    proof: ProofRow | None = None
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        answers.add(tx.conn, self.row)
        if self.proof is not None:
            answers.add_proof(tx.conn, self.proof)
            count(tx.conn, self.row.partner, Stored.ANSWERS, items=0, size=len(self.proof.proof), now_ms=tx.now_ms)


class KnownHeads:
    """Heads of partners' trees, by the proofs that this node keeps. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def require_one_tree(self, head: KeyTreeHead) -> None:
        """Step 7.

        Raises:
            VerificationError: its node has signed another tree under this number.
        """
        with self._database.look() as conn:
            known = answers.numbered_proof(conn, head.node, head.number)
        if known is not None and known.head != head.tree:
            raise VerificationError(
                f"{head.node} has signed two trees as number {head.number}: see its answer to {known.query_id}",
                step="7 heads",
            )
