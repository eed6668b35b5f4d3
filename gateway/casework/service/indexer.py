"""Prepares the search index: cuts what was said of alerts into words, and files their parties' names.

It loads the vocabularies of names, so it runs in a worker process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import Connection

from gateway.alerts.tables import events
from gateway.alerts.tables.followed_steps import FollowedStep, FollowedSteps
from gateway.casework.codec import contents
from gateway.casework.commands.indexing import IndexDocumentsCommand
from gateway.casework.rules.words import MOST_WORDS, compact, words_of
from gateway.casework.tables import documents, names
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.documents import AlertDocument, DocumentBatch
from gateway.contract.identification.shipment_keys import name_key
from gateway.history.service.indexer import name_filing
from gateway.screening.text.normalisation import simplified_text
from gateway.v1 import alert_pb2

log = logging.getLogger(__name__)

MOST_EVENTS = 1_000
"""Steps of one alert that are indexed: more than both sides can make with all questions they may ask."""


_Alert = tuple[str, str]
"""Publisher and id."""


class AlertIndexer:
    """Follows alerts for the search."""

    name = "the search index"

    def prepare(self, steps: FollowedSteps) -> IndexDocumentsCommand | None:
        """The next documents to write; None while there is nothing new."""
        conn, after = steps.conn, casework_progress.read(steps.conn).indexed_position
        if after >= steps.projected:
            return None
        changed: dict[_Alert, list[FollowedStep]] = {}
        for step in steps.after(after):
            changed.setdefault((step.row.key.publisher, step.row.key.alert_id), []).append(step)
        first = documents.first_positions(conn, {alert_id for _, alert_id in changed})
        texts: dict[int, str] = {}
        made = []
        for alert, fresh in changed.items():
            doc = first.get(alert)
            if doc is not None:
                # of a new alert there is no step but these
                life = iter(fresh) if doc > after else _life(conn, alert)
                made.append(_document(steps, alert, doc, islice(life, MOST_EVENTS), texts))
        known = names.texts(conn, list(texts))
        new = [(key, text) for key, text in texts.items() if key not in known]
        filed = [(filing, key) for key, text in new for filing in name_filing(text)]
        batch = DocumentBatch(after, steps.reached(after), tuple(made), tuple(new), tuple(filed))
        return IndexDocumentsCommand(batch)


def _life(conn: Connection, alert: _Alert) -> Iterator[FollowedStep]:
    return (FollowedStep(row, payload) for row, _, payload in events.of_alert(conn, *alert))


def _document(
    steps: FollowedSteps, alert: _Alert, doc: int, life: Iterable[FollowedStep], texts: dict[int, str]
) -> AlertDocument:
    """An alert's document; adds its names to `texts`. What can't be read isn't found, and holds up nothing."""
    publisher, alert_id = alert
    words: dict[str, None] = {}
    for row, payload in life:
        try:
            step = steps.event(payload) or alert_pb2.AlertEvent()
            for text in _names(step):
                texts.setdefault(name_key(text), text)
            words.update(dict.fromkeys(_words(step)))
        except Exception:
            log.exception("a step of alert %s/%s, at %d, can't be read", publisher, alert_id, row.position)
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
