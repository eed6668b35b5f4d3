"""Encodes and parses the notes over queries and the statements over answers (C2SP signed notes).

A statement is a checkpoint of a log of one answer's records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from gateway.contract.limits import ANSWER_MESSAGE_BYTES
from gateway.contract.validation import validate
from gateway.errors import MalformedError, SignatureInvalidError
from gateway.history.rules.unindexed import NONE, Unindexed
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body
from gateway.tlog.encoding import decode_decimal, decode_hash, encode_base64
from gateway.tlog.merkle import MAX_TREE_SIZE
from gateway.tlog.note import Verifier, open_note, parse_note
from gateway.trust.rules.directory import MessageType
from gateway.v1 import history_pb2, history_service_pb2

QUERY_TYPE: Final = MessageType.HISTORY_QUERY.value
RECORD_TYPE: Final = MessageType.HISTORY_RECORD.value
HIT_TYPE: Final = MessageType.HISTORY_HIT.value
"""Message types in agreements."""

RecordT = TypeVar("RecordT", bytes, history_pb2.HistoryRecord)

_RECORDS, _HIT, _NO_HIT = "records", "hit", "no-hit"
_COMPLETE, _MORE, _UNINDEXED, _LOST = "complete", "more-before ", "unindexed ", "lost-before "
_LINES = range(6, 9)
"""Extension lines; an answer that has more and lacks something says both."""

_FIRST_TIME = 1_000_000_000_000
"""Milliseconds since 1970: smaller numbers are positions, in statements of earlier versions."""
_MAX_UNIX_MS = 253_402_300_799_999
"""End of the year 9999."""


def question_origin(federation: str, asker: str, answerer: str) -> str:
    """First line of a query's note, and its key's name."""
    return f"{federation}/{asker}/{answerer}/query"


def answer_origin(federation: str, answerer: str, asker: str, query_id: str) -> str:
    """Origin of an answer's statement, and its key's name."""
    return f"{federation}/{answerer}/{asker}/history/{query_id}"


def question_text(origin: str, query_id: str, digest: bytes) -> bytes:
    """Text of a query's note; `digest` is over the query's bytes."""
    return f"{origin}\n{query_id}\n{encode_base64(digest).decode()}\n".encode()


def query_digest(data: bytes) -> bytes:
    """SHA-256 of a query's bytes."""
    return sha256(data).digest()


def encode_query(query: history_pb2.HistoryQuery) -> bytes:
    """Canonical bytes of a query."""
    return query.SerializeToString(deterministic=True)


def parse_query(data: bytes) -> history_pb2.HistoryQuery:
    """Parses a verified query; an unknown field is refused, since it might restrict the query.

    Raises:
        MalformedError: not canonical, or of a newer contract.
        InvalidRequestError: lists all broken rules of the contract.
    """
    try:
        query = history_pb2.HistoryQuery.FromString(data)
    except DecodeError as error:
        raise MalformedError("query: not a HistoryQuery of the contract") from error
    if _has_unknown_fields(query):
        raise MalformedError("query: it has fields that this gateway doesn't know; ask without them")
    if encode_query(query) != data:
        raise MalformedError("query: not in canonical form; serialise it deterministically")
    validate(query, "query.")
    return query


def parse_record(data: bytes) -> history_pb2.HistoryRecord:
    """A record of an answer.

    Raises:
        MalformedError: no record.
    """
    try:
        return history_pb2.HistoryRecord.FromString(data)
    except DecodeError as error:
        raise MalformedError("a record of the answer isn't a HistoryRecord of the contract") from error


def parse_records(data: bytes) -> history_service_pb2.SearchShipmentsResponse:
    """Parses a serialised AnswerRecords as HistoryRecords, which has the same field.

    Raises:
        MalformedError: one of them is no record.
    """
    response = history_service_pb2.SearchShipmentsResponse()
    try:
        response.records.MergeFromString(data)
    except DecodeError as error:
        raise MalformedError("a record of the answer isn't a HistoryRecord of the contract") from error
    return response


def in_messages(records: Iterable[RecordT], size_of: Callable[[Any], int] = len) -> Iterator[list[RecordT]]:
    """Groups records into messages; `size_of` gives bytes."""
    some: list[RecordT] = []
    size = 0
    for record in records:
        length = size_of(record)
        if some and size + length > ANSWER_MESSAGE_BYTES:
            yield some
            some, size = [], 0
        some.append(record)
        size += length
    if some:
        yield some


def _has_unknown_fields(message: Message) -> bool:
    if len(UnknownFieldSet(message)):
        return True
    for field, value in message.ListFields():
        if field.message_type is not None:
            below = value if field.is_repeated else (value,)
            if any(_has_unknown_fields(child) for child in below):
                return True
    return False


def open_question(note: bytes, verifiers: tuple[Verifier, ...], origin: str) -> tuple[str, bytes]:
    """Verifies a query's note; returns the query's id and digest.

    Raises:
        MalformedError: not a note of this form.
        SignatureInvalidError: other keys, or another pair of nodes.
    """
    _require_one_signature(note)
    text = open_note(note, verifiers).text
    lines = text.decode().split("\n")
    if len(lines) != 4 or lines[0] != origin:
        raise SignatureInvalidError(f"the note is none over a question of {origin}", step="origin")
    query_id, digest = lines[1], decode_hash(lines[2].encode(), "digest of the query")
    if question_text(origin, query_id, digest) != text:
        raise MalformedError("note: not in canonical form")
    return query_id, digest


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement over an answer.

    Attributes:
        root: RFC 6962 Merkle root over the records' bytes, in order.
        digest: SHA-256 of the query's bytes.
        as_of: see `as_of_time`.
        withheld: number of fields that the records name as withheld.
        more_before: the number to go on by, if there are more records; 0: none.
        hit: None in an answer with records.
        answered_at_ms: answerer's clock, milliseconds since 1970.
        unindexed: records that the answer lacks, since they aren't indexed yet.
        lost_before_ms: what the answerer recorded before may be lost with its database, in milliseconds since 1970; 0
            where nothing asked for may be.
    """

    federation: str
    answerer: str
    asker: str
    query_id: str
    count: int
    root: bytes
    digest: bytes
    as_of: int
    withheld: int
    more_before: int
    hit: bool | None
    answered_at_ms: int
    unindexed: Unindexed = NONE
    lost_before_ms: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether everything recorded before `as_of` that was asked for is in it, or on the pages before."""
        return not (self.more_before or self.unindexed.records or self.lost_before_ms)

    @property
    def origin(self) -> str:
        return answer_origin(self.federation, self.answerer, self.asker, self.query_id)

    def checkpoint(self) -> Checkpoint:
        mode = _RECORDS if self.hit is None else _HIT if self.hit else _NO_HIT
        lines = (
            f"query {encode_base64(self.digest).decode()}",
            f"as-of {self.as_of}",
            f"withheld {self.withheld}",
            *self._rest(),
            mode,
            f"answered {self.answered_at_ms}",
        )
        return Checkpoint(self.origin, self.count, self.root, lines)

    def _rest(self) -> Iterator[str]:
        """Lines on what the answer lacks."""
        if self.is_complete:
            yield _COMPLETE
        if self.more_before:
            yield f"{_MORE}{self.more_before}"
        if self.unindexed.records:
            yield f"{_UNINDEXED}{self.unindexed.records}{'+' if self.unindexed.or_more else ''}"
        if self.lost_before_ms:
            yield f"{_LOST}{self.lost_before_ms}"

    @property
    def as_of_time(self) -> datetime | None:
        """What was recorded before was searched, by the answerer's clock; None in a statement with positions."""
        return datetime.fromtimestamp(self.as_of / 1000, UTC) if self.as_of >= _FIRST_TIME else None

    @property
    def answered_at(self) -> datetime:
        return datetime.fromtimestamp(self.answered_at_ms / 1000, UTC)


def parse_statement(note: bytes) -> Statement:
    """Parses a statement; the caller verifies its signature.

    Raises:
        MalformedError: not canonical.
    """
    _require_one_signature(note)
    checkpoint = parse_checkpoint_body(parse_note(note).unverified_text)
    names = checkpoint.origin.split("/")
    if len(names) != 5 or names[3] != "history" or len(checkpoint.extensions) not in _LINES:
        raise MalformedError(
            "the statement isn't one over an answer: an origin …/history/<query id> and six to eight more lines"
        )
    federation, answerer, asker, _, query_id = names
    query, as_of, withheld, *rest, mode, answered = checkpoint.extensions
    if mode not in (_RECORDS, _HIT, _NO_HIT):
        raise MalformedError(f"statement: {mode[:40]!r} is neither records, hit nor no-hit")
    statement = Statement(
        federation,
        answerer,
        asker,
        query_id,
        checkpoint.size,
        checkpoint.root,
        decode_hash(query.removeprefix("query ").encode(), "digest of the query"),
        _number(as_of, "as-of ", _MAX_UNIX_MS),
        _number(withheld, "withheld "),
        next((_number(line, _MORE) for line in rest if line.startswith(_MORE)), 0),
        None if mode == _RECORDS else mode == _HIT,
        _number(answered, "answered ", _MAX_UNIX_MS),
        next((_unindexed(line) for line in rest if line.startswith(_UNINDEXED)), NONE),
        next((_number(line, _LOST, _MAX_UNIX_MS) for line in rest if line.startswith(_LOST)), 0),
    )
    if statement.checkpoint() != checkpoint:
        raise MalformedError("the statement isn't in canonical form")
    return statement


def _unindexed(line: str) -> Unindexed:
    return Unindexed(_number(line.removesuffix("+"), _UNINDEXED), or_more=line.endswith("+"))


def _number(line: str, name: str, maximum: int = MAX_TREE_SIZE) -> int:
    return decode_decimal(line.removeprefix(name).encode(), f"{name.strip()} line of the statement", maximum)


def _require_one_signature(note: bytes) -> None:
    # A second, unchecked signature could be changed unnoticed.
    if len(parse_note(note).signatures) != 1:
        raise MalformedError("a note of shipment history has one signature")
