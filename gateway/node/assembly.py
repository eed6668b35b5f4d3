"""Puts a node together: the only place where its objects are made and joined."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from gateway import __version__
from gateway.alerts.commands import ExpireCommand, Publisher
from gateway.alerts.rpc import AlertServicer
from gateway.alerts.service import AlertQueries
from gateway.contract.ids import BETWEEN_NODES, FeedOrigin, GatewayIdentity
from gateway.db import migrate
from gateway.db.database import Database
from gateway.errors import ConfigurationError, GatewayError
from gateway.evidence.rpc import EvidenceServicer
from gateway.feed.projection.held_entries import HeldEntries
from gateway.feed.projection.projector import Projector
from gateway.feed.rpc.auditing import PublisherAuditor
from gateway.feed.rpc.exchange_service import ExchangeServicer
from gateway.feed.rpc.links import Link, LinkStatus, PullLink, PushLink
from gateway.feed.rpc.sending import FeedSender
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient
from gateway.feed.service.alarms import CERTIFICATE, Alarms
from gateway.feed.service.publisher_audit import PublisherAudit
from gateway.feed.service.receiver import Receiver
from gateway.feed.service.recovery import detect_restore, note_progress, own_feeds
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.writer import Writer
from gateway.node.defaults import LinkMode
from gateway.node.directory_store import DirectoryStore
from gateway.node.history import History
from gateway.node.projections import registry
from gateway.node.rpc import NodeServicer
from gateway.node.settings import LinkSettings, ReportMode, Settings
from gateway.node.workers import screening_handlers
from gateway.rpc.authentication import Authenticator, LocalPort, PeerPort, Port
from gateway.rpc.interceptors import AuthInterceptor, CallPolicy
from gateway.rpc.limits import CallerLimits
from gateway.rpc.peers import Peers
from gateway.rpc.server import Listener, build_server
from gateway.rpc.services import local_services, peer_services
from gateway.rpc.tls import server_credentials
from gateway.tls.credentials import TlsFiles, TlsSource, anchors_from_file
from gateway.tls.secret_files import read_passphrase
from gateway.trust.codec.permissions import load_permissions
from gateway.trust.pki.keys import Ed25519Signer, load_signing_key
from gateway.trust.rules.directory import receipts_key_name
from gateway.trust.service.audit_queue import AuditQueue
from gateway.trust.service.directory_versions import RootOfTrust
from gateway.watchlists.codec.matches import Findings
from gateway.watchlists.commands.expiry import ListExpiry, WarnExpiringCommand
from gateway.watchlists.commands.imports import EndCutOffCommand
from gateway.watchlists.commands.matches import KeepFindingsCommand
from gateway.watchlists.commands.proposals import ExpireListedCommand, Lists
from gateway.watchlists.rpc.screening import ScreeningProcess
from gateway.watchlists.rpc.service import WatchlistServicer
from gateway.watchlists.rules.matches import report_rules
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.rules.visibility import visibility_of
from gateway.watchlists.service.queries import ListQueries

log = logging.getLogger(__name__)

STOP_GRACE_S = 2.0
"""Seconds that running calls get at a stop; streams resume from their position at the next start."""

PASSPHRASE_VARIABLE = "GATEWAY_PASSPHRASE"  # noqa: S105  the variable's name
"""Environment variable with the signing keys' passphrase, when no file is set."""

REFRESH_S = 1.0
"""How often the directory's file, certificates and expiring alerts are looked at, in seconds."""

WARN_EVERY_S = 10.0
"""How often it is looked which entries of own lists end soon, in seconds."""

HELD_RETRY_S = 10.0
"""How long after a failed attempt held entries are looked at again, in seconds."""

DAY_MS = 24 * 3600 * 1000

CERTIFICATE_WARNING = timedelta(days=14)
"""How long before its end an expiring certificate raises an alarm."""


def system_clock_ms() -> int:
    """Milliseconds since 1970 by this machine's clock."""
    return time.time_ns() // 1_000_000


class LogKey:
    """The node's log key under each feed's name; implements the writer's LogSigners."""

    def __init__(self, key: Ed25519Signer) -> None:
        self._key = key
        self._by_feed: dict[FeedOrigin, Ed25519Signer] = {}

    def for_feed(self, origin: FeedOrigin) -> Ed25519Signer:
        """The key named as the feed's log."""
        signer = self._by_feed.get(origin)
        if signer is None:
            signer = self._by_feed[origin] = self._key.named(origin.line)
        return signer


class Node:
    """One gateway: made from settings, started and stopped in an event loop.

    Raises (on construction):
        ConfigurationError, DirectoryError: what doesn't allow it to start, and why.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], int] = system_clock_ms) -> None:
        self.settings = settings
        self._clock = clock
        self._directory = DirectoryStore(
            settings.directory.file,
            kept=settings.data_dir / "directory.accepted.note",
            anchors=RootOfTrust.from_vkeys(
                settings.directory.anchors, federation=settings.federation, threshold=settings.directory.threshold
            ),
            now=self._now(),
        )
        self._log_key, receipts_key = self._signing_keys()
        self.alarms = Alarms(clock)
        tls = settings.tls
        files = TlsFiles(certificate=tls.certificate, key=tls.key, passphrase=tls.passphrase())
        identity = GatewayIdentity(settings.federation, settings.node)
        self._peer_tls = TlsSource(files, identity=identity, trust_anchors=self._partner_cas, clock=self._now)
        self._local_tls = TlsSource(
            files, identity=identity, trust_anchors=anchors_from_file(settings.tls.ca), clock=self._now
        )
        self.database = Database(settings.effective_database_url)
        migrate.upgrade(self.database)
        self._marker = settings.data_dir / "starts"
        own = own_feeds(self._directory.directory(), settings.node)
        detect_restore(self.database, self._marker, own=own, now_ms=clock())
        self._audit = AuditQueue()
        self._registry = registry(
            federation=settings.federation, node=settings.node, directory=self._directory.directory
        )
        self.writer = Writer(
            self.database,
            own_node=settings.node,
            signers=LogKey(self._log_key),
            clock=clock,
            audit_queue=self._audit,
            projector=Projector(self._registry),
        )
        self._publisher = Publisher(
            federation=settings.federation, node=settings.node, directory=self._directory.directory, clock=clock
        )
        self._lists = Lists(
            federation=settings.federation,
            node=settings.node,
            directory=self._directory.directory,
            clock=clock,
            policies=self._list_policy,
        )
        identical = {
            name: kept.report_purpose for name, kept in settings.lists.items() if kept.report is ReportMode.IDENTICAL
        }
        self._report_rules = report_rules(settings.node, identical)
        self._expiry = ListExpiry(settings.node, clock, _warn_before_ms(settings))
        self._receiver = Receiver(
            federation=settings.federation,
            node=settings.node,
            trust=self._directory.trusted,
            cosigner=receipts_key,
            evidence_root=settings.data_dir / "quarantine",
            alarms=self.alarms,
        )
        self._outgoing = Outgoing(self.database, writer=self.writer, trust=self._directory.trusted, clock=clock)
        self._next_warning = 0.0
        self._links: dict[FeedOrigin, Link] = {}
        self._running: dict[FeedOrigin, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []

    @property
    def peer_port(self) -> int:
        """Port for partners; known after `start`."""
        return self._listeners[0].port

    @property
    def local_port(self) -> int:
        """Port for own systems; known after `start`."""
        return self._listeners[1].port

    async def start(self) -> None:
        """Starts the writer, both listeners and the links.

        Raises:
            ConfigurationError: a port can't be bound or accepts less than TLS 1.3.
        """
        started_at = self._clock()
        self.writer.start()
        writer, notifier = WriterClient(self.writer), ChangeNotifier(self.writer)
        sender = FeedSender(outgoing=self._outgoing, writer=writer, notifier=notifier, alarms=self.alarms)
        endpoints = {name: link.endpoint for name, link in self.settings.links.items() if link.endpoint}
        self._peers = Peers(
            own=self.settings.node, directory=self._directory.directory, tls=self._peer_tls, endpoints=endpoints
        )
        streams: dict[FeedOrigin, LinkStatus] = {}
        history = History(
            self.settings.history,
            federation=self.settings.federation,
            node=self.settings.node,
            database=self.database,
            database_url=self.settings.effective_database_url,
            writer=writer,
            notifier=notifier,
            trust=self._directory.trusted,
            signer_for=self._log_key.named,
            peers=self._peers,
            alarms=self.alarms,
            clock=self._clock,
        )
        exchange = ExchangeServicer(
            receiver=self._receiver,
            outgoing=self._outgoing,
            writer=writer,
            sender=sender,
            statuses=streams,
            clock=self._clock,
            answer_query=history.answering.answer,
        )
        snapshot = self.settings.data_dir / "screening.index"
        self._screening = ScreeningProcess(
            screening_handlers,
            self.database,
            database_url=self.settings.effective_database_url,
            snapshot=snapshot,
            notifier=notifier,
            thresholds={name: (kept.compatible, kept.strong) for name, kept in self.settings.lists.items()},
            keep=partial(self._keep_findings, writer),
            clock=self._clock,
        )
        visible_to = {name: kept.visible_to for name, kept in self.settings.lists.items()}
        visibility = visibility_of(
            self.settings.node, {name: frozenset(roles) for name, roles in visible_to.items() if roles is not None}
        )
        alert = AlertServicer(
            node=self.settings.node,
            publisher=self._publisher,
            queries=AlertQueries(self.database),
            writer=writer,
            notifier=notifier,
            screening=self._screening,
            visibility=visibility,
            clock=self._clock,
        )
        watchlist = WatchlistServicer(
            lists=self._lists,
            queries=ListQueries(
                self.database, federation=self.settings.federation, node=self.settings.node, expiry=self._expiry
            ),
            database=self.database,
            writer=writer,
            notifier=notifier,
            peers=self._peers,
            screening=self._screening,
            visibility=visibility,
            clock=self._clock,
        )
        evidence = EvidenceServicer(database=self.database, trust=self._directory.trusted)
        node = NodeServicer(
            node=self.settings.node,
            version=__version__,
            started_at_ms=started_at,
            database=self.database,
            outgoing=self._outgoing,
            writer=writer,
            peers=self._peers,
            links=self._links,
            partner_streams=streams,
            alarms=self.alarms,
            trust=self._directory.trusted,
            tls=self._peer_tls,
            clock=self._clock,
        )
        self._listeners = [
            build_server(
                bind=self.settings.peer_bind,
                credentials=server_credentials(self._peer_tls),
                interceptors=[self._interceptor(PeerPort(self.settings.node))],
                services=peer_services(exchange=exchange),
            ),
            build_server(
                bind=self.settings.local_bind,
                credentials=server_credentials(self._local_tls),
                interceptors=[self._interceptor(self._local_port())],
                services=local_services(
                    alert=alert, evidence=evidence, history=history.servicer, node=node, watchlist=watchlist
                ),
                reflect=self.settings.reflection,
            ),
        ]
        for listener in self._listeners:
            await listener.start()
        self._open_links(sender, writer)
        self._tasks.append(asyncio.create_task(self._look_after(sender, writer), name="look-after"))
        self._tasks.append(asyncio.create_task(self._apply_held(), name="apply-held"))
        self._tasks.append(asyncio.create_task(self._screening.run(), name="screening"))
        self._tasks.extend(history.tasks())
        log.info(
            "%s serves partners on port %d, own systems on %d", self.settings.node, self.peer_port, self.local_port
        )

    async def stop(self) -> None:
        """Stops links and listeners, finishes what was accepted, closes the database."""
        tasks = [*self._tasks, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._peers.close()
        await asyncio.gather(*(listener.stop(STOP_GRACE_S) for listener in self._listeners))
        await asyncio.to_thread(self.writer.stop)
        with contextlib.suppress(GatewayError, OSError):  # the last one noted is a second old
            await asyncio.to_thread(note_progress, self.database, self._marker)
        self.database.close()

    def _signing_keys(self) -> tuple[Ed25519Signer, Ed25519Signer]:
        keys, federation, node = self.settings.keys, self.settings.federation, self.settings.node
        variable = PASSPHRASE_VARIABLE if PASSPHRASE_VARIABLE in os.environ else None
        passphrase = read_passphrase(file=keys.passphrase_file, variable=variable, environment=os.environ)
        log_key = load_signing_key(keys.log, name=f"{federation}/{node}", passphrase=passphrase)
        receipts_key = load_signing_key(keys.receipts, name=receipts_key_name(federation, node), passphrase=passphrase)
        directory = self._directory.directory()
        directory.node(node)
        for what, key, listed in (
            ("keys.log", log_key, directory.log_keys(node, self._now())),
            ("keys.receipts", receipts_key, directory.cosign_keys(node, self._now())),
        ):
            if key.public_key not in listed:
                raise ConfigurationError(
                    f"{what}: directory version {directory.version} doesn't list this key for {node} as valid now"
                )
        return log_key, receipts_key

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, UTC)

    def _partner_cas(self) -> bytes:
        nodes = self._directory.directory().nodes
        return "".join(
            pem for name in sorted(set(nodes) - {self.settings.node}) for pem in nodes[name].tls_ca_pems
        ).encode()

    def _local_port(self) -> LocalPort:
        systems = {name: frozenset(roles) for name, roles in self.settings.systems.items()}
        return LocalPort(self.settings.node, systems)

    def _interceptor(self, port: Port) -> AuthInterceptor:
        return AuthInterceptor(
            CallPolicy(
                authenticator=Authenticator(port=port, directory=self._directory.directory, clock=self._now),
                permissions=load_permissions(),
                limits=CallerLimits(),
                audit=self._audit.record,
                clock=self._now,
            )
        )

    def _open_links(self, sender: FeedSender, writer: WriterClient) -> None:
        """One link per feed that the directory and the settings want carried by connections from here."""
        federation, own = self.settings.federation, self.settings.node
        audit = PublisherAudit(self.database, receiver=self._receiver, trust=self._directory.trusted)
        auditor = PublisherAuditor(audit, writer)
        for partner in sorted(self._directory.directory().partners(own, self._now())):
            how = self.settings.links.get(partner, LinkSettings())
            for channel in BETWEEN_NODES:
                outgoing = FeedOrigin(federation, own, partner, channel)
                if how.mode is LinkMode.PUSH and outgoing not in self._links:
                    self._run_link(
                        PushLink(
                            outgoing,
                            peers=self._peers,
                            clock=self._clock,
                            outgoing=self._outgoing,
                            sender=sender,
                            auditor=auditor,
                        )
                    )
                incoming = outgoing.counter
                if how.fetch and incoming not in self._links:
                    self._run_link(
                        PullLink(
                            incoming,
                            peers=self._peers,
                            clock=self._clock,
                            outgoing=self._outgoing,
                            receiver=self._receiver,
                            writer=writer,
                            auditor=auditor,
                        )
                    )

    def _list_policy(self, list_name: str) -> ListPolicy | None:
        kept = self.settings.lists.get(list_name)
        return None if kept is None else ListPolicy(four_eyes=kept.four_eyes)

    async def _keep_findings(self, writer: WriterClient, findings: Findings) -> dict[str, int]:
        cursors: dict[str, int] = await writer.submit(
            KeepFindingsCommand(self._lists, self._report_rules, findings), deferrable=True
        )
        return cursors

    def _run_link(self, link: Link) -> None:
        self._links[link.origin] = link
        self._running[link.origin] = asyncio.create_task(link.run(), name=f"link {link.origin}")

    async def _look_after(self, sender: FeedSender, writer: WriterClient) -> None:
        while True:
            try:
                if await asyncio.to_thread(self._directory.refresh, now=self._now(), alarms=self.alarms):
                    self._open_links(sender, writer)
                self._watch_certificate()
                await writer.run(ExpireCommand(publisher=self._publisher))
                await writer.run(ExpireListedCommand(self._lists))
                await self._warn_of_ends(writer)
                await asyncio.to_thread(note_progress, self.database, self._marker)
                if self._lists.cut_off:
                    await self._end_cut_off(writer)
            except GatewayError as error:
                log.warning("%s", error.message)
            except Exception:
                log.exception("looking after the node failed; it is tried again")
            await asyncio.sleep(REFRESH_S)

    async def _warn_of_ends(self, writer: WriterClient) -> None:
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + WARN_EVERY_S
            await writer.run(WarnExpiringCommand(self._expiry, self.settings.node, self._audit.record))
            await asyncio.to_thread(self._expiry.watch, self.database, self.alarms)

    async def _end_cut_off(self, writer: WriterClient) -> None:
        self._lists.cut_off = False  # another import may be cut off while this is done
        done = False
        try:
            done = await writer.run(EndCutOffCommand(self._lists))
        finally:
            self._lists.cut_off = self._lists.cut_off or not done

    async def _apply_held(self) -> None:
        """After an upgrade, beside everything else: it may take long, and needs own feeds that aren't blocked."""
        held, done = HeldEntries(self.database, self.writer, self._registry), False
        while not done:
            try:
                done = await asyncio.to_thread(held.apply)
            except GatewayError as error:
                log.warning("%s", error.message)
            except Exception:
                log.exception("applying what was held failed; it is tried again")
            if not done:
                await asyncio.sleep(HELD_RETRY_S)

    def _watch_certificate(self) -> None:
        certificate = self._peer_tls.current().certificate
        if certificate.not_after - self._now() < CERTIFICATE_WARNING:
            self.alarms.set(
                CERTIFICATE, "own", f"this gateway's certificate ends at {certificate.not_after:%Y-%m-%d %H:%M} UTC"
            )
        else:
            self.alarms.clear(CERTIFICATE, "own")


def _warn_before_ms(settings: Settings) -> dict[str, int]:
    """Of each own list in the settings: how long before its end an entry is warned of."""
    own = f"{settings.node}/"
    named = {name.removeprefix(own): kept for name, kept in settings.lists.items()}
    return {name: kept.warn_before_days * DAY_MS for name, kept in named.items() if "/" not in name}
