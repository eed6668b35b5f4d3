"""What of the node every capability may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.db.database import Database
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.delivery import SentSize
from gateway.node.settings import Settings
from gateway.rpc.peers import Peers
from gateway.telemetry.metrics import Metrics
from gateway.trust.rules.directory import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeParts:
    """Parts of a node that runs; each may be used from any of its threads.

    Attributes:
        directory: the newest accepted version.
        clock: Unix time in milliseconds.
    """

    settings: Settings
    database: Database
    writer: WriterClient
    notifier: ChangeNotifier
    peers: Peers
    alarms: Alarms
    metrics: Metrics
    directory: Callable[[], Directory]
    sent_size: SentSize
    clock: Callable[[], int]

    def former_partners(self) -> frozenset[str]:
        """Partners with which nothing is exchanged any more."""
        return self.directory().former_partners(self.settings.node)
