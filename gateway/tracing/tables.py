"""Statements on findings: their progress, own steps on alerts, and new keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, bindparam, select

from gateway.alerts.tables.schema import alert_events
from gateway.db.schema import Progress, progress_table
from gateway.db.statements import Prepared, PreparedList
from gateway.feed.tables.schema import entries, feeds
from gateway.history.tables.cells import CELL_BITS
from gateway.history.tables.schema import shipment_keys

finding_progress = progress_table(
    "finding_progress",
    Column("step_position", BigInteger, nullable=False),  # steps, in the local log
    Column("record_position", BigInteger, nullable=False),  # records, in record_log
    Column("written_position", BigInteger, nullable=False),  # last addition, in record_log
)


class FindingProgress(NamedTuple):
    """How far findings were copied into records."""

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

_KEYS_STORED = PreparedList(
    select(shipment_keys.c.key, shipment_keys.c.position).where(
        shipment_keys.c.cell == bindparam("of_cell"),
        shipment_keys.c.position > bindparam("after"),
        shipment_keys.c.position <= bindparam("until"),
        shipment_keys.c.key.in_(bindparam("values", expanding=True)),
    )
)


def own_steps(conn: Connection, node: str, *, after: int, until: int, limit: int) -> list[tuple[int, bytes]]:
    """Own steps on partners' alerts: position and payload (empty when erased)."""
    return [(row[0], bytes(row[1])) for row in _OWN_STEPS(conn, node=node, after=after, until=until, most=limit)]


def met(conn: Connection, keys: Sequence[int], *, after: int, until: int) -> Iterator[tuple[int, int]]:
    """Those keys in the index after `after` up to `until`, with positions."""
    for cell in range((after + 1) >> CELL_BITS, (until >> CELL_BITS) + 1):
        for row in _KEYS_STORED(conn, keys, of_cell=cell, after=after, until=until):
            yield row[0], row[1]
