"""Which services each port has."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.alerts.rpc import AlertServicer
from gateway.evidence.rpc import EvidenceServicer
from gateway.feed.rpc.exchange_service import ExchangeServicer
from gateway.history.rpc.service import HistoryServicer
from gateway.node.rpc import NodeServicer
from gateway.rpc.server import Register
from gateway.v1.alert_service_pb2_grpc import add_AlertServiceServicer_to_server
from gateway.v1.evidence_service_pb2_grpc import add_EvidenceServiceServicer_to_server
from gateway.v1.exchange_service_pb2_grpc import add_ExchangeServiceServicer_to_server
from gateway.v1.history_service_pb2_grpc import add_HistoryServiceServicer_to_server
from gateway.v1.node_service_pb2_grpc import add_NodeServiceServicer_to_server
from gateway.v1.watchlist_service_pb2_grpc import add_WatchlistServiceServicer_to_server
from gateway.watchlists.rpc.service import WatchlistServicer


def peer_services(*, exchange: ExchangeServicer) -> Mapping[str, Register]:
    """What partner gateways find, for `build_server`."""
    return {"gateway.v1.ExchangeService": lambda server: add_ExchangeServiceServicer_to_server(exchange, server)}


def local_services(
    *,
    alert: AlertServicer,
    evidence: EvidenceServicer,
    history: HistoryServicer,
    node: NodeServicer,
    watchlist: WatchlistServicer,
) -> Mapping[str, Register]:
    """What the authority's own systems find, for `build_server`."""
    return {
        "gateway.v1.AlertService": lambda server: add_AlertServiceServicer_to_server(alert, server),
        "gateway.v1.EvidenceService": lambda server: add_EvidenceServiceServicer_to_server(evidence, server),
        "gateway.v1.HistoryService": lambda server: add_HistoryServiceServicer_to_server(history, server),
        "gateway.v1.NodeService": lambda server: add_NodeServiceServicer_to_server(node, server),
        "gateway.v1.WatchlistService": lambda server: add_WatchlistServiceServicer_to_server(watchlist, server),
    }
