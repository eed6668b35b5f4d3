"""gRPC handlers of NodeService, for an authority's operators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.ids import BETWEEN_NODES, EARLIER, KEPT, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.db.standby import StandbyReads
from gateway.errors import (
    InvalidRequestError,
    NotFoundError,
    Violation,
)
from gateway.feed.rpc.comparing import FeedRecovery
from gateway.feed.rpc.links import Link, LinkStatus
from gateway.feed.rpc.maintenance import MaintenanceAnnouncer
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.alarms import DATABASE, Alarms
from gateway.feed.service.partner_directories import PartnerDirectories, RecipientQuarantine
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.states import DeclareNewCommand, StateCommand, SuspensionCommand
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.node.absences import Absences
from gateway.node.assembly.links import role_of
from gateway.node.assembly.quotas import QuotaMonitor
from gateway.node.checks.partner_test import PartnerTest
from gateway.node.directory_preview import preview_of
from gateway.node.directory_store import DirectoryStore
from gateway.node.host.capacity import CapacityMonitor
from gateway.node.observation.feed_alarms import BLOCKED
from gateway.node.observation.feeds import view_of
from gateway.node.quarantine_files import quarantine_files
from gateway.node.roles import Roles
from gateway.node.signing_tokens import WIRE_STATES, SigningTokens
from gateway.node.stored_status import StoredStatus
from gateway.node.trusted_rows import certificate_rows, directory_status, former_member_rows, key_rows
from gateway.rpc.calls import current_call
from gateway.rpc.peers import Peers
from gateway.tls.credentials import TlsSource
from gateway.trust.service.directory_offers import unverified_digest
from gateway.v1 import node_service_pb2 as pb
from gateway.v1 import node_service_pb2_grpc as pb_grpc
from gateway.watchlists.rules.visibility import ListVisibility

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_BLOCKED = {
    FeedState.QUARANTINED: pb.LINK_STATE_QUARANTINED,
    FeedState.BEHIND: pb.LINK_STATE_RECOVERY_REQUIRED,
    FeedState.FORKED: pb.LINK_STATE_RECOVERY_REQUIRED,
    FeedState.CLOSED: pb.LINK_STATE_CLOSED,
}


class NodeServicer(pb_grpc.NodeServiceServicer):
    """Handlers of NodeService."""

    def __init__(
        self,
        *,
        node: str,
        version: str,
        started_at_ms: int,
        database: Database,
        outgoing: Outgoing,
        writer: WriterClient,
        peers: Peers,
        links: Mapping[FeedOrigin, Link],
        partner_streams: Mapping[FeedOrigin, LinkStatus],
        alarms: Alarms,
        capacity: CapacityMonitor,
        quotas: QuotaMonitor,
        maintenance: MaintenanceAnnouncer,
        directory: DirectoryStore,
        tls: TlsSource,
        roles: Roles,
        tokens: SigningTokens,
        quarantine: RecipientQuarantine,
        directories: PartnerDirectories,
        partner_test: PartnerTest,
        standby: StandbyReads | None,
        visibility: ListVisibility,
        callers: Callable[[], Mapping[str, datetime]],
        clock: Callable[[], int],
    ) -> None:
        """
        Args:
            callers: when the certificates of those that have called end, by principal id.
        """
        self._visibility = visibility
        self._store, self._trust = directory, directory.trusted
        self._absences = Absences(
            database, node=node, directory=directory.directory, link_of=self._link_of, clock=clock
        )
        self._roles = roles
        self._tokens = tokens
        self._quarantine = quarantine
        self._directories = directories
        self._partner_test = partner_test
        self._node = node
        self._version = version
        self._started_at_ms = started_at_ms
        self._database = database
        self._outgoing = outgoing
        self._writer = writer
        self._recovery = FeedRecovery(peers=peers, outgoing=outgoing, writer=writer, trust=self._trust)
        self._links = links
        self._partner_streams = partner_streams
        self._alarms = alarms
        self._capacity = capacity
        self._maintenance = maintenance
        self._tls = tls
        self._callers = callers
        self._clock = clock
        self._stored = StoredStatus(
            database, alarms=alarms, quotas=quotas, maintenance=maintenance, roles=roles, standby=standby, clock=clock
        )

    async def GetNodeStatus(self, request: pb.GetNodeStatusRequest, context: Context) -> pb.GetNodeStatusResponse:
        status = pb.GetNodeStatusResponse(
            node=self._node,
            version=self._version,
            started_at=to_timestamp(self._started_at_ms),
            federation=self._trust().federation,
            resources=[
                pb.ResourceUsage(name=usage.name, used=usage.used, limit=usage.limit)
                for usage in await asyncio.to_thread(self._capacity.usage)
            ],
            directory_version=self._trust().version,
            partner_directories=[
                pb.PartnerDirectory(
                    partner=said.partner,
                    version=said.version,
                    said_at=to_timestamp(said.said_at),
                    lacks_revocations=self._directories.lacks_revocations(said),
                )
                for said in self._directories.listed()
            ],
            former_members=former_member_rows(self._trust().directory),
        )
        stored, problem = await self._stored.read()
        status.MergeFrom(stored)
        status.alarms.extend(
            pb.Alarm(code=alarm.code, message=alarm.message, since=to_timestamp(alarm.since))
            for alarm in self._alarms.seen_by(current_call().principal.roles)
        )
        if problem and all(alarm.code != DATABASE for alarm in status.alarms):
            status.alarms.add(code=DATABASE, message=problem, since=to_timestamp(self._clock()))
        return status

    async def ListLinks(self, request: pb.ListLinksRequest, context: Context) -> pb.ListLinksResponse:
        stored, oldest = await asyncio.to_thread(self._feeds)
        # Local feeds have no link, and their backlog would never end: only blocked ones are shown.
        known = {feed.origin: feed for feed in stored if feed.origin.channel not in KEPT or feed.state in BLOCKED}
        shown = {origin for origin in self._possible() if self._is_opened(origin)}
        origins = sorted({*known, *shown}, key=lambda o: (o.publisher != self._node, o.line))
        links = [self._link(origin, known.get(origin)) for origin in origins]
        for link in links:
            if at := oldest.get(link.origin):
                link.oldest_waiting_at.CopyFrom(to_timestamp(at))
        return pb.ListLinksResponse(links=links)

    async def SuspendLink(self, request: pb.SuspendLinkRequest, context: Context) -> pb.SuspendLinkResponse:
        validate(request)
        origin = self._known(request.origin)
        current_call().record(subject_ids=[origin.line], reason=request.reason)
        feed = await self._writer.run(SuspensionCommand(origin, request.reason))
        return pb.SuspendLinkResponse(link=self._changed(origin, feed))

    async def ResumeLink(self, request: pb.ResumeLinkRequest, context: Context) -> pb.ResumeLinkResponse:
        validate(request)
        origin = self._known(request.origin)
        current_call().record(subject_ids=[origin.line])
        feed = await self._writer.run(SuspensionCommand(origin, ""))
        return pb.ResumeLinkResponse(link=self._changed(origin, feed))

    async def ResolveQuarantine(
        self, request: pb.ResolveQuarantineRequest, context: Context
    ) -> pb.ResolveQuarantineResponse:
        validate(request)
        origin = self._known(request.origin)
        current_call().record(subject_ids=[origin.line], reason=request.reason)
        feed = await asyncio.to_thread(self._outgoing.feed, origin)
        if feed is None or feed.state is not FeedState.QUARANTINED:
            raise NotFoundError(f"{origin} isn't in quarantine")
        feed = await self._writer.run(StateCommand(origin, FeedState.ACTIVE, ""))
        return pb.ResolveQuarantineResponse(link=self._changed(origin, feed))

    async def GetQuarantineEvidence(
        self, request: pb.GetQuarantineEvidenceRequest, context: Context
    ) -> pb.GetQuarantineEvidenceResponse:
        validate(request)
        current_call().record(subject_ids=[request.origin], repeatable=True)
        files = await asyncio.to_thread(quarantine_files, self._database, request.origin)
        return pb.GetQuarantineEvidenceResponse(
            files=[pb.QuarantineFile(name=name, content=content) for name, content in files.items()]
        )

    async def RecoverFeed(self, request: pb.RecoverFeedRequest, context: Context) -> pb.RecoverFeedResponse:
        validate(request)
        origin = self._known(request.origin, local=True)
        if origin.publisher != self._node:
            raise InvalidRequestError(
                [Violation("origin", "origin.own", f"only own feeds are recovered; this one is {origin.publisher}'s")]
            )
        current_call().record(subject_ids=[origin.line])
        recovered = await self._recovery.recover(origin)
        self._changed(origin, await asyncio.to_thread(self._outgoing.made, origin))
        return pb.RecoverFeedResponse(
            recovered=recovered.fetched,
            size=recovered.size,
            waiting=recovered.waiting,
            forced=recovered.forced,
            lost=recovered.lost,
        )

    async def DeclareNewFeeds(self, request: pb.DeclareNewFeedsRequest, context: Context) -> pb.DeclareNewFeedsResponse:
        validate(request)
        origins = [
            origin
            for origin in self._possible()
            if (origin.publisher, origin.recipient) == (self._node, request.partner)
        ]
        if not origins:
            raise NotFoundError(f"{request.partner} is no partner in the directory")
        current_call().record(subject_ids=[origin.line for origin in origins], reason=request.reason)
        declared = await self._writer.run(DeclareNewCommand(origins))
        for origin in declared:
            self._changed(origin, await asyncio.to_thread(self._outgoing.made, origin))
        return pb.DeclareNewFeedsResponse(origins=[origin.line for origin in declared])

    async def SetMaintenance(self, request: pb.SetMaintenanceRequest, context: Context) -> pb.SetMaintenanceResponse:
        validate(request)
        current_call().record(reason=request.window.reason)
        return pb.SetMaintenanceResponse(maintenance=await self._maintenance.set(request.window))

    async def EndMaintenance(self, request: pb.EndMaintenanceRequest, context: Context) -> pb.EndMaintenanceResponse:
        return pb.EndMaintenanceResponse(maintenance=await self._maintenance.end())

    async def ListCertificates(
        self, request: pb.ListCertificatesRequest, context: Context
    ) -> pb.ListCertificatesResponse:
        own = self._tls.current().certificate
        rows = certificate_rows(self._node, own, self._trust().directory, self._callers())
        return pb.ListCertificatesResponse(certificates=rows)

    async def ListKeys(self, request: pb.ListKeysRequest, context: Context) -> pb.ListKeysResponse:
        return pb.ListKeysResponse(keys=key_rows(self._trust().directory))

    async def ListSigningKeys(self, request: pb.ListSigningKeysRequest, context: Context) -> pb.ListSigningKeysResponse:
        return pb.ListSigningKeysResponse(keys=self._tokens.key_rows())

    async def UnlockToken(self, request: pb.UnlockTokenRequest, context: Context) -> pb.UnlockTokenResponse:
        validate(request)
        current_call().record(subject_ids=[request.token])
        token = self._tokens.get(request.token)
        if token is None:
            raise NotFoundError(f"the settings have no token {request.token}")
        await asyncio.to_thread(token.unlock, request.pin)
        return pb.UnlockTokenResponse(state=WIRE_STATES[token.status.state])

    async def GetDirectory(self, request: pb.GetDirectoryRequest, context: Context) -> pb.GetDirectoryResponse:
        return pb.GetDirectoryResponse(directory=directory_status(self._trust(), self._now()))

    async def PreviewDirectory(
        self, request: pb.PreviewDirectoryRequest, context: Context
    ) -> pb.PreviewDirectoryResponse:
        validate(request)
        return await asyncio.to_thread(preview_of, request.note, self._store.state(), self._now())

    async def TakeDirectory(self, request: pb.TakeDirectoryRequest, context: Context) -> pb.TakeDirectoryResponse:
        validate(request)
        current_call().record(subject_ids=[unverified_digest(request.note).hex()])
        accepted = await asyncio.to_thread(self._store.take, request.note, self._now())
        return pb.TakeDirectoryResponse(version=accepted.version)

    async def TestPartner(self, request: pb.TestPartnerRequest, context: Context) -> pb.TestPartnerResponse:
        validate(request)
        current_call().record(subject_ids=[request.partner])
        return pb.TestPartnerResponse(findings=await self._partner_test.run(request.partner))

    async def ExplainAbsence(self, request: pb.ExplainAbsenceRequest, context: Context) -> pb.ExplainAbsenceResponse:
        validate(request)
        subject = request.alert.alert_id or request.entry.id or request.record_id
        current_call().record(subject_ids=[subject], repeatable=True)
        hidden = self._visibility.hidden_from(current_call().principal.roles)
        return await asyncio.to_thread(self._absences.explain, request, hidden=hidden)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, UTC)

    def _link_of(self, feed: Feed) -> tuple[pb.LinkState.ValueType, str]:
        link = self._link(feed.origin, feed)
        return link.state, feed.state_reason or link.suspension

    def _feeds(self) -> tuple[list[Feed], Mapping[str, int]]:
        """All feeds, and by name when the oldest entry of those between nodes was recorded that lags."""
        with self._database.read() as conn:
            stored = feeds.list_all(conn)
            lagging = (view_of(conn, feed) for feed in stored if feed.origin.channel not in KEPT)
            return stored, {view.feed.origin.line: view.oldest_at for view in lagging}

    def _is_opened(self, origin: FeedOrigin) -> bool:
        """Whether links open a feed, however empty it is."""
        if origin.channel in EARLIER:
            return origin in self._links
        return self._trust().directory.carries(origin.channel, origin.publisher, origin.recipient)

    def _possible(self) -> Iterable[FeedOrigin]:
        trusted = self._trust()
        for partner in sorted(set(trusted.directory.nodes) - {self._node}):
            for channel in BETWEEN_NODES:
                yield trusted.directory.feed(self._node, partner, channel)
                yield trusted.directory.feed(partner, self._node, channel)

    def _known(self, line: str, *, local: bool = False) -> FeedOrigin:
        """A feed by its name; local: one without a recipient too."""
        if line.count("/") == 2:  # without the federation, as in lists
            line = f"{self._trust().federation}/{line}"
        origin = FeedOrigin.of_request(line)
        kept = local and origin.channel in KEPT and origin.publisher == self._node
        if not kept and origin not in set(self._possible()):
            raise NotFoundError(f"there is no feed {line} at this node; `gateway link list` shows them")
        return origin

    def _changed(self, origin: FeedOrigin, feed: Feed) -> pb.Link:
        link = self._links.get(origin)
        if link is not None:
            link.kick()
        return self._link(origin, feed)

    def _link(self, origin: FeedOrigin, feed: Feed | None) -> pb.Link:
        outgoing = origin.publisher == self._node
        own = self._links.get(origin)
        status = own.status if own is not None else self._partner_streams.get(origin, LinkStatus())
        size = feed.size if feed is not None else 0
        receipted = size if not outgoing else feed.receipted_size if feed is not None else 0
        state = _BLOCKED.get(feed.state) if feed is not None else None
        if state is None and feed is not None and feed.suspended:
            state = pb.LINK_STATE_SUSPENDED
        if state is None and outgoing and self._quarantine.has(origin):
            state = pb.LINK_STATE_QUARANTINED
        if state is None:
            waiting = pb.LINK_STATE_CONNECTING if own is not None or not outgoing else pb.LINK_STATE_PULLED
            state = pb.LINK_STATE_CONNECTED if status.connected else waiting
        if own is not None and state == pb.LINK_STATE_CONNECTING and not self._roles.holds(role_of(own.partner)):
            state = pb.LINK_STATE_ELSEWHERE
        partner = origin.recipient if outgoing else origin.publisher
        link = pb.Link(
            origin=origin.line,
            partner=partner,
            direction="out" if outgoing else "in",
            state=state,
            size=size,
            receipted_size=receipted,
            backlog=size - receipted,
            last_error=self._trust().directory.why_no_member(partner) or status.last_error,
            evidence_path=feed.evidence_path if feed is not None else "",
            waiting=feed.waiting if feed is not None else 0,
            suspension=feed.suspension if feed is not None else "",
        )
        if status.last_exchange_at:
            link.last_exchange_at.CopyFrom(to_timestamp(status.last_exchange_at))
        return link
