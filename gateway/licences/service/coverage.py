"""Asks whether a licence covers goods, and answers that, signed.

Of a partner's question:

1. signature: the note is signed by a current log key of the asker over the query's digest.
2. parties: the asker is the node of the connection, the licence is one of this node, the federation is this one.
3. time: it was asked within MAX_AGE_MS of this node's clock.
4. agreement: the asker may ask for this purpose with what the query discloses, and may have the answer.

The answer is yes, no or partly: a number that isn't there is answered as one that doesn't cover the goods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.contract.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import InvalidRequestError, PermissionDeniedError, Violation
from gateway.feed.service.writing.commands import random_bytes
from gateway.licences.codec.signed_texts import (
    ANSWER_TYPE,
    QUERY_TYPE,
    CoverageStatement,
    answer_origin,
    encode_query,
    open_query,
    open_statement,
    question_origin,
    question_text,
)
from gateway.licences.commands.register import day_violations
from gateway.licences.rules.coverage import UNKNOWN_NUMBER, covered
from gateway.licences.service.queries import LicenceQueries
from gateway.tlog.note import Signer, sign_note
from gateway.trust.service.agreements import Agreements
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import history_pb2, licence_pb2

MAX_AGE_MS = 10 * 60_000
"""Most milliseconds between a question and this node's clock, either way."""


@dataclass(frozen=True, slots=True)
class SignedLicenceQuery:
    """A question to send."""

    query: licence_pb2.LicenceQuery
    data: bytes
    note: bytes


class LicenceChecks:
    """Questions and answers of one node. Thread-safe."""

    def __init__(
        self,
        *,
        node: str,
        trust: Callable[[], TrustedDirectory],
        signer_for: Callable[[str], Signer],
        queries: LicenceQueries,
        clock: Callable[[], int],
    ) -> None:
        self._node = node
        self._trust = trust
        self._signer_for = signer_for
        self._queries = queries
        self._clock = clock
        self._agreements = Agreements(lambda: trust().directory)

    def ask(
        self,
        licence: licence_pb2.LicenceReference,
        consignment: licence_pb2.LicensedConsignment,
        grounds: history_pb2.QueryGrounds,
    ) -> SignedLicenceQuery:
        """A question to the licence's issuer.

        Raises:
            AgreementForbidsError, InvalidRequestError: it may not be asked, or not with these fields.
        """
        now_ms = self._clock()
        query = licence_pb2.LicenceQuery(
            query_id=uuid7(now_ms, random_bytes(UUID7_RANDOM_BYTES)),
            federation=self._trust().federation,
            asker=self._node,
            asked_at=to_timestamp(now_ms),
            grounds=grounds,
            licence=licence,
            consignment=consignment,
        )
        self._require_allowed(query, now_ms)
        data = encode_query(query)
        origin = question_origin(query.federation, query.asker, licence.issuer)
        return SignedLicenceQuery(query, data, sign_note(question_text(query, data), [self._signer_for(origin)]))

    def answer(self, peer: str, data: bytes, note: bytes) -> tuple[licence_pb2.LicenceQuery, bytes]:
        """A partner's question, and the signed statement that answers it.

        Raises:
            GatewayError: a step failed.
        """
        trust, now_ms = self._trust(), self._clock()
        query = open_query(data, note, trust.directory.log_keys(peer, _moment(now_ms)))  # 1
        if (query.federation, query.asker, query.licence.issuer) != (trust.federation, peer, self._node):  # 2
            raise PermissionDeniedError(
                f"{peer} put a question that says it is from {query.asker} to {query.licence.issuer}"
            )
        if abs(now_ms - to_ms(query.asked_at)) > MAX_AGE_MS:  # 3
            text = "was not asked just now by this gateway's clock"
            raise InvalidRequestError([Violation("query.asked_at", "asked_at.now", text)])
        problems = list(day_violations({"query.consignment.day": query.consignment.day}))
        if problems:
            raise InvalidRequestError(problems)
        self._require_allowed(query, now_ms)  # 4
        known = self._queries.known(query.licence)
        said = UNKNOWN_NUMBER if known is None else covered(known.facts, query.consignment)
        statement = CoverageStatement(said.coverage, now_ms).text(query, data)
        return query, sign_note(statement, [self._signer_for(answer_origin(query))])

    def verify(self, asked: SignedLicenceQuery, statement: bytes) -> CoverageStatement:
        """The issuer's answer; raises MalformedError or SignatureInvalidError."""
        keys = self._trust().directory.log_keys(asked.query.licence.issuer, _moment(self._clock()))
        return open_statement(statement, asked.query, asked.data, keys)

    def _require_allowed(self, query: licence_pb2.LicenceQuery, now_ms: int) -> None:
        asker, answerer, purpose = query.asker, query.licence.issuer, query.grounds.purpose
        self._agreements.require(
            query, sender=asker, recipient=answerer, purpose=purpose, at_ms=now_ms, message_type=QUERY_TYPE
        )
        self._agreements.require(
            licence_pb2.LicenceReference(),
            sender=answerer,
            recipient=asker,
            purpose=purpose,
            at_ms=now_ms,
            message_type=ANSWER_TYPE,
        )


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
