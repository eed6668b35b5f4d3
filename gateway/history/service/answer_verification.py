"""Verification steps of an answer that the querying node and evidence share."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import GatewayError, SignatureInvalidError, VerificationError
from gateway.history.codec.signed_texts import Statement, answer_origin, parse_statement, query_digest
from gateway.tlog.checkpoint import verify_checkpoint
from gateway.tlog.note import Verifier
from gateway.v1 import history_pb2


def verified_statement(note: bytes, query: history_pb2.HistoryQuery, keys: Sequence[bytes]) -> Statement:
    """Step 2: the statement on the answer to this query.

    Raises:
        SignatureInvalidError, MalformedError: another text or key.
    """
    origin = answer_origin(query.federation, query.answerer, query.asker, query.query_id)
    refused: GatewayError = SignatureInvalidError(f"the directory names no log key of {query.answerer} for that time")
    for key in keys:
        try:
            verify_checkpoint(note, Verifier(origin, key), origin)
        except SignatureInvalidError as error:
            refused = error
            continue
        return parse_statement(note)
    raise SignatureInvalidError(
        f"the statement isn't signed by {query.answerer} for this question: {refused.message}", step="2 signature"
    ) from refused


def require_answer_to(statement: Statement, query: history_pb2.HistoryQuery, data: bytes) -> None:
    """Steps 3 and 5.

    Raises:
        VerificationError: another query, or a contradiction.
    """
    if statement.digest != query_digest(data):  # 3
        raise VerificationError("the statement is over another question", step="3 question")
    if statement.hit is None and query.mode == history_pb2.ANSWER_MODE_HIT:  # 5
        raise VerificationError("records were given where only a hit was asked for", step="5 mode")
    if statement.hit is not None and statement.count:
        raise VerificationError("records were given beside a hit", step="5 mode")
    if query.as_of and statement.as_of > query.as_of:
        raise VerificationError("it was searched beyond what was asked for", step="5 mode")
    if statement.more_before > min(query.before or statement.as_of + 1, statement.as_of + 1):
        raise VerificationError("what is said to follow lies before what was asked for", step="5 mode")
