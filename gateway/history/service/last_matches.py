"""Finds the items that match a search, and of each record the last, at which it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from gateway.history.service.criteria import SearchPlan
from gateway.history.tables import shipment_search, shipments
from gateway.history.tables.cells import CellsState
from gateway.history.tables.shipment_search import RecordRow


def newest_hits(
    conn: Connection, plan: SearchPlan, before: int, limit: int, state: CellsState
) -> tuple[list[RecordRow], dict[int, tuple[int, ...]]]:
    """The newest matching positions, `limit` of each alternative, and the alternatives of each."""
    rows: dict[int, RecordRow] = {}
    matched: dict[int, tuple[int, ...]] = {}
    for number, criteria in enumerate(plan.alternatives):
        if criteria.key_sets:
            of_alternative = shipment_search.search_records(
                conn, criteria.key_sets, criteria.hit_filter, before=before, limit=limit, state=state
            )
            for row in of_alternative:
                rows[row.hit] = row
                matched[row.hit] = (*matched.get(row.hit, ()), number)
    return [rows[position] for position in sorted(rows, reverse=True)], matched


def declared_at(conn: Connection, rows: Sequence[RecordRow]) -> dict[str, int]:
    """When the item was declared that each record with several was found by, milliseconds since 1970."""
    hits = {row.hit: row.record_id for row in rows if row.hit != row.position}
    of_hits = shipments.revisions(conn, list(hits)) if hits else {}
    return {hits[position]: row.declared_at for position, row in of_hits.items()}


def last_matches(
    conn: Connection, plan: SearchPlan, positions: Mapping[str, Sequence[int]], as_of: int
) -> dict[str, tuple[int, tuple[int, ...]]]:
    """By record its last matching position, and its matching alternatives.

    Items after `as_of` don't count: an earlier page showed the record without them.
    """
    candidates = [position for of_record in positions.values() for position in of_record if position <= as_of]
    last_of: dict[str, tuple[int, tuple[int, ...]]] = {}
    for number, criteria in enumerate(plan.alternatives if candidates else ()):
        matching = shipment_search.matching(conn, candidates, criteria.key_sets) if criteria.key_sets else ()
        for row in shipments.revisions(conn, list(matching)).values():
            if criteria.record_filter.matches(row):
                last, matched = last_of.get(row.record_id, (0, ()))
                numbers = matched if number in matched else (*matched, number)
                last_of[row.record_id] = max(last, row.position), numbers
    return last_of
