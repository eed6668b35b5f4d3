"""Counts what the hits of an adopted profile came to."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from gateway.history.tables import inspection_outcomes


class ProfileOutcomes(NamedTuple):
    """Numbers of records: evaluated, with a hit, and those of them that inspections confirmed, or found as declared."""

    records: int
    hits: int
    confirmed: int
    unfounded: int


def count_outcomes(conn: Connection, rule_id: str, *, since_ms: int) -> ProfileOutcomes:
    """Of records that were recorded since a time (milliseconds since 1970), in their newest revision."""
    hits, outcomes = inspection_outcomes.hits_since(conn, rule_id, since_ms)
    records = inspection_outcomes.evaluated_since(conn, since_ms)
    return ProfileOutcomes(records, hits, outcomes.confirmed, outcomes.inspected - outcomes.confirmed)
