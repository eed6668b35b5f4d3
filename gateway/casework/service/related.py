"""Finds other alerts about the same things as an alert."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.service import summary_of
from gateway.alerts.tables import copies
from gateway.alerts.tables.copies import AlertRow
from gateway.casework.codec import contents
from gateway.casework.rules.words import compact
from gateway.casework.service.search_plan import MatchedName
from gateway.casework.tables import documents
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.documents import WordQuery
from gateway.contract.identification.shipment_keys import name_key
from gateway.contract.pages import page_of
from gateway.db.database import Database
from gateway.errors import NotFoundError
from gateway.feed.service.delivery import Deliveries, SentSize
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables import journal
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as service

MOST_KEYS = 200
"""Things of one alert that others are looked for by."""

MOST_CANDIDATES = 500
"""Newest alerts that are read; each is compared."""

MOST_NAMES = 20
"""Names of one alert that others are looked for by in other writings."""

MOST_SHARED = 20
"""Shared things that are shown of one alert."""

DEFAULT_SIZE = 20

_NOT_SHARED = (contents.ValueKind.CASE_REFERENCE,)
"""A case has many alerts: that is no other alert about the same thing by itself."""

MatchNames = Callable[[Sequence[str]], tuple[dict[int, MatchedName], bool]]
"""Recorded names that may be any of these, by key."""

SharedKey = tuple[int, str]
"""Field and normal form of a thing."""


class _Candidate(NamedTuple):
    row: AlertRow
    payload: bytes
    shared: Mapping[SharedKey, str]


class RelatedAlerts:
    """Looks for related alerts. Thread-safe."""

    def __init__(self, database: Database, *, names: MatchNames, clock: Clock, sent_size: SentSize) -> None:
        self._database = database
        self._names = names
        self._clock = clock
        self._sent_size = sent_size

    def of(self, request: service.ListRelatedAlertsRequest) -> service.ListRelatedAlertsResponse:
        """Other alerts that share something, those that share the rarest thing first, then the newest.

        Raises:
            NotFoundError: there is no such alert.
            UnavailableError: the process that knows names has just ended.
        """
        publisher, alert_id = request.alert.publisher, request.alert.alert_id
        content = self._content(publisher, alert_id)
        asked = contents.names_of(content)[:MOST_NAMES]
        similar = self._names(asked)[0] if asked else {}
        things = {**_things(content), **_name_things(similar)}
        with self._database.read() as conn:
            docs = documents.search(conn, _query(things), MOST_CANDIDATES + 1)
            alerts = [one for one in documents.alerts_of(conn, docs).values() if one != (publisher, alert_id)]
            candidates = _ordered(list(_candidates(conn, set(alerts), things)))
            deliveries, now = Deliveries(conn, self._sent_size), self._clock()

            def message(found: _Candidate) -> service.RelatedAlert:
                return service.RelatedAlert(
                    summary=summary_of(deliveries, now, (found.row, found.payload)),
                    shared=[
                        service.SharedThing(field=field, value=value)  # type: ignore[arg-type]
                        for (field, _), value in list(found.shared.items())[:MOST_SHARED]
                    ],
                )

            page = page_of(candidates, message, limit=request.page_size or DEFAULT_SIZE)
            unindexed = max(0, journal.head_position(conn) - casework_progress.read(conn).indexed_position)
        return service.ListRelatedAlertsResponse(
            alerts=page.messages, more=page.last is not None or len(docs) > MOST_CANDIDATES, unindexed=unindexed
        )

    def _content(self, publisher: str, alert_id: str) -> alert_pb2.AlertContent:
        with self._database.read() as conn:
            payload = copies.current_payload(conn, publisher, alert_id)
        alert = wire.alert_of(wire.parse_event(payload)) if payload else None
        if alert is None:
            raise NotFoundError(f"there is no alert {publisher}/{alert_id} here")
        return alert.content


def _things(content: alert_pb2.AlertContent) -> dict[SharedKey, str]:
    """What an alert is about, in normal form, with the word under which it is found."""
    found: dict[SharedKey, str] = {}
    for kind, text in contents.values_of(content):
        whole = compact(text)
        if whole and kind not in _NOT_SHARED:
            found[(contents.FIELDS[kind], whole)] = f"{kind}{whole}"
    for name in contents.names_of(content):
        key = str(name_key(name))
        found[(service.MATCHED_FIELD_PARTY_NAME, key)] = f"{contents.NAME}{key}"
    return found


def _name_things(similar: Mapping[int, MatchedName]) -> dict[SharedKey, str]:
    return {(service.MATCHED_FIELD_PARTY_NAME, str(key)): f"{contents.NAME}{key}" for key in similar}


def _query(things: Mapping[SharedKey, str]) -> WordQuery:
    return WordQuery(tuple(((word, False),) for word in list(things.values())[:MOST_KEYS]))


def _candidates(
    conn: Connection, alerts: set[tuple[str, str]], things: Mapping[SharedKey, str]
) -> Iterator[_Candidate]:
    """One copy of each alert whose current text still shares something."""
    seen: set[tuple[str, str]] = set()
    for row, payload in copies.with_payloads(conn, {alert_id for _, alert_id in alerts}):
        key = (row.key.publisher, row.key.alert_id)
        alert = wire.alert_of(wire.parse_event(payload)) if payload and key in alerts and key not in seen else None
        if alert is None:
            continue
        seen.add(key)
        shared = {thing: value for thing, value in _written(alert.content) if thing in things}
        if shared:
            yield _Candidate(row, payload, shared)


def _written(content: alert_pb2.AlertContent) -> Iterator[tuple[SharedKey, str]]:
    """Things in normal form, each as it is written."""
    for kind, text in contents.values_of(content):
        yield (contents.FIELDS[kind], compact(text)), text
    for name in contents.names_of(content):
        yield (service.MATCHED_FIELD_PARTY_NAME, str(name_key(name))), name


def _ordered(candidates: list[_Candidate]) -> list[_Candidate]:
    counts = Counter(thing for candidate in candidates for thing in candidate.shared)
    candidates.sort(key=lambda candidate: candidate.row.key.alert_id, reverse=True)
    candidates.sort(key=lambda candidate: min(counts[thing] for thing in candidate.shared))
    return candidates
