"""Statements on answered requests, so that a resent one has no second effect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from gateway.db.database import insert_rows
from gateway.feed.tables.schema import requests

_COLUMNS = ("request_id", "principal", "digest", "response")


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request of 16 id bytes, with the SHA-256 of its body and its answer."""

    request_id: bytes
    principal: str
    digest: bytes
    response: bytes


def remember(conn: Connection, answered: Sequence[AnsweredRequest]) -> bool:
    """Stores answers; False if not all were new: roll back, since some were stored."""
    rows = [(a.request_id, a.principal, a.digest, a.response) for a in answered]
    return insert_rows(conn, requests, _COLUMNS, rows, or_ignore=True) == len(rows)


def find(conn: Connection, principal: str, request_ids: Iterable[bytes]) -> dict[bytes, AnsweredRequest]:
    """Stored answers to a principal's requests, by id."""
    rows = conn.execute(
        select(requests).where(requests.c.principal == principal, requests.c.request_id.in_(list(request_ids)))
    )
    return {bytes(row.request_id): AnsweredRequest(bytes(row[0]), row[1], bytes(row[2]), bytes(row[3])) for row in rows}
