"""Assigns services to the two ports."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.rpc.listener.server import Register
from gateway.v1 import (
    alert_service_pb2_grpc,
    evidence_service_pb2_grpc,
    exchange_service_pb2_grpc,
    history_service_pb2_grpc,
    node_service_pb2_grpc,
    watchlist_service_pb2_grpc,
)


def peer_services(*, exchange: exchange_service_pb2_grpc.ExchangeServiceServicer) -> Mapping[str, Register]:
    """Services of the peer port."""
    return {
        "gateway.v1.ExchangeService": lambda server: exchange_service_pb2_grpc.add_ExchangeServiceServicer_to_server(
            exchange, server
        )
    }


def local_services(
    *,
    alert: alert_service_pb2_grpc.AlertServiceServicer,
    evidence: evidence_service_pb2_grpc.EvidenceServiceServicer,
    history: history_service_pb2_grpc.HistoryServiceServicer,
    node: node_service_pb2_grpc.NodeServiceServicer,
    watchlist: watchlist_service_pb2_grpc.WatchlistServiceServicer,
) -> dict[str, Register]:
    """Services of the local port."""
    return {
        "gateway.v1.AlertService": lambda server: alert_service_pb2_grpc.add_AlertServiceServicer_to_server(
            alert, server
        ),
        "gateway.v1.EvidenceService": lambda server: evidence_service_pb2_grpc.add_EvidenceServiceServicer_to_server(
            evidence, server
        ),
        "gateway.v1.HistoryService": lambda server: history_service_pb2_grpc.add_HistoryServiceServicer_to_server(
            history, server
        ),
        "gateway.v1.NodeService": lambda server: node_service_pb2_grpc.add_NodeServiceServicer_to_server(node, server),
        "gateway.v1.WatchlistService": lambda server: watchlist_service_pb2_grpc.add_WatchlistServiceServicer_to_server(
            watchlist, server
        ),
    }
