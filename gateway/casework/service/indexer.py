"""Prepares the search index: cuts what was said of alerts into words, and files their parties' names.

It loads the vocabularies of names, so it runs in a worker process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.tables import events
from gateway.casework.codec import contents
from gateway.casework.rules.words import MOST_WORDS, compact, words_of
from gateway.casework.tables import documents, names
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.documents import AlertDocument, DocumentBatch
from gateway.contract.identification.shipment_keys import name_key
from gateway.db.database import Database
from gateway.history.service.indexer import name_filing
from gateway.screening.text.normalisation import simplified_text
from gateway.v1 import alert_pb2

log = logging.getLogger(__name__)

BATCH = 250
"""Steps of alerts in one transaction: some ten milliseconds."""

MOST_EVENTS = 1_000
"""Steps of one alert that are indexed: more than both sides can make with all questions they may ask."""


class AlertIndexer:
    """Prepares batches."""

    def __init__(self, database: Database, *, batch: int = BATCH) -> None:
        self._database = database
        self._batch = batch

    def next(self) -> DocumentBatch | None:
        """The next batch; None while there is nothing new."""
        with self._database.read() as conn:
            reached = casework_progress.read(conn)
            after, listed = reached.indexed_position, reached.listed_position
            if after >= listed:
                return None
            changed, last = events.keys_after(conn, after, self._batch)
            alerts = dict.fromkeys((key.publisher, key.alert_id) for key in changed)
            first = documents.first_positions(conn, {alert_id for _, alert_id in alerts})
            texts: dict[int, str] = {}
            made = [_document(conn, alert, first[alert], texts) for alert in alerts if alert in first]
            known = names.texts(conn, list(texts))
        new = [(key, text) for key, text in texts.items() if key not in known]
        filed = [(filing, key) for key, text in new for filing in name_filing(text)]
        return DocumentBatch(after, listed if last is None else last, tuple(made), tuple(new), tuple(filed))


def _document(conn: Connection, alert: tuple[str, str], doc: int, texts: dict[int, str]) -> AlertDocument:
    """An alert's document; adds its names to `texts`. What can't be read isn't found, and holds up nothing."""
    publisher, alert_id = alert
    words: dict[str, None] = {}
    for event, _, payload in islice(events.of_alert(conn, publisher, alert_id), MOST_EVENTS):
        try:
            step = wire.parse_event(payload) if payload else alert_pb2.AlertEvent()
            for text in _names(step):
                texts.setdefault(name_key(text), text)
            words.update(dict.fromkeys(_words(step)))
        except Exception:
            log.exception("a step of alert %s/%s, at %d, can't be read", publisher, alert_id, event.position)
    return AlertDocument(doc, alert_id, publisher, tuple(sorted(islice(words, MOST_WORDS))))


def _names(step: alert_pb2.AlertEvent) -> Iterator[str]:
    for content in contents.contents_of([step]):
        yield from contents.names_of(content)


def _words(step: alert_pb2.AlertEvent) -> Iterator[str]:
    for content in contents.contents_of([step]):
        for kind, text in contents.values_of(content):
            yield from _of_value(kind, text)
        for name in contents.names_of(content):
            yield f"{contents.NAME}{name_key(name)}"
            yield from _of_text(name)
        for text in contents.texts_of(content):
            yield from _of_text(text)
    for text in contents.case_references_of(step):
        yield from _of_value(contents.ValueKind.CASE_REFERENCE, text)
    for text in contents.texts_of_step(step):
        yield from _of_text(text)


def _of_value(kind: str, text: str) -> Iterator[str]:
    whole = compact(text)
    if whole:
        yield f"{kind}{whole}"
        yield f"{contents.TEXT}{whole}"
        yield from _of_text(text)


def _of_text(text: str) -> Iterator[str]:
    plain = text if text.isascii() else simplified_text(text)
    yield from (f"{contents.TEXT}{word}" for word in words_of(plain))
