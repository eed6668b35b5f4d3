"""Builds a node: the only place where its objects are put together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from gateway import __version__
from gateway.alerts.commands.alert_retention import AlertRetention, RetentionRehearsal
from gateway.alerts.commands.erasing import AlertEraser
from gateway.alerts.commands.preview import Previews
from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.rpc import AlertServicer
from gateway.alerts.service import AlertQueries
from gateway.attachments.commands.held import holds_on_alert
from gateway.attachments.tables import files
from gateway.contract.ids import ALERT_CHANNELS
from gateway.db.standby import StandbyReads
from gateway.errors import GatewayError
from gateway.evidence.codec.audit_head import audit_feed
from gateway.evidence.rpc import EvidenceServicer
from gateway.evidence.service.audit_heads import AUDIT_HEAD_FILE, AuditHeadSigner
from gateway.evidence.service.cose_export import CoseReceiptExport
from gateway.feed.projection.projector import Projector
from gateway.feed.projection.rebuild import HeldEntries
from gateway.feed.rpc.links import LinkParts
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.claims import Claims
from gateway.feed.service.delivery import OwnFeeds
from gateway.feed.service.quotas import Quotas
from gateway.feed.service.receiver import Receiver
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.writing.writer import Writer
from gateway.feed.tables.identity import NodeIdentity
from gateway.node.assembly.callers import Callers
from gateway.node.assembly.database_access import DatabaseAccess
from gateway.node.assembly.exchange import Exchange
from gateway.node.assembly.history import History
from gateway.node.assembly.links import Links
from gateway.node.assembly.listeners import bind_listeners
from gateway.node.assembly.quotas import QuotaMonitor, bounds_of
from gateway.node.assembly.reloading import settings_reloader
from gateway.node.assembly.telemetry import Telemetry
from gateway.node.assembly.tls import tls_sources
from gateway.node.assembly.watchlists import Watchlists
from gateway.node.backups.first_start import require_prepared
from gateway.node.backups.known import ReceiptKeeper, TallyKeeper, tally_places
from gateway.node.backups.start import detect_restored, require_no_cut_off_restore
from gateway.node.capabilities.attachments import Attachments
from gateway.node.capabilities.capability import Capabilities
from gateway.node.capabilities.every import start_capabilities
from gateway.node.capabilities.licences import Licences
from gateway.node.capabilities.parts import NodeParts
from gateway.node.capabilities.witnesses import Witnessing
from gateway.node.checks.partner_test import PartnerTest
from gateway.node.directory_store import DirectoryStore, KeptVersions, pinned_anchors
from gateway.node.feed_heads import FeedHeadMonitor
from gateway.node.host.capacity import secure_descriptors
from gateway.node.observation.durability import DurabilityMonitor, names_standby
from gateway.node.projections import registry
from gateway.node.reload import SettingsReloader
from gateway.node.roles import Roles
from gateway.node.rpc import NodeServicer
from gateway.node.settings import FromPartners, Settings
from gateway.node.signing_keys import SigningKeys, load_witness_key, second_counts
from gateway.node.signing_tokens import SigningTokens, token_observer
from gateway.node.upkeep import (
    Notes,
    Upkeep,
    answer_erasures,
    apply_held,
    close_epochs,
    follow_members,
    purge_alerts,
    sign_audit_heads,
    sign_last_audit_head,
)
from gateway.persons.service.pseudonyms import Pseudonyms
from gateway.rpc.fairness.limits import FairThreadPool
from gateway.rpc.listener.server import Listener, local_services, peer_services
from gateway.rpc.request_rules import compile_rules
from gateway.trust.codec.permissions import load_permissions
from gateway.trust.pki.keys import LogKey
from gateway.trust.service.audit_queue import AuditQueue
from gateway.watchlists.rules.visibility import ListVisibility

log = logging.getLogger(__name__)

CALLS_SHARE = 0.7
"""Part of `stop_grace` that running calls get; the rest is for the last commits."""


def system_clock_ms() -> int:
    """Milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000


class Node:
    """A gateway, started and stopped in an event loop.

    Raises (on construction):
        ConfigurationError, DirectoryError: it can't start; the message says why.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], int] = system_clock_ms) -> None:
        secure_descriptors(settings.connections)
        self.settings = settings
        self._clock = clock
        self._directory = DirectoryStore(
            settings.directory.file,
            kept=KeptVersions(settings.data_dir),
            anchors=pinned_anchors(settings),
            now=self._now(),
            takes_offers=settings.directory.from_partners is FromPartners.TAKE,
        )
        directory = self._directory.directory
        self.alarms = Alarms(clock, repeat_ms=settings.alarms.repeat_minutes * 60_000)
        self.telemetry = Telemetry(settings, alarms=self.alarms, trust=self._directory.trusted, now=self._now)
        self._tokens = SigningTokens(settings, on_change=token_observer(self.alarms, self.telemetry.metrics))
        self._signing_keys = SigningKeys(settings, tokens=self._tokens, directory=directory, now=self._now)
        self._peer_tls, self._local_tls = tls_sources(settings, directory, self._now)
        require_no_cut_off_restore(settings)
        require_prepared(settings)
        self._access = DatabaseAccess(settings, alarms=self.alarms)
        self.database = self._access.database
        identity = NodeIdentity(settings.federation, settings.node, self._signing_keys.log().public_key)
        self._access.join(identity, directory(), compare=self._compare_database)
        self._heads = FeedHeadMonitor(self.database, self.alarms)
        self._heads.check()
        self._quotas = Quotas(bounds_of(settings.quotas))
        self._audit = AuditQueue()
        self._callers = Callers(
            settings,
            directory=directory,
            ports=lambda: (self.peer_port, self.local_port),
            audit=self._audit.record,
            alarms=self.alarms,
            metrics=self.telemetry.metrics,
            now=self._now,
            clock=clock,
        )
        self._registry = registry(federation=settings.federation, node=settings.node, directory=directory)
        signatures = self.telemetry.metrics.signatures
        seconds = second_counts(directory, settings.node, self._now)
        self._log_signers = LogKey(self._signing_keys.log, signatures.labels("log").inc, seconds)
        self.writer = Writer(
            self.database,
            own_node=settings.node,
            signers=self._log_signers,
            clock=clock,
            audit_queue=self._audit,
            projector=Projector(self._registry),
            metrics=self.telemetry.metrics,
            membership=self._access.membership,
            history=self._own_history,
        )
        self._pseudonyms = Pseudonyms(settings.node, directory)
        self._publisher = Publisher(
            federation=settings.federation,
            node=settings.node,
            directory=directory,
            clock=clock,
            pseudonyms=self._pseudonyms,
            own_files=files.own_of,
        )
        self._eraser = AlertEraser(self._publisher, directory, holds_on_alert)
        self._retention = AlertRetention(settings.retention.alerts, settings.retention.legal_basis)
        receipts = signatures.labels("receipts").inc
        cosigner = partial(self._signing_keys.counted_receipts, receipts, seconds)
        self._receiver = Receiver(
            federation=settings.federation,
            node=settings.node,
            trust=self._directory.trusted,
            cosigner=cosigner,
            evidence_root=settings.data_dir / "quarantine",
            alarms=self.alarms,
            quotas=self._quotas,
            is_answer=self._registry.is_answer,
        )
        self._quota_monitor = QuotaMonitor(self._quotas, database=self.database, alarms=self.alarms, clock=clock)
        self._outgoing = Outgoing(
            self.database,
            writer=self.writer,
            trust=self._directory.trusted,
            clock=clock,
            marks=self._own_history.marks,
            claims=Claims(
                node=settings.node,
                signer=cosigner,
                trust=self._directory.trusted,
                clock=clock,
                releases=self._own_history.marks.releases,
                evidence_root=settings.data_dir / "quarantine",
                alarms=self.alarms,
            ),
        )
        self._audit_signer = AuditHeadSigner(
            self.database,
            writer=self.writer,
            origin=audit_feed(settings.federation, settings.node),
            kept=settings.data_dir / AUDIT_HEAD_FILE,
            trust=self._directory.trusted,
            record=self._audit.record,
            alarms=self.alarms,
            clock=clock,
        )
        self.telemetry.follow_queues(self.writer, self._audit)
        self._traced = self.telemetry.traced_entries(self.writer)
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []

    @property
    def peer_port(self) -> int:
        """Known after `start`."""
        return self._listeners[0].port

    @property
    def local_port(self) -> int:
        """Known after `start`."""
        return self._listeners[1].port

    async def start(self) -> None:
        """Starts writer, listeners, links and upkeep.

        Raises:
            ConfigurationError: a port can't be bound or accepts less than TLS 1.3.
        """
        started_at = self._clock()
        asyncio.get_running_loop().set_default_executor(FairThreadPool())
        self.telemetry.start()
        self.writer.start()
        self._writer, self._notifier = WriterClient(self.writer), ChangeNotifier(self.writer)
        self._roles = Roles(self._access.membership)
        self._exchange = self._make_exchange()
        self._peers = self._exchange.peers
        self._links = self._make_links()
        history, watchlists = self._make_history(), self._make_watchlists()
        parts = self._make_parts()
        self._files = Attachments(parts)
        self._licences = Licences(parts, trust=self._directory.trusted, signer_for=self._log_signers.named)
        self._witnessing = Witnessing(
            parts,
            trust=self._directory.trusted,
            signer=load_witness_key(self.settings, self._tokens),
        )
        if history.standby is not None:
            self._access.close_too(history.standby.close)
        alerts = AlertQueries(self.database, clock=self._clock, sent_size=parts.sent_size, former=parts.former_partners)
        capabilities = await start_capabilities(
            parts,
            alerts=alerts,
            watchlists=watchlists,
            history=history,
            callers=self._callers,
            pseudonyms=self._pseudonyms,
            files=self._files.capability,
            licences=self._licences.capability,
            witnesses=self._witnessing.capability,
            publisher=self._publisher,
            audit=self._audit.record,
        )
        self._listeners = self._make_listeners(history, watchlists, alerts, capabilities, started_at)
        for listener in self._listeners:
            await listener.start()
        directory = self._directory.directory()
        await self._writer.run(close_epochs(directory))
        await self._writer.run(follow_members(directory))
        await asyncio.to_thread(self._links.find_left_over)
        self._links.open(self._now())
        self._upkeep = self._make_upkeep(watchlists)
        held = HeldEntries(self.database, self.writer, self._registry)
        self._tasks.append(asyncio.create_task(self._upkeep.run(), name="upkeep"))
        self._tasks.append(asyncio.create_task(self._exchange.updates.run(), name="directory updates"))
        self._tasks.append(self._roles.run("housekeeping", self._upkeep.keep_house))
        self._tasks.append(self._roles.run("maintenance", self._exchange.maintenance.run))
        self._tasks.append(self._roles.run("held entries", lambda: apply_held(held)))
        self._tasks.append(self._roles.run("erasures", lambda: answer_erasures(self._writer, self._eraser)))
        if self._retention.days:
            clocks = self.alarms.partner_clocks
            purge = partial(purge_alerts, self._writer, self._eraser, self._retention, latest_ms=clocks.latest_ms)
            self._tasks.append(self._roles.run("alert retention", purge))
        self._tasks.append(self._roles.run("audit heads", lambda: sign_audit_heads(self._audit_signer)))
        self._tasks += self.telemetry.tasks(
            database=self.database,
            writer=self._writer,
            writer_alive=self.writer.is_alive,
            listeners=self._listeners,
            links=self._links,
            streams=self._exchange.streams,
            workers=(
                watchlists.screening.process,
                *history.workers,
                *capabilities.workers,
            ),
            usage=self._callers.capacity.usage,
            stored=self._quota_monitor.usage,
            roles=self._roles,
            marks_problem=lambda: self._access.marks.problem,
            clock=self._clock,
        )
        self._tasks += [asyncio.create_task(watchlists.screening.run(), name="screening"), *history.tasks()]
        self._tasks += capabilities.tasks(self._roles)
        self._tasks.append(asyncio.create_task(self._tokens.watch(), name="signing tokens"))
        self._tasks.append(asyncio.create_task(asyncio.to_thread(compile_rules, load_permissions()), name="rules"))
        self._access.start(self.writer, self._notifier, self._roles)
        ports = self.peer_port, self.local_port
        log.info("%s serves partners on port %d, own systems on %d", self.settings.node, *ports)

    def reloader(self, read: Callable[[], Settings]) -> SettingsReloader:
        """What puts changed settings in force; `read` reads them again and raises ConfigurationError."""
        return settings_reloader(
            self.settings,
            read=read,
            keys=self._signing_keys,
            callers=self._callers,
            quotas=self._quotas,
            alarms=self.alarms,
            audit=self._audit.record,
            clock=self._clock,
        )

    async def stop(self) -> None:
        """Stops listening, finishes accepted work, signs the audit log, closes the database.

        A step that fails doesn't keep the later ones from running; its error is raised at the end.
        """
        self.telemetry.health.stopping()
        async with contextlib.AsyncExitStack() as last_first:
            last_first.push_async_callback(asyncio.to_thread, self.telemetry.stop)
            last_first.callback(self._access.close)
            last_first.push_async_callback(asyncio.to_thread, self._tokens.close)
            last_first.push_async_callback(self._note_progress)
            last_first.push_async_callback(asyncio.to_thread, self.writer.stop)
            last_first.push_async_callback(sign_last_audit_head, self._audit_signer)  # nobody is served any more
            last_first.push_async_callback(self._stop_listeners)
            last_first.push_async_callback(self._peers.close)
            tasks = [*self._tasks, *self._links.tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self._access.membership.stop)  # others take over

    async def _stop_listeners(self) -> None:
        grace_s = self.settings.stop_grace * CALLS_SHARE
        running = zip(self._listeners, self._callers.running, strict=False)
        await asyncio.gather(
            *(listener.stop(grace_s, unary_calls=unary, streams=streams) for listener, (unary, streams) in running)
        )

    def _compare_database(self, others_run: bool) -> None:
        """Blocks own feeds of a restored database. What other replicas write to is none: they have compared it."""
        known, now = self._directory.directory(), self._clock()
        self._own_history = detect_restored(
            self.database, self.settings, self._access.marks, known, now_ms=now, others_run=others_run
        )

    async def _note_progress(self) -> None:
        with contextlib.suppress(GatewayError, OSError):  # the notes before are a second old
            await asyncio.to_thread(self._upkeep.notes.keep_up, self._clock())

    def _make_exchange(self) -> Exchange:
        return Exchange(
            self.settings,
            tls=self._peer_tls,
            database=self.database,
            outgoing=self._outgoing,
            receiver=self._receiver,
            directory=self._directory,
            writer=self._writer,
            notifier=self._notifier,
            alarms=self.alarms,
            metrics=self.telemetry.metrics,
            traced=self._traced,
            clock=self._clock,
            now=self._now,
        )

    def _make_upkeep(self, watchlists: Watchlists) -> Upkeep:
        return Upkeep(
            directory=self._directory,
            links=self._links,
            directories=self._exchange.directories,
            watchlists=watchlists,
            publisher=self._publisher,
            notes=Notes(
                self._access.marks,
                TallyKeeper(self.database, tally_places(self.settings)),
                ReceiptKeeper(self.database, self._access.marks.releases),
                self._access.membership,
            ),
            clock=self._clock,
            writer=self._writer,
            alarms=self.alarms,
            capacity=self._callers.capacity,
            quotas=self._quota_monitor,
            heads=self._heads,
            durability=DurabilityMonitor(
                self.database,
                self.alarms,
                standby_expected=names_standby(self.settings),
                note=lambda lossless: self._own_history.note_durability(lossless, self._clock()),
            ),
            history=self._own_history,
            expiry=self.telemetry.expiry_monitor(
                self._signing_keys.public, material=self._peer_tls.current, callers=self._callers.certificate_ends
            ),
            now=self._now,
            database=self.database,
            audit=self._audit.record,
            node=self.settings.node,
        )

    def _make_links(self) -> Links:
        parts = LinkParts(
            peers=self._peers,
            outgoing=self._outgoing,
            intake=self._exchange.intake,
            sender=self._exchange.sender,
            auditor=self._exchange.auditor,
            quarantine=self._exchange.quarantine,
            directories=self._exchange.directories,
            clock=self._clock,
            metrics=self.telemetry.metrics,
        )
        return Links(self.settings, parts, directory=self._directory.directory, roles=self._roles)

    def _make_history(self) -> History:
        return History(
            self.settings.history,
            federation=self.settings.federation,
            node=self.settings.node,
            database=self.database,
            database_url=self.settings.effective_database_url,
            writer=self._writer,
            notifier=self._notifier,
            trust=self._directory.trusted,
            signer_for=self._log_signers.named,
            peers=self._peers,
            alarms=self.alarms,
            quotas=self._quotas,
            roles=self._roles,
            clock=self._clock,
        )

    def _make_watchlists(self) -> Watchlists:
        return Watchlists(
            self.settings,
            directory=self._directory.directory,
            database=self.database,
            writer=self._writer,
            notifier=self._notifier,
            peers=self._peers,
            alarms=self.alarms,
            audit=self._audit.record,
            quotas=self._quotas,
            roles=self._roles,
            pseudonyms=self._pseudonyms,
            clock=self._clock,
        )

    def _make_parts(self) -> NodeParts:
        return NodeParts(
            settings=self.settings,
            database=self.database,
            writer=self._writer,
            notifier=self._notifier,
            peers=self._peers,
            alarms=self.alarms,
            metrics=self.telemetry.metrics,
            directory=self._directory.directory,
            sent_size=self._exchange.sender.sent_size,
            clock=self._clock,
        )

    def _make_listeners(
        self,
        history: History,
        watchlists: Watchlists,
        alerts: AlertQueries,
        capabilities: Capabilities,
        started_at: int,
    ) -> list[Listener]:
        alert = AlertServicer(
            node=self.settings.node,
            publisher=self._publisher,
            previews=Previews(
                self.database,
                node=self.settings.node,
                publisher=self._publisher,
                directory=self._directory.directory,
                clock=self._clock,
            ),
            queries=alerts,
            eraser=self._eraser,
            rehearsal=RetentionRehearsal(self.database, self._eraser, self._retention, clock=self._clock),
            writer=self._writer,
            notifier=self._notifier,
            own_feeds=OwnFeeds(self.database, ALERT_CHANNELS),
            screening=watchlists.alert_screening,
            clock=self._clock,
            metrics=self.telemetry.metrics,
            traces=self.telemetry.traces,
            traced=self._traced,
        )
        return bind_listeners(
            self.settings,
            callers=self._callers,
            peer_tls=self._peer_tls,
            local_tls=self._local_tls,
            for_partners=peer_services(
                exchange=self._exchange.servicer(
                    history.answering, self._licences.answers.answer, self._files.send, self._witnessing.server.answer
                )
            ),
            for_systems=local_services(
                alert=alert,
                evidence=EvidenceServicer(
                    database=self.database,
                    trust=self._directory.trusted,
                    audit_feed=audit_feed(self.settings.federation, self.settings.node),
                    writer=self._writer,
                    cose_receipts=CoseReceiptExport(
                        self.database,
                        node=self.settings.node,
                        trust=self._directory.trusted,
                        signers=self._log_signers,
                        release_heads=self._outgoing.release_heads,
                        clock=self._clock,
                    ),
                    visibility=watchlists.visibility,
                    release_heads=self._outgoing.release_heads,
                ),
                history=history.servicer,
                node=self._make_node_servicer(started_at, history.standby, watchlists.visibility),
                watchlist=watchlists.servicer,
            )
            | capabilities.services,
        )

    def _make_node_servicer(
        self, started_at: int, standby: StandbyReads | None, visibility: ListVisibility
    ) -> NodeServicer:
        return NodeServicer(
            node=self.settings.node,
            version=__version__,
            started_at_ms=started_at,
            database=self.database,
            outgoing=self._outgoing,
            writer=self._writer,
            peers=self._peers,
            links=self._links.by_feed,
            partner_streams=self._exchange.streams,
            alarms=self.alarms,
            quotas=self._quota_monitor,
            maintenance=self._exchange.maintenance,
            capacity=self._callers.capacity,
            directory=self._directory,
            tls=self._peer_tls,
            callers=self._callers.certificate_ends,
            standby=standby,
            visibility=visibility,
            roles=self._roles,
            tokens=self._tokens,
            quarantine=self._exchange.quarantine,
            directories=self._exchange.directories,
            partner_test=PartnerTest(
                self.settings, directory=self._directory.directory, tls=self._peer_tls, clock=self._now
            ),
            clock=self._clock,
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, UTC)
