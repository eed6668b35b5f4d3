"""Statements on client requests: what was answered to which request id, so that a resent one has no second effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from gateway.db.database import insert_rows
from gateway.feed.tables.schema import requests

_COLUMNS = ("request_id", "principal", "digest", "response")


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request as it was answered. `request_id` has 16 bytes, `digest` is the SHA-256 of the request's body."""

    request_id: bytes
    principal: str
    digest: bytes
    response: bytes


def remember(conn: Connection, answered: Sequence[AnsweredRequest]) -> bool:
    """Keeps answers; True when every one of them is new, else an unknown part of them was kept: roll back."""
    rows = [(a.request_id, a.principal, a.digest, a.response) for a in answered]
    return insert_rows(conn, requests, _COLUMNS, rows, or_ignore=True) == len(rows)


def find(conn: Connection, principal: str, request_ids: Iterable[bytes]) -> dict[bytes, AnsweredRequest]:
    """Earlier answers to these request ids of one principal, by id."""
    rows = conn.execute(
        select(requests).where(requests.c.principal == principal, requests.c.request_id.in_(list(request_ids)))
    )
    return {bytes(row.request_id): AnsweredRequest(bytes(row[0]), row[1], bytes(row[2]), bytes(row[3])) for row in rows}
