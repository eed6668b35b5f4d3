"""Records, indexes and searches shipments at a node without a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from gateway.history.commands.legal_holds import holds_on
from gateway.history.commands.record import RecordCommand, check, records_feed
from gateway.history.commands.retention import PurgeCommand
from gateway.history.projection.index import IndexCommand
from gateway.history.service.indexer import HistoryIndexer
from gateway.history.service.names import NameSearch
from gateway.history.service.search import HistorySearch
from gateway.node.assembly.history import forget_sources
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import history_pb2, shipment_pb2
from tests.support.nodes import DAY_MS, NODES, PaperNode
from tests.support.shipments import items

KEPT_MS = {"standard": 3 * 365 * DAY_MS, "short": 30 * DAY_MS}
"""Classes of retention of these nodes and how long each is kept, in milliseconds."""


class Substances:
    """A list of controlled goods with one substance."""

    def codes(self, substance: str) -> Sequence[str]:
        return ("811010",) if substance == "antimony" else ()


def retention(given: str, declared_at: int) -> tuple[str, int]:
    named = given or "standard"
    return named, declared_at + KEPT_MS[named]


def record(node: PaperNode, *recorded: shipment_pb2.Shipment | shipment_pb2.ShipmentAddition) -> int:
    """Records; returns the position of the last."""
    good, refused = check(items(*recorded), NODES, retention_classes=KEPT_MS.__contains__)
    assert not refused
    position: int = node.writer.run(RecordCommand(records_feed(FEDERATION, node.name), good, "clearance"))
    return position


def index(node: PaperNode) -> None:
    """Indexes everything."""
    indexer = HistoryIndexer(node.database)
    while (batch := indexer.next()) is not None:
        assert node.writer.run(IndexCommand(batch, retention))


def purge_command(node: PaperNode) -> PurgeCommand:
    """Erases what is due, with what watchlists keep about it, as a running node does."""
    return PurgeCommand(records_feed(FEDERATION, node.name), forget_sources)


def searching(node: PaperNode) -> HistorySearch:
    return HistorySearch(
        node.database, node=node.name, substances=Substances(), names=NameSearch(node.database).find, holds_on=holds_on
    )


def search(node: PaperNode, *, before: int = 0, limit: int = 0, **criteria: Any) -> list[history_pb2.HistoryRecord]:
    chunks = searching(node).chunks(history_pb2.SearchCriteria(**criteria), before=before, limit=limit)
    return [record for chunk in chunks for record in chunk.records]


def ids(records: Sequence[history_pb2.HistoryRecord]) -> list[str]:
    return [one.shipment.record_id for one in records]


def history_tables(node: PaperNode) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the projections of recorded shipments."""
    with node.database.read() as conn:
        return {
            table.name: sorted(tuple(row) for row in conn.execute(select(table)))
            for table in node.projector.registry.tables
            if table.name.startswith(("ship", "party"))
        }
