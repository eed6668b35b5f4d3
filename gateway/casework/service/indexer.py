"""Prepares the search index: cuts what was said of alerts into words, and files their parties' names.

It loads the vocabularies of names, so it runs in a worker process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from sqlalchemy import Connection

from gateway.alerts.tables import events
from gateway.alerts.tables.followed_steps import FollowedStep, FollowedSteps
from gateway.casework.commands.indexing import IndexDocumentsCommand
from gateway.casework.rules.words import MOST_WORDS
from gateway.casework.service.document_words import Words, words_of_step
from gateway.casework.tables import documents, names
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.documents import AlertDocument, DocumentBatch
from gateway.history.service.indexer import name_filing
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
    words: list[Words] = []
    for row, payload in life:
        try:
            found = words_of_step(steps.event(payload) or alert_pb2.AlertEvent())
        except Exception:
            log.exception("a step of alert %s/%s, at %d, can't be read", publisher, alert_id, row.position)
            continue
        words += found.words
        for key, text in found.names:
            texts.setdefault(key, text)
    return doc, alert_id, publisher, _joined(words)


def _joined(words: list[Words]) -> str:
    distinct = set[str]().union(*words)
    if len(distinct) > MOST_WORDS:
        distinct = set(islice(dict.fromkeys(chain.from_iterable(words)), MOST_WORDS))
    return " ".join(sorted(distinct))
