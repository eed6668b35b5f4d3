"""Which services each port has. Owns their full names and how a servicer is added to a server.

Doesn't own who may call what (permissions.toml) nor the servicers.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.transport.alert_service import AlertServicer
from gateway.transport.evidence_service import EvidenceServicer
from gateway.transport.exchange_service import ExchangeServicer
from gateway.transport.history_service import HistoryServicer
from gateway.transport.node_service import NodeServicer
from gateway.transport.server import Register
from gateway.transport.watchlist_service import WatchlistServicer
from gateway.v1.alert_service_pb2_grpc import add_AlertServiceServicer_to_server
from gateway.v1.evidence_service_pb2_grpc import add_EvidenceServiceServicer_to_server
from gateway.v1.exchange_service_pb2_grpc import add_ExchangeServiceServicer_to_server
from gateway.v1.history_service_pb2_grpc import add_HistoryServiceServicer_to_server
from gateway.v1.node_service_pb2_grpc import add_NodeServiceServicer_to_server
from gateway.v1.watchlist_service_pb2_grpc import add_WatchlistServiceServicer_to_server


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
