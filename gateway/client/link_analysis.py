"""Client for link analysis (`client.link_analysis`): what parties and things have in common."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from gateway.client.connection import Connection
from gateway.client.timestamps import zoned_timestamp
from gateway.v1 import link_analysis_service_pb2 as service
from gateway.v1.alert_pb2 import AlertReference, AnswerReference
from gateway.v1.history_pb2 import QueryGrounds
from gateway.v1.link_graph_pb2 import LinkedThing, LinkNodeKind
from gateway.v1.watchlist_pb2 import WatchlistReference

LinkSeed = LinkedThing | AlertReference | WatchlistReference
"""What a graph begins with, beside a record or a node of an earlier answer."""


class LinkAnalysisClient:
    """LinkAnalysisService: officers, analysts and supervisors, where the node's settings turn link analysis on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def graph(
        self,
        seed: LinkSeed | None = None,
        *,
        grounds: QueryGrounds,
        record_id: str = "",
        node_id: str = "",
        depth: int = 1,
        max_nodes: int = 0,
        max_edges: int = 0,
        kinds: Iterable[LinkNodeKind.ValueType] = (),
        declared_from: datetime | None = None,
        declared_until: datetime | None = None,
        answers: Iterable[AnswerReference] = (),
        in_pages: bool = False,
        page_token: str = "",
        with_partners: bool = False,
    ) -> service.GetLinkGraphResponse:
        """What a seed is connected with.

        Args:
            seed, record_id, node_id: one of them; a record is an own shipment's, a node is of an earlier answer.
            grounds: why; kept in the audit log.
            depth: steps from the seed, 1 to 3.
            max_nodes, max_edges: 0 for the gateway's defaults.
            kinds: kinds of nodes to show beside the seed; empty for all.
            declared_from, declared_until: bounds on shipments, with a time zone.
            answers: partners' answers that the node holds, to questions with the same purpose and case reference.
            in_pages: a page of what a hub is connected with, newest records first; the seed is a thing or a node.
            page_token: from the page before.
            with_partners: also which partners may be asked for the purpose, and which of their answers are held.
        """
        request = service.GetLinkGraphRequest(
            grounds=grounds,
            depth=depth,
            max_nodes=max_nodes,
            max_edges=max_edges,
            kinds=kinds,
            answers=answers,
            in_pages=in_pages,
            page_token=page_token,
            with_partners=with_partners,
        )
        if isinstance(seed, LinkedThing):
            request.thing.CopyFrom(seed)
        elif isinstance(seed, AlertReference):
            request.alert.CopyFrom(seed)
        elif isinstance(seed, WatchlistReference):
            request.entry.CopyFrom(seed)
        if record_id:
            request.record_id = record_id
        if node_id:
            request.node_id = node_id
        if declared_from is not None:
            request.declared_from.CopyFrom(zoned_timestamp("declared_from", declared_from))
        if declared_until is not None:
            request.declared_until.CopyFrom(zoned_timestamp("declared_until", declared_until))
        method = self._connection.stubs.link_analysis.GetLinkGraph
        return await self._connection.unary(method, request, service.GetLinkGraphResponse)
