"""Turns a found graph into an answer, with its marks of alerts and what it lacks."""

from __future__ import annotations

from collections import Counter
from functools import cache

from sqlalchemy import Connection, func, select

from gateway.alerts.codec import status_value
from gateway.alerts.tables import copies
from gateway.alerts.tables.schema import alert_events
from gateway.db.database import Database
from gateway.feed.tables import journal
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.link_analysis.codec import MARKS_SHOWN, AlertStatusOf, alert_marks, edge_message, node_message
from gateway.link_analysis.rules.graph import LinkedThing, edges, omitted_neighbours
from gateway.link_analysis.service.graphs import FoundGraph
from gateway.link_analysis.service.records import RecordLookup
from gateway.link_analysis.tables import terms
from gateway.v1 import alert_pb2, link_graph_pb2
from gateway.v1 import link_analysis_service_pb2 as pb


class GraphPainter:
    """Makes answers. Thread-safe; not for the event loop's thread."""

    def __init__(self, database: Database, lookup: RecordLookup, *, hub_records: int) -> None:
        self._database = database
        self._lookup = lookup
        self._hub = hub_records

    def response(self, graph: FoundGraph, max_edges: int) -> pb.GetLinkGraphResponse:
        """The answer without marks of lists."""
        found = edges(graph.linked, graph.shown, graph.centres)
        shown_edges = found[:max_edges]
        degrees = Counter(end for edge in shown_edges for end in (edge.one, edge.other))
        places = {id(node): at for at, node in enumerate(graph.shown)}
        response = pb.GetLinkGraphResponse(
            omitted_nodes=graph.omitted,
            omitted_edges=len(found) - len(shown_edges),
            hub_records=self._hub,
            edges=[edge_message(edge, graph.shown, graph.linked) for edge in shown_edges],
        )
        with self._database.read() as conn:
            for at, node in enumerate(graph.shown):
                omitted = omitted_neighbours(graph.linked, node, places) if id(node) in graph.centres else 0
                message = node_message(node, degree=degrees[at], omitted=omitted, records=graph.linked.records)
                self._mark_alerts(conn, message, node, graph)
                response.nodes.append(message)
            response.unindexed_records, response.unindexed_links = _unindexed(conn)
        return response

    def _mark_alerts(
        self, conn: Connection, message: link_graph_pb2.LinkGraphNode, node: LinkedThing, graph: FoundGraph
    ) -> None:
        named = {key: graph.linked.records[key] for key in node.records if key[0] == "alert"}
        for record in self._lookup.alerts_naming(conn, node, MARKS_SHOWN):
            named.setdefault(record.key, record)
        marks = alert_marks(node, list(named.values()), _status_of(conn))
        message.marks.extend(list(marks)[:MARKS_SHOWN])


def _status_of(conn: Connection) -> AlertStatusOf:
    @cache
    def status(publisher: str, alert_id: str) -> alert_pb2.AlertStatus.ValueType:
        rows = copies.copies(conn, publisher, alert_id)
        return status_value(rows[0].life.status) if rows else alert_pb2.ALERT_STATUS_UNSPECIFIED

    return status


def is_behind(conn: Connection) -> bool:
    """Whether alerts or addresses wait to be indexed."""
    own = terms.progress(conn)
    newest = conn.execute(select(func.max(alert_events.c.position))).scalar_one() or 0
    return newest > own.alert_position or record_progress.indexed(conn) > own.record_position


def _unindexed(conn: Connection) -> tuple[int, int]:
    """Recorded items that history hasn't indexed; steps of alerts and indexed items that this index lacks."""
    indexed, own = record_progress.indexed(conn), terms.progress(conn)
    records = max(0, shipments.last_position(conn) - indexed)
    behind = select(func.count()).select_from(alert_events).where(alert_events.c.position > own.alert_position)
    steps = int(conn.execute(behind).scalar_one()) + journal.head_position(conn) - journal.projected_position(conn)
    return records, steps + max(0, indexed - own.record_position)
