"""The typed client of a customs system for its gateway.

    from gateway.client import AlertReference, GatewayClient

    async with GatewayClient.connect("127.0.0.1:7444", ca=ca, certificate=certificate, key=key) as client:
        published = await client.publish(content, ["hk"])
        async for change in client.watch(position=last_position):
            ...

Import `gateway` before gRPC: see `gateway.tls.floor`.
"""

from gateway.client.alerts import GatewayClient
from gateway.client.blocking import run_blocking
from gateway.client.bulk import PublishOutcome, new_alert, new_request_id
from gateway.client.casework import CaseworkClient
from gateway.client.figures import FigureClient
from gateway.client.files import FileAbout, FilesClient, OpenedFile, evidence_of
from gateway.client.history import HistoryClient, RecordedBatch
from gateway.client.licences import LicenceClient
from gateway.client.link_analysis import LinkAnalysisClient
from gateway.client.notifications import NotificationClient, WatchedNotifications
from gateway.client.operations import EvidenceClient, NodeClient
from gateway.client.persons import PersonsClient, approval_of
from gateway.client.risk_profiles import RiskProfileClient
from gateway.client.screening import ScreeningClient, WatchedMatches
from gateway.client.watchlists import WatchedChanges, WatchlistClient
from gateway.v1.alert_pb2 import AlertContent, AlertReference
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistReference

__all__ = [
    "AlertContent",
    "AlertReference",
    "CaseworkClient",
    "EvidenceClient",
    "FigureClient",
    "FileAbout",
    "FilesClient",
    "GatewayClient",
    "HistoryClient",
    "LicenceClient",
    "LinkAnalysisClient",
    "NodeClient",
    "NotificationClient",
    "OpenedFile",
    "PersonsClient",
    "PublishOutcome",
    "RecordedBatch",
    "RiskProfileClient",
    "ScreeningClient",
    "WatchedChanges",
    "WatchedMatches",
    "WatchedNotifications",
    "WatchlistClient",
    "WatchlistContent",
    "WatchlistReference",
    "approval_of",
    "evidence_of",
    "new_alert",
    "new_request_id",
    "run_blocking",
]
