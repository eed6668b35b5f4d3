"""Statements by which own findings on alerts come into records: where they stand, and which new items they may
concern."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, bindparam, select

from gateway.alerts.tables import alert_events
from gateway.db.progress import Progress, progress_table
from gateway.db.statements import Prepared, run
from gateway.feed.tables.schema import entries, feeds
from gateway.history.tables.segments import SEGMENT_BITS
from gateway.history.tables.shipments import MOST_IN_STATEMENT

finding_progress = progress_table(
    "finding_progress",
    Column("step_position", BigInteger, nullable=False),  # in the local log, up to which steps of alerts were looked at
    Column("record_position", BigInteger, nullable=False),  # in record_log, up to which records were looked at
    Column("written_position", BigInteger, nullable=False),  # in record_log, of the last addition made of a finding
)


class FindingProgress(NamedTuple):
    """How far findings were put into records, as in the table's columns."""

    step_position: int = 0
    record_position: int = 0
    written_position: int = 0


PROGRESS = Progress(finding_progress, FindingProgress)

_OWN_STEPS = Prepared(
    select(alert_events.c.position, entries.c.payload)
    .select_from(alert_events)
    .join(feeds, feeds.c.id == alert_events.c.feed_id)
    .join(entries, (entries.c.feed_id == alert_events.c.feed_id) & (entries.c.idx == alert_events.c.idx))
    .where(
        feeds.c.direction == "out",
        alert_events.c.publisher != bindparam("node"),
        alert_events.c.position > bindparam("after"),
        alert_events.c.position <= bindparam("until"),
    )
    .order_by(alert_events.c.position)
    .limit(bindparam("most"))
)


def own_steps(conn: Connection, node: str, *, after: int, until: int, limit: int) -> list[tuple[int, bytes]]:
    """Steps that a node took on partners' alerts, in order: position and payload (empty when erased).

    Args:
        conn: to read.
        node: own name.
        after, until: positions in this node's order; the first doesn't count, the last does.
        limit: most steps.
    """
    return [(row[0], bytes(row[1])) for row in _OWN_STEPS(conn, node=node, after=after, until=until, most=limit)]


def met(conn: Connection, keys: Sequence[int], *, after: int, until: int) -> Iterator[tuple[int, int]]:
    """Keys of some that stand in the index at positions after one up to another, each with the position.

    Each key is one look-up, whatever stands at those positions.
    """
    ordered = sorted(keys)
    for segment in range((after + 1) >> SEGMENT_BITS, (until >> SEGMENT_BITS) + 1):
        for at in range(0, len(ordered), MOST_IN_STATEMENT):
            some = ordered[at : at + MOST_IN_STATEMENT]
            found = run(conn, _met_text(conn.dialect.name, len(some)), (segment, after, until, *some))
            yield from ((row[0], row[1]) for row in found)


@cache
def _met_text(dialect: str, count: int) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    return (
        f"SELECT key, position FROM shipment_keys WHERE segment = {mark} AND position > {mark} AND position <= {mark} "
        f"AND key IN ({', '.join([mark] * count)})"
    )
