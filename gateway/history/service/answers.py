"""Verifies a partner's query for shipment history, and answers it with records and a signed statement.

1. signature: the note is over the SHA-256 of the query's bytes, signed under the name
   `<federation>/<asker>/<answerer>/query` by one of the asker's current log keys.
2. form: the query is canonical and valid by the contract, and its criteria don't match everything.
3. parties: this federation, from the node in the connection's certificate, to this node; the id is the note's.
4. time: its time and its id's time are at most MAX_CLOCK_SKEW_MS from now, against replay.
5. once: its id wasn't answered before, so that one id never has two signed answers; and the asker's quota of the day
   has room for it.
6. agreement: history.service.terms allows it; a further page goes on from an answer to the same node.
7. search: newest first, by the fields of the agreement's classes alone, without records whose own release list doesn't
   name the asker; each record lists the fields that the agreement
   withholds, whether the record has them or not. Where the query asks for it, links of what was found are followed.
8. statement: a checkpoint over the records' bytes in order, signed by this node under the name
   `<federation>/<answerer>/<asker>/history/<query id>`; it says whether records that may match aren't indexed yet, and
   is stored before it leaves. Where the asker wants a proof that a complete answer is complete, and this node gives
   proofs, one is beside it (history.service.completeness).

A partner isn't told positions, which would tell how much this node records: it is told until when records were
searched, and a number to go on by. Where that goes on is stored with the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.contract.ids import uuid7_unix_ms
from gateway.contract.limits import ANSWER_BYTES, MAX_CLOCK_SKEW_MS, MAX_RECORD_BYTES
from gateway.contract.messages import to_ms
from gateway.db.database import Database
from gateway.errors import (
    InvalidRequestError,
    MalformedError,
    PermissionDeniedError,
    RequestIdReusedError,
    SignatureInvalidError,
    TooLargeError,
    Violation,
)
from gateway.feed.service.quotas import Quotas, Stored, count
from gateway.feed.service.writing.commands import random_bytes
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.codec.signed_texts import Statement, open_question, parse_query, query_digest, question_origin
from gateway.history.rules.page_numbers import MAX_PAGE_NUMBER, RANDOM_BYTES, first_number, next_number
from gateway.history.rules.unindexed import NONE, SOME, Unindexed, told_to_partner
from gateway.history.service.backlog import Lag
from gateway.history.service.completeness import CompletenessProver, keys_to_prove
from gateway.history.service.criteria import require_all_narrow
from gateway.history.service.search import Chunk, HistorySearch
from gateway.history.service.terms import Terms, require_terms
from gateway.history.tables import answers
from gateway.history.tables.answers import ANSWERED, AnswerRow, PageRow
from gateway.tlog.checkpoint import sign_checkpoint
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.note import Signer, Verifier
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import exchange_service_pb2, history_pb2, shipment_pb2

SignerFor = Callable[[str], Signer]
"""The node's log key under a name."""


@dataclass(frozen=True, slots=True)
class VerifiedQuery:
    """A query that passed steps 1 to 5, with its bytes and note."""

    query: history_pb2.HistoryQuery
    data: bytes
    note: bytes


class QueryService:
    """Verifies queries and begins answers. Thread-safe."""

    def __init__(
        self,
        *,
        node: str,
        database: Database,
        search: HistorySearch,
        trust: Callable[[], TrustedDirectory],
        signer_for: SignerFor,
        clock: Callable[[], int],
        quotas: Quotas,
        prover: CompletenessProver | None = None,
    ) -> None:
        self.node = node
        self._prover = prover
        self._database = database
        self._quotas = quotas
        self._search = search
        self._trust = trust
        self._signer_for = signer_for
        self._clock = clock

    def verify(self, peer: str, data: bytes, note: bytes) -> VerifiedQuery:
        """Steps 1 to 5; `peer` is the node in the connection's certificate.

        Raises:
            GatewayError: a step failed.
        """
        trust, now_ms = self._trust(), self._clock()
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        origin = question_origin(trust.federation, peer, self.node)
        keys = tuple(Verifier(origin, key) for key in trust.directory.log_keys(peer, now))
        noted_id, digest = open_question(note, keys, origin)  # 1
        if query_digest(data) != digest:
            raise SignatureInvalidError("the note is over another question", step="1 signature")
        query = parse_query(data)  # 2
        require_all_narrow(query.criteria, query.alternatives, "query.")
        parties = (query.federation, query.asker, query.answerer)  # 3
        if parties != (trust.federation, peer, self.node):
            raise PermissionDeniedError(f"{peer} put a question that says it is from {query.asker} to {query.answerer}")
        if query.query_id != noted_id:
            raise SignatureInvalidError("the note names another query id", step="3 parties")
        _require_time(query, now_ms)  # 4
        with self._database.look() as conn:  # 5
            if answers.find(conn, ANSWERED, query.query_id) is not None:
                raise _answered_before(query.query_id)
            size = len(data) + len(note)
            self._quotas.require_room(conn, peer, Stored.QUESTIONS, items=1, size=size, now_ms=now_ms)
        return VerifiedQuery(query, data, note)

    def begin(self, verified: VerifiedQuery) -> SignedAnswer:
        """Step 6.

        Raises:
            AgreementForbidsError: names the agreement and its clause.
            InvalidRequestError: it goes on from no answer to this partner.
        """
        trust = self._trust()
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        terms = require_terms(trust.directory, verified.query, now)  # 6
        page = self._page(verified.query)
        return SignedAnswer(
            verified, terms, self._search, self._signer_for, self._clock, page=page, prover=self._prover
        )

    def _page(self, query: history_pb2.HistoryQuery) -> PageRow | None:
        if not query.before and not query.as_of:
            return None
        page = None
        if query.before <= MAX_PAGE_NUMBER:
            with self._database.look() as conn:
                page = answers.find_page(conn, query.asker, query.before)
        if page is None or query.as_of not in (0, page.as_of):
            raise InvalidRequestError(
                [
                    Violation(
                        "query.before",
                        "before.answered",
                        "no answer to this node goes on there; ask anew, without before and as_of",
                    )
                ]
            )
        return page


class SignedAnswer:
    """An answer in parts, for one thread at a time; memory grows with the logarithm of its records."""

    def __init__(
        self,
        verified: VerifiedQuery,
        terms: Terms,
        search: HistorySearch,
        signer_for: SignerFor,
        clock: Callable[[], int],
        *,
        page: PageRow | None = None,
        prover: CompletenessProver | None = None,
    ) -> None:
        query = verified.query
        self.verified = verified
        self.terms = terms
        self.count = 0
        self.removed = 0
        self.next_page: PageRow | None = None
        self.unindexed = NONE
        self.lost_before_ms = search.lost_before_ms(query.criteria, query.alternatives)
        self.reads_lost = False  # whether the asker knows the line that tells it
        self.wants_proof = False
        self.proof: exchange_service_pb2.CompletenessProof | None = None
        self._prover = None if terms.hit_only else prover
        self._head_number = 0
        self._record_ids: list[str] = []
        self._page = page
        self._begun_at = clock()
        self._withheld = 0
        self._signer_for = signer_for
        self._clock = clock
        follows = query.follow and not (terms.hit_only or query.whole or page)
        self.followed: Sequence[history_pb2.SearchCriteria] = ()
        self._chunks: Iterator[Chunk] = search.chunks(
            query.criteria,
            alternatives=query.alternatives,
            classes=terms.field_classes,
            asker=query.asker,
            span=span_of(query),
            before=page.before_position if page else 0,
            as_of=page.as_of_position if page else 0,
            recorded=page.recorded_position if page else 0,
            limit=1 if terms.hit_only else query.limit,
            whole=query.whole and not terms.hit_only,
            follow=terms.may_ask if follows else None,
        )
        self._first: Chunk | None = None
        self._tree = Tree.empty()
        self._bytes = 0
        self._hit = False

    def search(self) -> Lag:
        """Begins to search; returns what may match and isn't indexed yet."""
        if self._first is None:
            if self._prover is not None and self.wants_proof:
                self._head_number = self._prover.head_number()
            self._first = next(self._chunks)
        return self._first.lag

    def next_part(self) -> tuple[list[bytes], bytes]:
        """Step 7: further records, perhaps none, and after the last the statement.

        Raises:
            TooLargeError: a record is larger than any message may be.
        """
        chunk, self._first = self._first or next(self._chunks), None
        if self.terms.hit_only:
            self._hit = bool(chunk.records)
            return [], self._statement(chunk) if chunk.last or self._hit else b""
        records = [self._encoded(record) for record in chunk.records]
        self._tree = self._tree.append([leaf_hash(record) for record in records]).tree
        self._bytes += sum(map(len, records))
        self.count += len(records)
        self.removed += chunk.removed
        self.followed = chunk.followed
        return records, self._statement(chunk) if chunk.last or self._bytes >= ANSWER_BYTES else b""

    def _statement(self, chunk: Chunk) -> bytes:
        """Step 8."""
        query, hit_only = self.verified.query, self.terms.hit_only
        begun_at = self._page.as_of if self._page else self._begun_at
        as_of = min(begun_at, chunk.lag.since or begun_at)
        if chunk.more_before and not hit_only:
            self.next_page = self._next_page(chunk, as_of)
        statement = Statement(
            federation=query.federation,
            answerer=query.answerer,
            asker=query.asker,
            query_id=query.query_id,
            count=self.count,
            root=self._tree.root,
            digest=query_digest(self.verified.data),
            as_of=as_of,
            withheld=self._withheld,
            more_before=self.next_page.before if self.next_page else 0,
            hit=self._hit if hit_only else None,
            answered_at_ms=self._clock(),
            unindexed=self._unindexed(chunk.lag),
            lost_before_ms=self.lost_before_ms if self.reads_lost else 0,
        )
        self.unindexed = statement.unindexed
        if self._prover is not None and self._head_number and statement.is_complete and not self.lost_before_ms:
            keys = keys_to_prove(query, chunk.followed, self.terms.field_classes)
            self.proof = self._prover.prove(self._head_number, keys, self._record_ids)
        return sign_checkpoint(statement.checkpoint(), self._signer_for(statement.origin))

    def _unindexed(self, lag: Lag) -> Unindexed:
        told = told_to_partner(lag.records, compared=lag.compared, hit_only=self.terms.hit_only)
        return SOME if self.lost_before_ms and not (self.reads_lost or told.records) else told

    def _next_page(self, chunk: Chunk, as_of: int) -> PageRow:
        query, random = self.verified.query, random_bytes(RANDOM_BYTES)
        before = next_number(min(self._page.before, as_of), random) if self._page else first_number(as_of, random)
        if not before:
            raise TooLargeError("the answer has too many pages; ask anew for more records at a time")
        return PageRow(query.asker, before, query.query_id, as_of, chunk.more_before, chunk.as_of, chunk.recorded)

    def _encoded(self, record: history_pb2.HistoryRecord) -> bytes:
        record.ClearField("position")
        forget_third_alerts(record.shipment, self.verified.query)
        self._withheld += len(record.withheld)
        if self._head_number:
            self._record_ids.append(record.shipment.record_id)
        data = record.SerializeToString(deterministic=True)
        if len(data) > MAX_RECORD_BYTES:
            raise TooLargeError(
                f"record {record.shipment.record_id} with what was added to it has {len(data)} bytes; "
                f"at most {MAX_RECORD_BYTES} can be sent"
            )
        return data


@dataclass(frozen=True, slots=True)
class KeepAnsweredCommand:
    """Stores a query with its answer, and where that goes on.

    Raises:
        RequestIdReusedError: answered meanwhile; the statement must not leave.
    """

    row: AnswerRow
    next_page: PageRow | None = None
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        if answers.find(tx.conn, ANSWERED, self.row.query_id) is not None:
            raise _answered_before(self.row.query_id)
        answers.add(tx.conn, self.row)
        if self.next_page is not None:
            answers.add_page(tx.conn, self.next_page)
        # Also beyond the bound: records have left.
        size = len(self.row.query) + len(self.row.note) + len(self.row.statement)
        count(tx.conn, self.row.partner, Stored.QUESTIONS, items=1, size=size, now_ms=tx.now_ms)


def answered_row(
    verified: VerifiedQuery,
    *,
    actor: str,
    now_ms: int,
    keep_ms: int,
    outcome: str,
    reason: str = "",
    count: int = 0,
    statement: bytes = b"",
) -> AnswerRow:
    """The row of a partner's query."""
    query = verified.query
    return AnswerRow(
        side=ANSWERED,
        query_id=query.query_id,
        partner=query.asker,
        actor=actor,
        asked_at=to_ms(query.asked_at),
        ended_at=now_ms,
        delete_at=now_ms + keep_ms,
        outcome=outcome,
        reason=reason,
        count=count,
        query=verified.data,
        note=verified.note,
        statement=statement,
    )


def span_of(query: history_pb2.HistoryQuery) -> tuple[int, int]:
    """The span of time in which a record's last match is wanted, milliseconds since 1970; 0: no bound."""
    return to_ms(query.match_declared_from), to_ms(query.match_declared_until)


def forget_third_alerts(shipment: shipment_pb2.Shipment, query: history_pb2.HistoryQuery) -> None:
    """Clears references to alerts of third nodes, in place; `withheld` would tell that there are any."""
    for inspection in shipment.inspections:
        if inspection.alert.publisher not in (query.asker, query.answerer):
            inspection.ClearField("alert")


def _require_time(query: history_pb2.HistoryQuery, now_ms: int) -> None:
    try:
        made_ms = uuid7_unix_ms(query.query_id)
    except MalformedError as error:
        raise InvalidRequestError([Violation("query.query_id", "uuid7", error.message)]) from None
    for field, said_ms in (("query.asked_at", to_ms(query.asked_at)), ("query.query_id", made_ms)):
        if abs(said_ms - now_ms) > MAX_CLOCK_SKEW_MS:
            raise InvalidRequestError(
                [
                    Violation(
                        field,
                        "clock",
                        f"its time is {abs(said_ms - now_ms) // 1000} s from this gateway's now; at most "
                        f"{MAX_CLOCK_SKEW_MS // 1000} s are allowed: ask anew, and check both clocks",
                    )
                ]
            )


def _answered_before(query_id: str) -> RequestIdReusedError:
    return RequestIdReusedError(f"query.query_id: {query_id} was answered before; ask again under a new one")
