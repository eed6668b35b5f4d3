"""Prepares the index of what alerts name, and of the addresses in shipments.

Everything else that shipments name is in history's index. It loads the vocabularies of names, so it runs in a worker
process.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from sqlalchemy import Connection

from gateway.alerts.codec import alert_of
from gateway.alerts.tables.followed_steps import FollowedSteps
from gateway.history.codec import shipments as wire
from gateway.history.service.indexer import name_filing
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.link_analysis.commands import AddLinksCommand, LinkBatch
from gateway.link_analysis.rules import index_keys
from gateway.link_analysis.rules.index_keys import IndexedMention
from gateway.link_analysis.tables import terms
from gateway.link_analysis.tables.terms import ALERT, SHIPMENT, LinkProgress
from gateway.v1 import shipment_pb2

ITEMS_AT_ONCE = 1_000
"""Most recorded items in one batch: some 50 ms."""

_Terms = tuple[int, int, tuple[int, ...]]
_Named = tuple[int, IndexedMention]
"""With its position."""


class LinkIndexer:
    """Follows alerts, and recorded items that history has indexed, for link graphs."""

    name = "the index of links"

    def prepare(self, steps: FollowedSteps) -> AddLinksCommand | None:
        """The next terms to write; None when everything is indexed."""
        conn, before = steps.conn, terms.progress(steps.conn)
        alerts, alert_position = _alerts(steps, before.alert_position)
        addresses, record_position = _addresses(conn, before.record_position)
        after = LinkProgress(alert_position, record_position)
        if after == before:
            return None
        steps.is_cut = steps.is_cut or record_position < record_progress.indexed(conn)
        texts = {key: text for _, mention in alerts for key, text in mention.names}
        known = terms.texts(conn, list(texts))
        names = tuple((key, text) for key, text in texts.items() if key not in known)
        batch = LinkBatch(
            before,
            after,
            terms.packed(chain(_terms(alerts, ALERT), _terms(addresses, SHIPMENT))),
            names,
            tuple((filing, key) for key, text in names for filing in name_filing(text)),
        )
        return AddLinksCommand(batch)


def _terms(named: list[_Named], source: int) -> Iterator[_Terms]:
    return ((source, ref, mention.terms) for ref, mention in named)


def _alerts(steps: FollowedSteps, position: int) -> tuple[list[_Named], int]:
    """What steps after a position name, and the new position."""
    named: list[_Named] = []
    followed = steps.after(position)
    for row, payload in followed:
        event = steps.event(payload)
        alert = None if event is None else alert_of(event)
        if alert is not None:
            named += [(row.position, mention) for mention in index_keys.of_alert(alert.content)]
    return named, followed[-1].row.position if followed else position


def _addresses(conn: Connection, position: int) -> tuple[list[_Named], int]:
    """Addresses in items after a position that history has indexed, and the new position."""
    indexed = record_progress.indexed(conn)
    if position >= indexed:
        return [], position
    named: list[_Named] = []
    rows = [row for row in shipments.log_after(conn, position, ITEMS_AT_ONCE) if row.position <= indexed]
    for row in rows:
        item = wire.readable(row.kind, row.content) if row.content else None
        if isinstance(item, shipment_pb2.Shipment):
            named += [(row.position, mention) for mention in index_keys.addresses_of(item)]
    return named, rows[-1].position if rows else indexed
