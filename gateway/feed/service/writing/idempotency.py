"""Answers repeated requests: one effect, and the first answer again."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from hashlib import sha256
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from gateway.contract.ids import uuid_bytes
from gateway.errors import RequestIdReusedError
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import requests
from gateway.feed.tables.requests import AnsweredRequest

ResponseT = TypeVar("ResponseT", bound=Message)


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
