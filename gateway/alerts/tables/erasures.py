"""Statements on erasures of alerts, and the removal of what they name: payloads and salts, copies and steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, exists, func, insert, select, update

from gateway.alerts.codec import AlertKey
from gateway.alerts.tables.schema import alert_erasures, alert_events, alert_evidence, alerts, erased_entries
from gateway.db.database import note_erasure
from gateway.db.statements import insert_rows, storable_text
from gateway.feed.tables.schema import entries, feeds

_AT_ONCE = 500
"""Most indexes in one statement."""


class AlertErasureRow(NamedTuple):
    """What a node has said; as the table's columns. An empty rule is a refusal."""

    position: int
    alert_id: str
    publisher: str
    recipient: str
    node: str
    feed_id: int
    idx: int
    said_at: int
    rule: str = ""
    legal_basis: str = ""
    erased: int = 0
    asks: bool = False
    refusal: int = 0

    @property
    def key(self) -> AlertKey:
        """The copy."""
        return AlertKey(self.publisher, self.alert_id, self.recipient)


def add(conn: Connection, row: AlertErasureRow) -> None:
    """Writes what a node has said."""
    conn.execute(insert(alert_erasures).values(row._replace(legal_basis=storable_text(row.legal_basis))._asdict()))


def newest(
    conn: Connection, *, before: int, limit: int, alert: tuple[str, str] | None = None
) -> list[tuple[AlertErasureRow, str]]:
    """Rows below a position, newest first, each with its feed's name; of one alert where it is given."""
    c = alert_erasures.c
    of_alert = [] if alert is None else [c.publisher == alert[0], c.alert_id == alert[1]]
    query = select(alert_erasures, feeds.c.origin).join(feeds, feeds.c.id == c.feed_id)
    rows = conn.execute(query.where(c.position < before, *of_alert).order_by(c.position.desc()).limit(limit))
    return [(AlertErasureRow(*row[:-1]), row[-1]) for row in rows]


def of_copy(conn: Connection, key: AlertKey) -> list[AlertErasureRow]:
    """All that was said of a copy, oldest first."""
    c = alert_erasures.c
    same = (c.alert_id == key.alert_id, c.publisher == key.publisher, c.recipient == key.recipient)
    return [AlertErasureRow(*row) for row in conn.execute(select(alert_erasures).where(*same).order_by(c.position))]


def asked_of(conn: Connection, node: str, limit: int) -> list[AlertErasureRow]:
    """Requests of publishers to a node about copies that are still there, oldest first."""
    c = alert_erasures.c
    there = and_(alerts.c.alert_id == c.alert_id, alerts.c.publisher == c.publisher, alerts.c.recipient == c.recipient)
    query = select(alert_erasures).where(c.recipient == node, c.node == c.publisher, c.asks, exists().where(there))
    return [AlertErasureRow(*row) for row in conn.execute(query.order_by(c.position).limit(limit))]


def ended_before(
    conn: Connection, priority: str, before_ms: int, *, after: str, limit: int
) -> list[tuple[str, str, int]]:
    """Publisher, id and time of the last step of alerts with ended copies whose last step was before a time, by id."""
    c, steps = alerts.c, alert_events.c
    same = and_(steps.alert_id == c.alert_id, steps.publisher == c.publisher)
    ended = func.max(steps.committed_at)
    query = (
        select(c.publisher, c.alert_id, ended)
        .join(alert_events, same)
        .where(c.open_until == 0, c.priority == priority, c.published_at < before_ms, c.alert_id > after)
        .group_by(c.publisher, c.alert_id)
        .having(ended < before_ms)
        .order_by(c.alert_id, c.publisher)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in conn.execute(query)]


def note_entries(conn: Connection, feed_id: int, indexes: Iterable[int], *, position: int) -> None:
    """Notes that a signed entry at a position names entries as erased; an earlier one stays."""
    rows = [(feed_id, index, position) for index in sorted(set(indexes))]
    insert_rows(conn, erased_entries, ("feed_id", "idx", "position"), rows, or_ignore=True)


def noted_entries(conn: Connection, feed_id: int, first: int, end: int) -> set[int]:
    """Indexes that signed entries name as erased, from `first` to before `end`."""
    c = erased_entries.c
    return set(conn.execute(select(c.idx).where(c.feed_id == feed_id, c.idx >= first, c.idx < end)).scalars())


def payloads(conn: Connection, feed_id: int, indexes: Sequence[int]) -> list[tuple[int, bytes]]:
    """Indexes and payloads of entries that have one."""
    c = entries.c
    rows: list[tuple[int, bytes]] = []
    for at in range(0, len(indexes), _AT_ONCE):
        named = (c.feed_id == feed_id, c.idx.in_(indexes[at : at + _AT_ONCE]))
        rows += [(row[0], bytes(row[1])) for row in conn.execute(select(c.idx, c.payload).where(*named)) if row[1]]
    return rows


def erase(conn: Connection, feed_id: int, indexes: Sequence[int]) -> None:
    """Empties payload and salt of entries."""
    note_erasure(conn)
    c = entries.c
    for at in range(0, len(indexes), _AT_ONCE):
        named = (c.feed_id == feed_id, c.idx.in_(indexes[at : at + _AT_ONCE]))
        conn.execute(update(entries).where(*named).values(salt=b"", payload=b""))


def positions(conn: Connection, key: AlertKey) -> list[int]:
    """Positions of a copy's steps in the local log."""
    return list(conn.execute(select(alert_events.c.position).where(*_same(alert_events, key))).scalars())


def forget_copy(conn: Connection, key: AlertKey) -> None:
    """Removes a copy from the projection of alerts."""
    for table in (alert_evidence, alert_events, alerts):
        conn.execute(delete(table).where(*_same(table, key)))


def _same(table: Any, key: AlertKey) -> Collection[Any]:
    c = table.c
    return c.alert_id == key.alert_id, c.publisher == key.publisher, c.recipient == key.recipient
