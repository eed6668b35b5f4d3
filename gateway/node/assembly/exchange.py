"""Puts together what exchanges feeds with partners, whichever side opened the stream."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.feed.rpc.committed_entries import TracedEntries
from gateway.feed.rpc.comparing import PublisherAuditor
from gateway.feed.rpc.directory_updates import DirectoryUpdates, PartnerCalls
from gateway.feed.rpc.exchange_service import (
    AnswerCheckpoint,
    AnswerLicence,
    ExchangeServicer,
    HistoryAnswers,
    SendFile,
)
from gateway.feed.rpc.links import LinkStatus
from gateway.feed.rpc.maintenance import MaintenanceAnnouncer
from gateway.feed.rpc.sending import FeedSender, Intake
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.partner_directories import PartnerDirectories, RecipientQuarantine
from gateway.feed.service.publisher_audit import PublisherAudit
from gateway.feed.service.receiver import Receiver
from gateway.feed.service.sender import Outgoing
from gateway.node.defaults import LinkMode
from gateway.node.directory_store import DirectoryStore
from gateway.node.settings import FromPartners, Settings
from gateway.rpc.peers import Peers
from gateway.telemetry.metrics import Metrics
from gateway.tls.credentials import TlsSource


class Exchange:
    """Sender, intake and channels of one node, for one event loop.

    Attributes:
        streams: those that partners opened, by feed.
        quarantine: own feeds that their recipients have in quarantine.
        directories: what partners say of theirs.
        updates: what exchanges versions of the directory.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tls: TlsSource,
        database: Database,
        outgoing: Outgoing,
        receiver: Receiver,
        directory: DirectoryStore,
        writer: WriterClient,
        notifier: ChangeNotifier,
        alarms: Alarms,
        metrics: Metrics,
        traced: TracedEntries,
        clock: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        self._receiver = receiver
        self._outgoing = outgoing
        self._clock = clock
        self.streams: dict[FeedOrigin, LinkStatus] = {}
        self.quarantine = RecipientQuarantine(alarms)
        trust = directory.trusted
        self.directories = PartnerDirectories(trust=trust, alarms=alarms, clock=clock)
        self.sender = FeedSender(
            outgoing=outgoing, writer=writer, notifier=notifier, alarms=alarms, metrics=metrics, traced=traced
        )
        self.intake = Intake(
            receiver=receiver, outgoing=outgoing, writer=writer, notifier=notifier, metrics=metrics, traced=traced
        )
        self.peers = Peers(
            own=settings.node,
            directory=directory.directory,
            tls=tls,
            endpoints={name: link.endpoint for name, link in settings.links.items() if link.endpoint},
            line=self.sender.line,
        )
        self.updates = DirectoryUpdates(
            state=directory.state,
            offer=directory.offer,
            revoke=directory.revoke,
            calls=PartnerCalls(
                fetches=settings.directory.from_partners is not FromPartners.REFUSE,
                unreachable=[name for name, link in settings.links.items() if link.mode is LinkMode.PULL],
                cut_off=[name for name, link in settings.links.items() if link.fetch],
            ),
            peers=self.peers,
            directories=self.directories,
            alarms=alarms,
        )
        audit = PublisherAudit(database, receiver=receiver, trust=trust)
        self.auditor = PublisherAuditor(audit, writer, metrics, alarms.partner_clocks.note)
        self.maintenance = MaintenanceAnnouncer(
            node=settings.node,
            partners=lambda: trust().directory.partners(settings.node, now()),
            database=database,
            peers=self.peers,
            writer=writer,
        )

    def servicer(
        self,
        history: HistoryAnswers,
        answer_licence: AnswerLicence,
        send_file: SendFile,
        answer_checkpoint: AnswerCheckpoint,
    ) -> ExchangeServicer:
        """Handlers of partners' calls."""
        return ExchangeServicer(
            receiver=self._receiver,
            outgoing=self._outgoing,
            intake=self.intake,
            sender=self.sender,
            statuses=self.streams,
            quarantine=self.quarantine,
            directories=self.directories,
            clock=self._clock,
            history=history,
            answer_licence=answer_licence,
            send_file=send_file,
            answer_checkpoint=answer_checkpoint,
            keep_maintenance=self.maintenance.keep,
            updates=self.updates,
        )
