"""Requests that are sent again: the same id with the same body has its effect once and is answered as the first
time."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from google.protobuf.message import Message

from gateway.contract.ids import uuid_bytes
from gateway.errors import RequestIdReusedError
from gateway.feed.service.writer import Transaction
from gateway.feed.tables import requests
from gateway.feed.tables.requests import AnsweredRequest

ResponseT = TypeVar("ResponseT", bound=Message)


def digest_of(request: Message) -> bytes:
    """SHA-256 of a request, to tell one that is sent again from a reused id."""
    return sha256(request.SerializeToString(deterministic=True)).digest()


def repeated(
    before: AnsweredRequest, digest: bytes, response_type: type[ResponseT]
) -> ResponseT | RequestIdReusedError:
    """The answer to a request that was answered before, or why it can't be the same request."""
    if before.digest != digest:
        return RequestIdReusedError(
            f"request_id {uuid.UUID(bytes=before.request_id)} was used before for another request",
            metadata={"field": "request_id"},
        )
    return response_type.FromString(before.response)


def once(
    tx: Transaction,
    request: Message,
    act: Callable[[], ResponseT],
    *,
    request_id: str,
    principal: str,
    response_type: type[ResponseT],
) -> ResponseT:
    """The answer given before to the same request of the same caller, or else what `act` does and answers now.

    Raises:
        RequestIdReusedError: the id was used for another request.
    """
    key, digest = uuid_bytes(request_id), digest_of(request)
    before = requests.find(tx.conn, principal, [key]).get(key)
    if before is not None:
        answer = repeated(before, digest, response_type)
        if isinstance(answer, RequestIdReusedError):
            raise answer
        return answer
    response = act()
    requests.remember(tx.conn, [AnsweredRequest(key, principal, digest, response.SerializeToString())])
    return response
