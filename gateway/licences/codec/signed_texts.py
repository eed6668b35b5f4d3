"""Encodes and parses signed questions whether a licence covers goods, and the statements that answer them.

Both are C2SP signed notes under a name of their own, by the log keys of the nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from gateway.contract.enum_words import number_of, word_of
from gateway.contract.validation import validate
from gateway.errors import MalformedError, SignatureInvalidError
from gateway.tlog.encoding import decode_decimal, encode_base64
from gateway.tlog.note import Verifier, open_note, parse_note
from gateway.trust.rules.directory import MessageType
from gateway.v1 import licence_pb2

QUERY_TYPE: Final = MessageType.LICENCE_QUERY.value
ANSWER_TYPE: Final = MessageType.LICENCE_ANSWER.value
"""Message types in agreements."""

_MAX_UNIX_MS = 253_402_300_799_999
"""End of the year 9999."""

_LINES = 4


def question_origin(federation: str, asker: str, answerer: str) -> str:
    """First line of a question's note, and its key's name."""
    return f"{federation}/{asker}/{answerer}/licence-query"


def question_text(query: licence_pb2.LicenceQuery, data: bytes) -> bytes:
    """Text of a question's note."""
    origin = question_origin(query.federation, query.asker, query.licence.issuer)
    return f"{origin}\n{query.query_id}\n{_digest(data)}\n".encode()


def encode_query(query: licence_pb2.LicenceQuery) -> bytes:
    """Canonical bytes of a question."""
    return query.SerializeToString(deterministic=True)


def open_query(data: bytes, note: bytes, keys: Sequence[bytes]) -> licence_pb2.LicenceQuery:
    """A question that its asker has signed; the caller compares the parties.

    Raises:
        MalformedError: not canonical, or of a newer contract.
        InvalidRequestError: lists all broken rules of the contract.
        SignatureInvalidError: another text or key.
    """
    try:
        query = licence_pb2.LicenceQuery.FromString(data)
    except DecodeError as error:
        raise MalformedError("query: not a LicenceQuery of the contract") from error
    query.DiscardUnknownFields()
    if encode_query(query) != data:
        raise MalformedError("query: not in canonical form, or with fields that this gateway doesn't know")
    validate(query, "query.")
    name = question_origin(query.federation, query.asker, query.licence.issuer)
    if _signed_text(note, name, keys) != question_text(query, data):
        raise SignatureInvalidError("the note is over another question", step="signature")
    return query


@dataclass(frozen=True, slots=True)
class CoverageStatement:
    """What a node says about a licence of its own.

    Attributes:
        answered_at_ms: answerer's clock, milliseconds since 1970.
    """

    coverage: licence_pb2.LicenceCoverage.ValueType
    answered_at_ms: int

    def text(self, query: licence_pb2.LicenceQuery, data: bytes) -> bytes:
        """Text of the statement over the answer to a question."""
        covers = word_of(licence_pb2.LicenceCoverage, self.coverage)
        lines = (
            answer_origin(query),
            f"query {_digest(data)}",
            f"covers {covers}",
            f"answered {self.answered_at_ms}",
        )
        return "".join(f"{line}\n" for line in lines).encode()


def answer_origin(query: licence_pb2.LicenceQuery) -> str:
    """First line of a statement, and its key's name."""
    return f"{query.federation}/{query.licence.issuer}/{query.asker}/licence/{query.query_id}"


def open_statement(
    note: bytes, query: licence_pb2.LicenceQuery, data: bytes, keys: Sequence[bytes]
) -> CoverageStatement:
    """The statement over the answer to this question.

    Raises:
        MalformedError: not in canonical form.
        SignatureInvalidError: another question or key.
    """
    text = _signed_text(note, answer_origin(query), keys)
    lines = text.decode().split("\n")
    if len(lines) != _LINES + 1:
        raise MalformedError("the statement isn't one over a licence: an origin and three more lines")
    covers = number_of(licence_pb2.LicenceCoverage.DESCRIPTOR, lines[2].removeprefix("covers "))
    answered = decode_decimal(lines[3].removeprefix("answered ").encode(), "answered line", _MAX_UNIX_MS)
    statement = CoverageStatement(licence_pb2.LicenceCoverage.ValueType(covers or 0), answered)
    if statement.text(query, data) != text:
        raise SignatureInvalidError("the statement is over another question", step="question")
    return statement


def _signed_text(note: bytes, name: str, keys: Sequence[bytes]) -> bytes:
    # A second, unchecked signature could be changed unnoticed.
    if len(parse_note(note).signatures) != 1:
        raise MalformedError("a note about a licence has one signature")
    return open_note(note, [Verifier(name, key) for key in keys]).text


def _digest(data: bytes) -> str:
    return encode_base64(sha256(data).digest()).decode()
