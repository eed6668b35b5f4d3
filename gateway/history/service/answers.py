"""Verifies a partner's query for shipment history, and answers it with records and a signed statement.

1. signature: the note is over the SHA-256 of the query's bytes, signed under the name
   `<federation>/<asker>/<answerer>/query` by one of the asker's current log keys.
2. form: the query is canonical and valid by the contract, and its criteria don't match everything.
3. parties: this federation, from the node in the connection's certificate, to this node; the id is the note's.
4. time: its time and its id's time are at most MAX_CLOCK_SKEW_MS from now, against replay.
5. once: its id wasn't answered before, so that one id never has two signed answers.
6. agreement: history.service.terms allows it.
7. search: newest first; each record lists its withheld fields.
8. statement: a checkpoint over the records' bytes in order, signed by this node under the name
   `<federation>/<answerer>/<asker>/history/<query id>`; it is stored before it leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.contract.ids import uuid7_unix_ms
from gateway.contract.limits import ANSWER_BYTES, MAX_CLOCK_SKEW_MS, MAX_RECORD_BYTES
from gateway.contract.timestamps import to_ms
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
from gateway.feed.service.transaction import Transaction
from gateway.history.codec.signed_texts import Statement, open_question, parse_query, query_digest, question_origin
from gateway.history.service.criteria import require_all_narrow
from gateway.history.service.search import Chunk, HistorySearch
from gateway.history.service.terms import Terms, require_terms
from gateway.history.tables import answers
from gateway.history.tables.answers import ANSWERED, AnswerRow
from gateway.tlog.checkpoint import sign_checkpoint
from gateway.tlog.merkle import Tree, leaf_hash
from gateway.tlog.note import Signer, Verifier
from gateway.trust.rules.directory import FieldClass
from gateway.trust.rules.disclosure import redact
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import history_pb2, options_pb2, shipment_pb2

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
    ) -> None:
        self.node = node
        self._database = database
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
        return VerifiedQuery(query, data, note)

    def begin(self, verified: VerifiedQuery) -> SignedAnswer:
        """Step 6.

        Raises:
            AgreementForbidsError: names the agreement and its clause.
        """
        trust = self._trust()
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        terms = require_terms(trust.directory, verified.query, now)  # 6
        return SignedAnswer(verified, terms, self._search, self._signer_for, self._clock)


class SignedAnswer:
    """An answer in parts, for one thread at a time; memory grows with the logarithm of its records."""

    def __init__(
        self,
        verified: VerifiedQuery,
        terms: Terms,
        search: HistorySearch,
        signer_for: SignerFor,
        clock: Callable[[], int],
    ) -> None:
        query = verified.query
        self.verified = verified
        self.terms = terms
        self.count = 0
        self.withheld = 0
        self._signer_for = signer_for
        self._clock = clock
        self._chunks: Iterator[Chunk] = search.chunks(
            query.criteria,
            alternatives=query.alternatives,
            before=query.before,
            as_of=query.as_of,
            limit=1 if terms.hit_only else query.limit,
            whole=query.whole and not terms.hit_only,
        )
        self._tree = Tree.empty()
        self._bytes = 0
        self._as_of = 0
        self._more_before = 0
        self._hit = False

    def next_part(self) -> tuple[list[bytes], bytes]:
        """Step 7: further records, perhaps none, and after the last the statement.

        Raises:
            TooLargeError: a record is larger than any message may be.
        """
        chunk = next(self._chunks)
        self._as_of, self._more_before = chunk.as_of, chunk.more_before
        records = chunk.records
        if self.terms.hit_only:
            self._hit = bool(records)
            return [], self._statement() if chunk.last or self._hit else b""
        redacted = [self._redacted(record) for record in records]
        self._tree = self._tree.append([leaf_hash(record) for record in redacted]).tree
        self._bytes += sum(map(len, redacted))
        self.count += len(redacted)
        return redacted, self._statement() if chunk.last or self._bytes >= ANSWER_BYTES else b""

    def _statement(self) -> bytes:
        """Step 8."""
        query, hit_only = self.verified.query, self.terms.hit_only
        statement = Statement(
            federation=query.federation,
            answerer=query.answerer,
            asker=query.asker,
            query_id=query.query_id,
            count=self.count,
            root=self._tree.root,
            digest=query_digest(self.verified.data),
            as_of=self._as_of,
            withheld=self.withheld,
            more_before=0 if hit_only else self._more_before,
            hit=self._hit if hit_only else None,
            answered_at_ms=self._clock(),
        )
        return sign_checkpoint(statement.checkpoint(), self._signer_for(statement.origin))

    def _redacted(self, record: history_pb2.HistoryRecord) -> bytes:
        classes = self.terms.field_classes
        forget_third_alerts(record.shipment, self.verified.query)
        withheld = redact(record.shipment, classes)
        if record.name_matches and FieldClass.PERSONAL not in classes:
            # Its reasons quote both names.
            del record.name_matches[:]
            withheld.append(
                history_pb2.WithheldField(path="name_matches", disclosure_class=options_pb2.DISCLOSURE_CLASS_PERSONAL)
            )
        record.withheld.extend(withheld)
        self.withheld += len(record.withheld)
        data = record.SerializeToString(deterministic=True)
        if len(data) > MAX_RECORD_BYTES:
            raise TooLargeError(
                f"record {record.shipment.record_id} with what was added to it has {len(data)} bytes; "
                f"at most {MAX_RECORD_BYTES} can be sent"
            )
        return data


@dataclass(frozen=True, slots=True)
class KeepAnsweredCommand:
    """Stores a query with its answer.

    Raises:
        RequestIdReusedError: answered meanwhile; the statement must not leave.
    """

    row: AnswerRow
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        if answers.find(tx.conn, ANSWERED, self.row.query_id) is not None:
            raise _answered_before(self.row.query_id)
        answers.add(tx.conn, self.row)


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
