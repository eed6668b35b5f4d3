"""What commands are made of: entries for own feeds, each with a fresh salt, and one effect of a repeated request."""

from __future__ import annotations

import os
import threading
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from gateway.contract.ids import uuid_bytes
from gateway.contract.limits import SALT_BYTES
from gateway.errors import RequestIdReusedError
from gateway.feed.codec import CausalDependency, EncodedEntry, make_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import requests
from gateway.feed.tables.requests import AnsweredRequest

ResponseT = TypeVar("ResponseT", bound=Message)

_DRAW_BYTES = 8192
"""Bytes drawn at once, enough for some hundred alerts. One draw per salt cost 8 % of a busy gateway: the system call
releases the interpreter lock and must get it back.
"""


class Randomness:
    """Bytes for salts and ids from the system's cryptographic generator, each used once; thread-safe."""

    def __init__(self) -> None:
        self.forget()
        # A forked child must not return its parent's bytes.
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Discards drawn bytes."""
        self._lock = threading.Lock()
        self._drawn = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        if count > _DRAW_BYTES:
            return os.urandom(count)
        with self._lock:
            if self._at + count > len(self._drawn):
                self._drawn, self._at = os.urandom(_DRAW_BYTES), 0
            start, self._at = self._at, self._at + count
            return self._drawn[start : self._at]


random_bytes = Randomness()
"""The process's buffer."""


def new_entry(
    type_name: str, message: Message, *, now_ms: int, follows: int = 0, after: Iterable[CausalDependency] = ()
) -> EncodedEntry:
    """Encodes a message as an entry; `type_name`, `follows` and `after` as in the contract's EntryHeader.

    Raises:
        TooLargeError: the payload exceeds MAX_PAYLOAD_BYTES.
    """
    return make_entry(
        type_name,
        message.SerializeToString(deterministic=True),
        salt=random_bytes(SALT_BYTES),
        recorded_at_ms=now_ms,
        follows=follows,
        after=after,
    )


def entry_of(type_name: str, payload: bytes, *, now_ms: int) -> EncodedEntry:
    """As `new_entry`, of a message that is serialised, deterministically."""
    return make_entry(type_name, payload, salt=random_bytes(SALT_BYTES), recorded_at_ms=now_ms)


def digest_of(request: Message) -> bytes:
    """SHA-256 of a request, to distinguish a repetition from a reused id."""
    return sha256(request.SerializeToString(deterministic=True)).digest()


def repeated(
    before: AnsweredRequest, digest: bytes, response_type: type[ResponseT]
) -> ResponseT | RequestIdReusedError:
    """The stored answer, or an error when the request differs."""
    if before.digest != digest:
        return RequestIdReusedError(
            f"request_id {uuid.UUID(bytes=before.request_id)} was used before for another request",
            metadata={"field": "request_id"},
        )
    return response_type.FromString(before.response)


class IdempotentCommand(ABC, Generic[ResponseT]):
    """A command whose request may be repeated by the same caller without a second effect.

    The answer is stored in the effect's transaction: a crash before its commit leaves neither, a crash after it both,
    so repeating the request is safe.

    Attributes:
        request: its `request_id` is a UUID.
        principal: the caller, to whom the id belongs.
    """

    __slots__ = ()

    request: Any
    principal: str

    @property
    @abstractmethod
    def response_type(self) -> type[ResponseT]:
        """The response's class."""

    @property
    def request_id(self) -> str:
        """The request's id, a UUID as text."""
        return str(self.request.request_id)

    @abstractmethod
    def answer(self, tx: Transaction) -> ResponseT:
        """Executes a new request; raises a GatewayError before any write."""

    def execute(self, tx: Transaction) -> ResponseT:
        """Returns the stored answer, or answers now.

        Raises:
            RequestIdReusedError: the id was used for another request.
        """
        key, digest = uuid_bytes(self.request_id), digest_of(self.request)
        before = requests.find(tx.conn, self.principal, [key]).get(key)
        if before is not None:
            response = repeated(before, digest, self.response_type)
            if isinstance(response, RequestIdReusedError):
                raise response
            return response
        response = self.answer(tx)
        answered = AnsweredRequest(key, self.principal, digest, response.SerializeToString())
        requests.remember(tx.conn, [answered], now_ms=tx.now_ms)
        return response


KEPT_MS = 30 * 24 * 3_600_000
"""How long an answer is kept, in milliseconds: a request that is sent again later is a new one."""

_FORGOTTEN_AT_ONCE = 500
"""Most answers removed in one transaction: callers wait for the writer some milliseconds."""


class ForgetAnswersCommand:
    """Removes answers older than KEPT_MS; the result is whether there may be more."""

    weight = 1

    def __init__(self, *, latest_ms: int) -> None:
        """`latest_ms`: the latest that it may be by partners' clocks: what is removed can't be taken back."""
        self._latest_ms = latest_ms

    def execute(self, tx: Transaction) -> bool:
        before_ms = min(tx.now_ms, self._latest_ms) - KEPT_MS
        return requests.forget(tx.conn, before_ms, _FORGOTTEN_AT_ONCE) == _FORGOTTEN_AT_ONCE
