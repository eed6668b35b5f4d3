"""Statements on the steps of alerts in the order of the local log, and on the evidence that they name by digest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, bindparam, func, select

from gateway.alerts.codec import AlertKey, parse_event
from gateway.alerts.rules.life import AlertStatus
from gateway.alerts.tables.schema import alert_events, alert_evidence, alerts
from gateway.contract.findings import FindingLedger, FindingPlace, FindingStep
from gateway.db.statements import Prepared, PreparedList, insert_rows
from gateway.feed.tables.schema import entries, feeds

_COLUMNS = ("position", "alert_id", "publisher", "recipient", "feed_id", "idx", "status", "committed_at")
_EVENTS = (
    select(alert_events, feeds.c.origin, entries.c.payload)
    .join(feeds, feeds.c.id == alert_events.c.feed_id)
    .join(entries, (entries.c.feed_id == alert_events.c.feed_id) & (entries.c.idx == alert_events.c.idx))
    .order_by(alert_events.c.position)
)
_AFTER = Prepared(_EVENTS.where(alert_events.c.position > bindparam("after")).limit(bindparam("most")))
_OF_ALERT = (alert_events.c.alert_id == bindparam("alert"), alert_events.c.publisher == bindparam("by"))
_OF_ALERT_AFTER = Prepared(
    _EVENTS.where(*_OF_ALERT, alert_events.c.position > bindparam("after")).limit(bindparam("most"))
)
_NEWEST_OF_ALERT = Prepared(
    _EVENTS.where(*_OF_ALERT, alert_events.c.position < bindparam("before"))
    .order_by(None)
    .order_by(alert_events.c.position.desc())
    .limit(bindparam("most"))
)
_COUNT_BEFORE = Prepared(
    select(func.count()).select_from(alert_events).where(*_OF_ALERT, alert_events.c.position < bindparam("before"))
)
_OF_ENTRY = Prepared(
    select(alert_events.c.position)
    .where(alert_events.c.feed_id == bindparam("feed"), alert_events.c.idx == bindparam("index"))
    .limit(1)
)
_OF_FEED_ENTRY = Prepared(
    select(alert_events.c.position)
    .join(feeds, feeds.c.id == alert_events.c.feed_id)
    .where(*_OF_ALERT, feeds.c.origin == bindparam("origin"), alert_events.c.idx == bindparam("index"))
)
_NEWEST_ENTRIES = Prepared(
    select(alert_events.c.feed_id, func.max(alert_events.c.idx))
    .where(*_OF_ALERT, alert_events.c.recipient == bindparam("to"))
    .group_by(alert_events.c.feed_id)
    .order_by(func.max(alert_events.c.position))
)
_ids: BindParameter[Any] = bindparam("values", expanding=True)
_AT = PreparedList(_EVENTS.where(alert_events.c.position.in_(_ids)))
_ALERTS_AT = PreparedList(
    select(alert_events.c.publisher, alert_events.c.alert_id).where(alert_events.c.position.in_(_ids)).distinct()
)
_FIRST_ACKNOWLEDGED = PreparedList(
    select(
        alert_events.c.alert_id,
        alert_events.c.publisher,
        alert_events.c.recipient,
        func.min(alert_events.c.position),
    )
    .where(alert_events.c.alert_id.in_(_ids), alert_events.c.status == bindparam("acknowledged"))
    .group_by(alert_events.c.alert_id, alert_events.c.publisher, alert_events.c.recipient)
)
_FIRST_CLOSED = PreparedList(
    select(alert_events.c.alert_id, alert_events.c.publisher, func.min(alert_events.c.position))
    .where(alert_events.c.alert_id.in_(_ids), alert_events.c.status == bindparam("closed"))
    .group_by(alert_events.c.alert_id, alert_events.c.publisher)
)
AT_ONCE = 50
"""Most events or copies with their payloads that are read together; a payload has up to MAX_PAYLOAD_BYTES."""

LAST_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AlertEventRow:
    """One step of one copy, at its local-log position."""

    position: int
    key: AlertKey
    feed_id: int
    idx: int
    status: AlertStatus
    committed_at: int


def add(conn: Connection, new: Sequence[AlertEventRow]) -> None:
    """Writes events in order of position."""
    if new:
        insert_rows(conn, alert_events, _COLUMNS, [_values(event) for event in new])


def exists(conn: Connection, feed_id: int, idx: int) -> bool:
    """Whether an entry was projected as a step of an alert."""
    return bool(_OF_ENTRY(conn, feed=feed_id, index=idx))


def positions_of(conn: Connection, publisher: str, alert_id: str, place: FindingPlace) -> list[int]:
    """Position in the local log of a finding on an alert, in a list; empty where its entry is no step of the alert."""
    rows = _OF_FEED_ENTRY(conn, alert=alert_id, by=publisher, origin=place.origin, index=place.index)
    return [position for (position,) in rows]


def after(conn: Connection, position: int, limit: int) -> list[tuple[AlertEventRow, str, bytes]]:
    """Events after a position in order, each with origin line and payload (empty when erased)."""
    return [_event(row) for row in _AFTER(conn, after=position, most=limit)]


def at_positions(conn: Connection, positions: Collection[int]) -> list[tuple[AlertEventRow, str, bytes]]:
    """Events at positions, in order, each with origin line and payload (empty when erased)."""
    return sorted(map(_event, _AT(conn, positions)), key=lambda event: event[0].position)


def alerts_at(conn: Connection, positions: Collection[int]) -> set[tuple[str, str]]:
    """Publisher and id of the alerts of events at positions."""
    return {(row[0], row[1]) for row in _ALERTS_AT(conn, positions)}


def of_alert(conn: Connection, publisher: str, alert_id: str) -> Iterator[tuple[AlertEventRow, str, bytes]]:
    """All events of one alert, oldest first, each with origin line and payload, read a few at a time."""
    position = 0
    while True:
        rows = [
            _event(row) for row in _OF_ALERT_AFTER(conn, alert=alert_id, by=publisher, after=position, most=AT_ONCE)
        ]
        yield from rows
        if len(rows) < AT_ONCE:
            return
        position = rows[-1][0].position


def finding_ledger(conn: Connection, key: AlertKey, *, before: int = LAST_POSITION) -> FindingLedger:
    """The findings on a copy, by its steps before a position; reads all steps of the alert."""
    steps = of_alert(conn, key.publisher, key.alert_id)
    return FindingLedger(
        FindingStep(FindingPlace(origin, row.idx), parse_event(payload), row.committed_at)
        for row, origin, payload in steps
        if payload and row.key == key and row.position < before
    )


def newest_of(conn: Connection, publisher: str, alert_id: str) -> Iterator[tuple[AlertEventRow, str, bytes]]:
    """All events of one alert, newest first, read a few at a time: partners may have said much."""
    before = LAST_POSITION
    while before:
        rows = [
            _event(row) for row in _NEWEST_OF_ALERT(conn, alert=alert_id, by=publisher, before=before, most=AT_ONCE)
        ]
        yield from rows
        before = rows[-1][0].position if len(rows) == AT_ONCE else 0


def first_acknowledged(conn: Connection, keys: Collection[AlertKey]) -> dict[AlertKey, int]:
    """Position of the first acknowledgement of each copy; without copies that have none."""
    rows = _FIRST_ACKNOWLEDGED(conn, {key.alert_id for key in keys}, acknowledged=AlertStatus.ACKNOWLEDGED.value)
    first = {AlertKey(publisher, alert_id, recipient): position for alert_id, publisher, recipient, position in rows}
    return {key: position for key, position in first.items() if key in keys}


def first_closed(conn: Connection, alert_ids: Collection[str]) -> set[int]:
    """Positions of each alert's first closing, of whichever copy."""
    return {position for _, _, position in _FIRST_CLOSED(conn, alert_ids, closed=AlertStatus.CLOSED.value)}


def count_before(conn: Connection, publisher: str, alert_id: str, position: int) -> int:
    """Number of an alert's events before a position."""
    ((count,),) = _COUNT_BEFORE(conn, alert=alert_id, by=publisher, before=position)
    return int(count)


def newest_entries(conn: Connection, key: AlertKey) -> list[tuple[int, int]]:
    """Each feed with steps of a copy, as (feed id, index of its newest one); the newest step's feed last."""
    rows = _NEWEST_ENTRIES(conn, alert=key.alert_id, by=key.publisher, to=key.recipient)
    return [(feed_id, index) for feed_id, index in rows]


def _values(event: AlertEventRow) -> tuple[str | int, ...]:
    """In the order of _COLUMNS."""
    key = event.key
    place = (event.feed_id, event.idx, event.status.value, event.committed_at)
    return (event.position, key.alert_id, key.publisher, key.recipient, *place)


def _event(row: Iterable[Any]) -> tuple[AlertEventRow, str, bytes]:
    position, alert_id, publisher, recipient, feed_id, idx, status, committed_at, origin, payload = row
    key = AlertKey(publisher, alert_id, recipient)
    return AlertEventRow(position, key, feed_id, idx, AlertStatus(status), committed_at), origin, bytes(payload)


_MENTION_COLUMNS = tuple(alert_evidence.c.keys())
MOST_OF_ALERT = 5_000
"""Most mentions of one alert that are read: an alert of 64 files in all its revisions, findings and answers."""


@dataclass(frozen=True, slots=True)
class MentionRow:
    """A digest in a step of an alert.

    Attributes:
        position: of the step in the local log.
        number: in the step's list of evidence.
        sha256: hexadecimal.
        speaker: node whose feed has the step.
    """

    position: int
    number: int
    sha256: str
    key: AlertKey
    speaker: str
    feed_id: int
    idx: int


@dataclass(frozen=True, slots=True)
class MentionWithPayload:
    """A mention with the payload of its step; empty when that was erased."""

    row: MentionRow
    payload: bytes


def _with_payloads(*conditions: ColumnElement[bool]) -> Select[Any]:
    step = (entries.c.feed_id == alert_evidence.c.feed_id) & (entries.c.idx == alert_evidence.c.idx)
    return (
        select(alert_evidence, entries.c.payload)
        .join(entries, step)
        .where(*conditions)
        .order_by(alert_evidence.c.position, alert_evidence.c.number)
        .limit(MOST_OF_ALERT)
    )


_IN_ALERT = (
    alert_evidence.c.alert_id == bindparam("alert"),
    alert_evidence.c.publisher == bindparam("by"),
)
_MENTIONS_OF_ALERT = Prepared(_with_payloads(*_IN_ALERT))
_OF_FILE_IN_ALERT = Prepared(_with_payloads(*_IN_ALERT, alert_evidence.c.sha256 == bindparam("digest")))
_NEWEST_OF_FILE = Prepared(
    _with_payloads(alert_evidence.c.sha256 == bindparam("digest"))
    .order_by(None)
    .order_by(alert_evidence.c.position.desc(), alert_evidence.c.number.desc())
)
_OF_PARTNERS = Prepared(
    _with_payloads(alert_evidence.c.sha256 == bindparam("digest"), alert_evidence.c.speaker != bindparam("own"))
)
_SPEAKERS = Prepared(select(alert_evidence.c.speaker).where(alert_evidence.c.sha256 == bindparam("digest")).distinct())
_FIRST_SPEAKER = Prepared(
    select(alert_evidence.c.speaker)
    .where(alert_evidence.c.sha256 == bindparam("digest"))
    .order_by(alert_evidence.c.position)
    .limit(1)
)
_ALERTS_OF = Prepared(
    select(alert_evidence.c.publisher, alert_evidence.c.alert_id, alert_evidence.c.recipient)
    .where(alert_evidence.c.sha256 == bindparam("digest"))
    .distinct()
)
_LAST_END = Prepared(
    select(func.max(alerts.c.valid_until))
    .join(
        alert_evidence,
        (alert_evidence.c.alert_id == alerts.c.alert_id)
        & (alert_evidence.c.publisher == alerts.c.publisher)
        & (alert_evidence.c.recipient == alerts.c.recipient),
    )
    .where(alert_evidence.c.sha256 == bindparam("digest"))
)


def add_mentions(conn: Connection, new: Sequence[MentionRow]) -> None:
    """Writes mentions."""
    if new:
        insert_rows(conn, alert_evidence, _MENTION_COLUMNS, [_mention_values(row) for row in new])


def mentions_of_alert(conn: Connection, publisher: str, alert_id: str) -> list[MentionWithPayload]:
    """All mentions in an alert's life, oldest first."""
    return [_told(row) for row in _MENTIONS_OF_ALERT(conn, alert=alert_id, by=publisher)]


def mentions_in_alert(conn: Connection, sha256: str, publisher: str, alert_id: str) -> list[MentionWithPayload]:
    """Mentions of one digest in an alert's life, oldest first."""
    return [_told(row) for row in _OF_FILE_IN_ALERT(conn, alert=alert_id, by=publisher, digest=sha256)]


def newest_mention(conn: Connection, sha256: str) -> MentionWithPayload | None:
    """The newest mention of a digest in any alert."""
    row = next(iter(_NEWEST_OF_FILE(conn, digest=sha256)), None)
    return None if row is None else _told(row)


def mentions_by_partners(conn: Connection, sha256: str, own_node: str) -> list[MentionWithPayload]:
    """Mentions of a digest by other nodes, in any alert, oldest first."""
    return [_told(row) for row in _OF_PARTNERS(conn, digest=sha256, own=own_node)]


def speakers(conn: Connection, sha256: str) -> set[str]:
    """Nodes that have named a digest."""
    return {speaker for (speaker,) in _SPEAKERS(conn, digest=sha256)}


def first_speaker(conn: Connection, sha256: str) -> str:
    """The node that named a digest first, as this node learned of it; empty if none has."""
    row = next(iter(_FIRST_SPEAKER(conn, digest=sha256)), None)
    return "" if row is None else str(row[0])


def alerts_naming(conn: Connection, sha256: str) -> list[AlertKey]:
    """Copies of alerts that name a digest, or a step on which does."""
    return [AlertKey(*row) for row in _ALERTS_OF(conn, digest=sha256)]


def last_end_naming(conn: Connection, sha256: str) -> int:
    """The latest validity of the alerts that name a digest, in milliseconds since 1970; 0 if none does."""
    ((end,),) = _LAST_END(conn, digest=sha256)
    return int(end or 0)


def _mention_values(row: MentionRow) -> tuple[str | int, ...]:
    """In the order of _MENTION_COLUMNS."""
    key = row.key
    place = (row.speaker, row.feed_id, row.idx)
    return (row.position, row.number, row.sha256, key.alert_id, key.publisher, key.recipient, *place)


def _told(row: Iterable[Any]) -> MentionWithPayload:
    position, number, sha256, alert_id, publisher, recipient, speaker, feed_id, idx, payload = row
    key = AlertKey(publisher, alert_id, recipient)
    return MentionWithPayload(MentionRow(position, number, sha256, key, speaker, feed_id, idx), bytes(payload))
