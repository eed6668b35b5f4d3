"""Puts together what a node shows to the outside: metrics, their port, and health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway import __version__
from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.feed.rpc.committed_entries import TracedEntries
from gateway.feed.rpc.links import LinkStatus
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.quotas import Usage
from gateway.feed.service.writing.writer import Writer
from gateway.feed.tables import journal
from gateway.node.assembly.links import Links
from gateway.node.expiry import ExpiryMonitor, OwnKeys
from gateway.node.health import HealthMonitor, NodeHealth
from gateway.node.host.capacity import ResourceUsage
from gateway.node.observation.feeds import FeedObserver
from gateway.node.observation.observer import Observer
from gateway.node.observation.partners import PartnerObserver
from gateway.node.observation.workers import WorkerObserver
from gateway.node.roles import Roles
from gateway.node.settings import Settings
from gateway.rpc.listener.server import Listener
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.telemetry.http_server import MetricsServer
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.traces import OtlpEndpoint, Traces, open_traces
from gateway.tls.credentials import TlsMaterial
from gateway.trust.rules.directory import Validity
from gateway.trust.service.audit_queue import AuditQueue
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
        self.traces = self._open_traces()
        self.health = NodeHealth()
        self._server: MetricsServer | None = None
        if settings.metrics_bind:
            self._server = MetricsServer(
                settings.metrics_bind, self.metrics.registry, live=self.health.live, ready=self.health.ready
            )

    def _open_traces(self) -> Traces:
        settings = self._settings.traces
        if not settings.endpoint:
            return Traces()
        return open_traces(
            OtlpEndpoint(settings.endpoint, settings.ca, settings.ratio),
            node=self._settings.node,
            federation=self._settings.federation,
            version=__version__,
            metrics=self.metrics,
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
        """Exports the last spans, then serves no metrics any more: the last thing at a stop."""
        self.traces.close()
        if self._server is not None:
            self._server.stop()

    def follow_queues(self, writer: Writer, audit: AuditQueue) -> None:
        """Shows what waits for the writer."""
        self.metrics.writer_queue.follow(lambda: {(): writer.waiting})
        self.metrics.audit_queue.follow(lambda: {(): len(audit)})

    def traced_entries(self, writer: Writer) -> TracedEntries:
        """Trace contexts of the writer's entries; called before senders listen to it."""
        traced = TracedEntries(self.traces, directory=lambda: self._trust().directory, now=self._now)
        writer.on_commit(traced.committed)
        return traced

    def expiry_monitor(
        self,
        keys: Callable[[], OwnKeys],
        *,
        material: Callable[[], TlsMaterial],
        callers: Callable[[], Mapping[str, datetime]],
    ) -> ExpiryMonitor:
        """What warns of ends, and shows the days until them; arguments as in `ExpiryMonitor`."""
        return ExpiryMonitor(
            node=self._settings.node,
            directory=lambda: self._trust().directory,
            material=material,
            keys=keys,
            callers=callers,
            alarms=self._alarms,
            metrics=self.metrics,
        )

    def tasks(
        self,
        *,
        database: Database,
        writer: WriterClient,
        writer_alive: Callable[[], bool],
        listeners: Sequence[Listener],
        links: Links,
        streams: Mapping[FeedOrigin, LinkStatus],
        workers: Sequence[WorkerProcess],
        usage: Callable[[], Sequence[ResourceUsage]],
        stored: Callable[[], Sequence[Usage]],
        roles: Roles,
        marks_problem: Callable[[], str],
        clock: Callable[[], int],
    ) -> list[asyncio.Task[None]]:
        """Starts what watches the node; arguments as in `HealthMonitor` and `Observer`, the peer's listener first."""
        peer, local = listeners
        alarms, settings, metrics = self._alarms, self._settings, self.metrics
        health = HealthMonitor(
            self.health,
            writer=writer,
            writer_alive=writer_alive,
            read=lambda: _answer(database),
            data_dir=settings.data_dir,
            disk_warning_mib=settings.alarms.disk_free_mib,
            marks_problem=marks_problem,
            directory_problem=self._directory_problem,
            peer=peer,
            local=local,
            alarms=alarms,
            metrics=metrics,
        )
        partners = PartnerObserver(
            node=settings.node,
            partners=lambda now: self._trust().directory.partners(settings.node, now),
            links=links.by_feed,
            streams=streams,
            roles=roles,
            minutes=settings.alarms.unreachable_minutes,
            started_at=clock(),
            alarms=alarms,
            metrics=metrics,
        )
        observer = Observer(
            database=database,
            feeds=FeedObserver(
                database,
                settings=settings.alarms,
                alarms=alarms,
                metrics=metrics,
                clock=clock,
                former=lambda: self._trust().directory.former_partners(settings.node),
            ),
            partners=partners,
            workers=WorkerObserver(workers, alarms=alarms, metrics=metrics),
            usage=usage,
            stored=stored,
            metrics=metrics,
            now=self._now,
        )
        return [
            asyncio.create_task(health.run(), name="health"),
            asyncio.create_task(observer.run(), name="observer"),
        ]

    def _directory_problem(self) -> str:
        trusted = self._trust()
        ended = trusted.validity(self._now()) is Validity.EXPIRED
        return f"version {trusted.version} of the directory has ended, its grace too" if ended else ""


def _answer(database: Database) -> int:
    with database.look() as conn:
        return journal.projected_position(conn)
