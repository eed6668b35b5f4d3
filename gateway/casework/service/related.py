"""Finds other alerts about the same things as an alert."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
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
from gateway.contract.messages import page_of
from gateway.db.database import Database
from gateway.errors import NotFoundError
from gateway.feed.service.delivery import Deliveries, SentSize
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables import journal
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as service

MOST_KEYS = 200
"""Things of one alert that others are looked for by."""

MOST_OF_THING = 200
"""Newest alerts about one thing that are looked at."""

MOST_CANDIDATES = 500
"""Most alerts that may share something; those that share the rarest thing."""

READ_AT_ONCE = 25
"""Alerts that are read together."""

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


class _FoundThings(NamedTuple):
    """Documents that may share something, the rarest first, and how many alerts each thing was found in."""

    docs: Sequence[int]
    counts: Mapping[SharedKey, int]
    more: bool


class RelatedAlerts:
    """Looks for related alerts. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        names: MatchNames,
        clock: Clock,
        sent_size: SentSize,
        former: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """`former`: partners with which nothing is exchanged any more."""
        self._former = former
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
            found = _found(conn, things)
            candidates = _candidates(conn, found.docs[:MOST_CANDIDATES], things, except_for=(publisher, alert_id))
            deliveries, now, former = Deliveries(conn, self._sent_size), self._clock(), self._former()

            def message(found: _Candidate) -> service.RelatedAlert:
                return service.RelatedAlert(
                    summary=summary_of(deliveries, now, former, (found.row, found.payload)),
                    shared=[
                        service.SharedThing(field=field, value=value)  # type: ignore[arg-type]
                        for (field, _), value in list(found.shared.items())[:MOST_SHARED]
                    ],
                )

            limit = request.page_size or DEFAULT_SIZE
            page = page_of(_ordered(list(islice(candidates, limit + 1)), found.counts), message, limit=limit)
            unindexed = max(0, journal.head_position(conn) - casework_progress.read(conn).indexed_position)
        return service.ListRelatedAlertsResponse(
            alerts=page.messages, more=page.last is not None or found.more, unindexed=unindexed
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


def _found(conn: Connection, things: Mapping[SharedKey, str]) -> _FoundThings:
    """The newest alerts about each thing: a container of years ago counts, though its exporter is in all since."""
    counts: dict[SharedKey, int] = {}
    rarest: dict[int, int] = {}
    for thing, word in list(things.items())[:MOST_KEYS]:
        docs = documents.search(conn, WordQuery((((word, False),),)), MOST_OF_THING + 1)
        counts[thing] = len(docs)
        for doc in docs[:MOST_OF_THING]:
            rarest[doc] = min(rarest.get(doc, len(docs)), len(docs))
    order = sorted(rarest, key=lambda doc: (rarest[doc], -doc))
    more = len(order) > MOST_CANDIDATES or any(count > MOST_OF_THING for count in counts.values())
    return _FoundThings(order, counts, more)


def _candidates(
    conn: Connection, docs: Sequence[int], things: Mapping[SharedKey, str], *, except_for: tuple[str, str]
) -> Iterator[_Candidate]:
    """One copy of each alert whose current text still shares something, in the order of the documents."""
    for at in range(0, len(docs), READ_AT_ONCE):
        some = docs[at : at + READ_AT_ONCE]
        alerts = {doc: alert for doc, alert in documents.alerts_of(conn, some).items() if alert != except_for}
        rows: dict[tuple[str, str], tuple[AlertRow, bytes]] = {}
        for row, payload in copies.with_payloads(conn, {alert_id for _, alert_id in alerts.values()}):
            rows.setdefault((row.key.publisher, row.key.alert_id), (row, payload))
        for doc in some:
            known = rows.get(alerts[doc]) if doc in alerts else None
            alert = wire.alert_of(wire.parse_event(known[1])) if known is not None and known[1] else None
            if known is None or alert is None:
                continue
            shared = {thing: value for thing, value in _written(alert.content) if thing in things}
            if shared:
                yield _Candidate(*known, shared)


def _written(content: alert_pb2.AlertContent) -> Iterator[tuple[SharedKey, str]]:
    """Things in normal form, each as it is written."""
    for kind, text in contents.values_of(content):
        yield (contents.FIELDS[kind], compact(text)), text
    for name in contents.names_of(content):
        yield (service.MATCHED_FIELD_PARTY_NAME, str(name_key(name))), name


def _ordered(candidates: list[_Candidate], counts: Mapping[SharedKey, int]) -> list[_Candidate]:
    """By what their current texts share: a word of an earlier revision may have found them."""
    candidates.sort(key=lambda candidate: candidate.row.key.alert_id, reverse=True)
    candidates.sort(key=lambda candidate: min(counts.get(thing, MOST_OF_THING) for thing in candidate.shared))
    return candidates
