"""Statements on the evidence that steps of alerts name by digest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select

from gateway.alerts.codec import AlertKey
from gateway.alerts.tables.schema import alert_evidence, alerts
from gateway.db.database import insert_rows
from gateway.db.statements import Prepared
from gateway.feed.tables.schema import entries

_COLUMNS = tuple(alert_evidence.c.keys())
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
class ToldMention:
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
_OF_ALERT = Prepared(_with_payloads(*_IN_ALERT))
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


def add(conn: Connection, new: Sequence[MentionRow]) -> None:
    """Writes mentions."""
    if new:
        insert_rows(conn, alert_evidence, _COLUMNS, [_values(row) for row in new])


def of_alert(conn: Connection, publisher: str, alert_id: str) -> list[ToldMention]:
    """All mentions in an alert's life, oldest first."""
    return [_told(row) for row in _OF_ALERT(conn, alert=alert_id, by=publisher)]


def of_file_in_alert(conn: Connection, sha256: str, publisher: str, alert_id: str) -> list[ToldMention]:
    """Mentions of one digest in an alert's life, oldest first."""
    return [_told(row) for row in _OF_FILE_IN_ALERT(conn, alert=alert_id, by=publisher, digest=sha256)]


def newest_of_file(conn: Connection, sha256: str) -> ToldMention | None:
    """The newest mention of a digest in any alert."""
    row = next(iter(_NEWEST_OF_FILE(conn, digest=sha256)), None)
    return None if row is None else _told(row)


def of_partners(conn: Connection, sha256: str, own_node: str) -> list[ToldMention]:
    """Mentions of a digest by other nodes, in any alert, oldest first."""
    return [_told(row) for row in _OF_PARTNERS(conn, digest=sha256, own=own_node)]


def speakers(conn: Connection, sha256: str) -> set[str]:
    """Nodes that have named a digest."""
    return {speaker for (speaker,) in _SPEAKERS(conn, digest=sha256)}


def first_speaker(conn: Connection, sha256: str) -> str:
    """The node that named a digest first, as this node learned of it; empty if none has."""
    row = next(iter(_FIRST_SPEAKER(conn, digest=sha256)), None)
    return "" if row is None else str(row[0])


def alerts_of(conn: Connection, sha256: str) -> list[AlertKey]:
    """Copies of alerts that name a digest, or a step on which does."""
    return [AlertKey(*row) for row in _ALERTS_OF(conn, digest=sha256)]


def last_end(conn: Connection, sha256: str) -> int:
    """The latest validity of the alerts that name a digest, in milliseconds since 1970; 0 if none does."""
    ((end,),) = _LAST_END(conn, digest=sha256)
    return int(end or 0)


def _values(row: MentionRow) -> tuple[str | int, ...]:
    """In the order of _COLUMNS."""
    key = row.key
    place = (row.speaker, row.feed_id, row.idx)
    return (row.position, row.number, row.sha256, key.alert_id, key.publisher, key.recipient, *place)


def _told(row: Iterable[Any]) -> ToldMention:
    position, number, sha256, alert_id, publisher, recipient, speaker, feed_id, idx, payload = row
    key = AlertKey(publisher, alert_id, recipient)
    return ToldMention(MentionRow(position, number, sha256, key, speaker, feed_id, idx), bytes(payload))
