"""Puts together what a node shows to the outside: metrics, their port, and health."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway import __version__
from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.feed.rpc.links import LinkStatus
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.quotas import Usage
from gateway.feed.service.sender import Outgoing
from gateway.node.assembly.links import Links
from gateway.node.health import HealthMonitor, NodeHealth
from gateway.node.host.capacity import ResourceUsage
from gateway.node.observation.feeds import FeedObserver
from gateway.node.observation.observer import Observer
from gateway.node.observation.partners import PartnerObserver
from gateway.node.observation.workers import WorkerObserver
from gateway.node.settings import Settings
from gateway.rpc.listener.server import Listener
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.telemetry.http_server import MetricsServer
from gateway.telemetry.metrics import Metrics
from gateway.trust.rules.directory import Validity
from gateway.trust.service.directory_versions import TrustedDirectory


class Telemetry:
    """Metrics and health of one node, with their port if the settings name one.

    Raises (on construction):
        ConfigurationError: the port can't be bound.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        alarms: Alarms,
        trust: Callable[[], TrustedDirectory],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._alarms = alarms
        self._trust = trust
        self._now = now
        self.metrics = Metrics().with_process()
        self.metrics.build.set(1, __version__, settings.node, settings.federation)
        self.metrics.alarms.follow(lambda: {(code,): number for code, number in alarms.counts().items()})
        self.health = NodeHealth()
        self._server: MetricsServer | None = None
        if settings.metrics_bind:
            self._server = MetricsServer(
                settings.metrics_bind, self.metrics.registry, live=self.health.live, ready=self.health.ready
            )

    @property
    def port(self) -> int:
        """Port of metrics; 0 without one."""
        return 0 if self._server is None else self._server.port

    def start(self) -> None:
        """Serves metrics from now on."""
        self.metrics.started.set(self._now().timestamp())
        if self._server is not None:
            self._server.start()

    def stop(self) -> None:
        """Serves no metrics any more: the last thing at a stop."""
        if self._server is not None:
            self._server.stop()

    def health_monitor(
        self,
        *,
        writer: WriterClient,
        writer_alive: Callable[[], bool],
        outgoing: Outgoing,
        listeners: Sequence[Listener],
    ) -> HealthMonitor:
        """The monitor of the listeners' node, peer first."""
        peer, local = listeners
        return HealthMonitor(
            self.health,
            writer=writer,
            writer_alive=writer_alive,
            read=outgoing.unprojected,
            data_dir=self._settings.data_dir,
            disk_warning_mib=self._settings.alarms.disk_free_mib,
            directory_problem=self._directory_problem,
            peer=peer,
            local=local,
            alarms=self._alarms,
            metrics=self.metrics,
        )

    def observer(
        self,
        *,
        database: Database,
        links: Links,
        streams: Mapping[FeedOrigin, LinkStatus],
        workers: Sequence[WorkerProcess],
        usage: Callable[[], Sequence[ResourceUsage]],
        stored: Callable[[], Sequence[Usage]],
        clock: Callable[[], int],
    ) -> Observer:
        """What looks at the node every few seconds; arguments as in `Observer`, `streams` are those of partners."""
        alarms, settings = self._alarms, self._settings
        return Observer(
            database=database,
            feeds=FeedObserver(database, settings=settings.alarms, alarms=alarms, metrics=self.metrics, clock=clock),
            partners=PartnerObserver(
                node=settings.node,
                partners=lambda now: self._trust().directory.partners(settings.node, now),
                links=links.by_feed,
                streams=streams,
                minutes=settings.alarms.unreachable_minutes,
                started_at=clock(),
                alarms=alarms,
                metrics=self.metrics,
            ),
            workers=WorkerObserver(workers, alarms=alarms, metrics=self.metrics),
            usage=usage,
            stored=stored,
            metrics=self.metrics,
            now=self._now,
        )

    def _directory_problem(self) -> str:
        trusted = self._trust()
        ended = trusted.validity(self._now()) is Validity.EXPIRED
        return f"version {trusted.version} of the directory has ended, its grace too" if ended else ""
