"""gRPC handlers of WatchlistService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, Violation
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, follow_changes
from gateway.rpc.calls import current_call, from_partner
from gateway.rpc.peers import Peers
from gateway.v1 import exchange_service_pb2, screening_pb2, watchlist_service_pb2_grpc
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.commands.hits import AnswerHitCommand, HitQueries, ReportHitCommand
from gateway.watchlists.commands.imports import (
    AdmittedRow,
    Counts,
    EndRowsCommand,
    FinishImportCommand,
    Import,
    ImportRowsCommand,
    count_listed,
    vanished,
)
from gateway.watchlists.commands.proposals import DecideCommand, Lists, ProposeCommand
from gateway.watchlists.commands.same_proposal import CatchUpCommand, same_proposal
from gateway.watchlists.rpc.match_estimates import MatchEstimates, estimated_entries
from gateway.watchlists.rpc.matches import MatchHandlers
from gateway.watchlists.rpc.screening import FEW_SUBJECTS, ScreeningProcess
from gateway.watchlists.rules.visibility import Hidden, ListVisibility
from gateway.watchlists.service.proposal_queries import ProposalQueries
from gateway.watchlists.service.queries import ListQueries

_ASK_TIMEOUT_S = 10.0
"""Timeout for a partner to report its position, in seconds."""


Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class WatchlistServicer(MatchHandlers, watchlist_service_pb2_grpc.WatchlistServiceServicer):
    """Handlers of WatchlistService."""

    def __init__(
        self,
        *,
        lists: Lists,
        queries: ListQueries,
        database: Database,
        writer: WriterClient,
        notifier: ChangeNotifier,
        peers: Peers,
        screening: ScreeningProcess,
        visibility: ListVisibility,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(lists=lists, database=database, writer=writer, notifier=notifier, visibility=visibility)
        self._queries = queries
        self._proposals = ProposalQueries(database, node=lists.node)
        self._estimates = MatchEstimates(screening, node=lists.node, clock=clock)
        self._hits = HitQueries(database)
        self._database = database
        self._peers = peers
        self._screening = screening
        self._clock = clock

    def _require_visible(self, list_name: str) -> None:
        """A change's outcome would disclose a hidden list's content."""
        if (self._lists.node, list_name) in self._hidden():
            raise PermissionDeniedError(f"list: {list_name} isn't open to this system's roles; see visible_to")

    async def ProposeEntries(self, request: pb.ProposeEntriesRequest, context: Context) -> pb.ProposeEntriesResponse:
        call = current_call()
        self._require_visible(request.list)
        await asyncio.to_thread(self._lists.check, request)
        call.record(
            purpose=",".join(sorted({entry.content.purpose for entry in request.entries}))[:64],
            subject_ids=[request.list],
            counts={"entries": len(request.entries), "withdrawals": len(request.withdrawals)},
        )
        command = ProposeCommand(self._lists, request, call.principal.id, call.principal.actor)
        return await self._writer.run(command)

    async def DecideProposal(self, request: pb.DecideProposalRequest, context: Context) -> pb.DecideProposalResponse:
        validate(request)
        if not request.approve and not request.remarks:
            raise InvalidRequestError([Violation("remarks", "remarks.required", "say why it is rejected")])
        call = current_call()
        call.record(subject_ids=[request.proposal_id], reason="APPROVED" if request.approve else "REJECTED")
        who = call.principal
        command = DecideCommand(self._lists, request, who.id, who.actor, self._hidden())
        return await self._writer.run(command)

    async def ListProposals(self, request: pb.ListProposalsRequest, context: Context) -> pb.ListProposalsResponse:
        validate(request)
        return await asyncio.to_thread(self._proposals.list, request, hidden=self._hidden())

    async def PreviewProposal(self, request: pb.PreviewProposalRequest, context: Context) -> pb.PreviewProposalResponse:
        validate(request)
        current_call().record(subject_ids=[request.proposal_id])
        return await asyncio.to_thread(self._proposals.preview, request, hidden=self._hidden())

    async def EstimateMatches(self, request: pb.EstimateMatchesRequest, context: Context) -> pb.EstimateMatchesResponse:
        await asyncio.to_thread(validate, request)
        call = current_call()
        if request.HasField("proposal_id"):
            entries = await asyncio.to_thread(self._proposals.entries, request.proposal_id, hidden=self._hidden())
            call.record(subject_ids=[request.proposal_id], repeatable=True)
        else:
            self._require_visible(request.entries.list)
            entries = estimated_entries(request.entries)
            call.record(subject_ids=[request.entries.list], repeatable=True)
        return await self._estimates.of(entries, caller=call.principal.id)

    async def ImportEntries(
        self, request_iterator: AsyncIterator[pb.ImportEntriesRequest], context: Context
    ) -> pb.ImportEntriesResponse:
        call = current_call()
        opening = await anext(aiter(request_iterator), pb.ImportEntriesRequest())
        if opening.WhichOneof("message") != "open":
            raise InvalidRequestError([Violation("message", "stream.opening", "an import begins with `open`")])
        validate(opening)
        self._require_visible(opening.open.list)
        if opening.open.prune and not opening.open.prune_reason:
            raise InvalidRequestError(
                [Violation("open.prune_reason", "prune_reason.required", "say why vanished entries are withdrawn")]
            )
        importing = Import(self._lists, opening.open, call.principal.actor)
        complete = False
        try:
            await self._take_all_rows(importing, request_iterator)
            same = await self._same_proposal(importing)
            response = await self._writer.run(FinishImportCommand(importing, same))
            complete = True
        finally:
            importing.end(complete=complete)
        call.record(
            subject_ids=[opening.open.list],
            counts={
                "added": response.added,
                "changed": response.changed,
                "withdrawn": response.withdrawn,
                "refused": response.refused_count,
            },
        )
        return response

    async def _take_all_rows(self, importing: Import, requests: AsyncIterator[pb.ImportEntriesRequest]) -> None:
        """Checks the next rows while earlier ones are committed."""
        if not importing.opening.prune:
            await asyncio.to_thread(count_listed, self._database, importing)
        committing: asyncio.Future[Counts] | None = None
        ended = False
        try:
            async for request in requests:
                if request.WhichOneof("message") == "end":
                    importing.require_all(request.end)
                    ended = True
                    break
                good = await self._checked_rows(importing, request)
                if committing is not None:
                    (await committing).take(importing)
                committing = self._writer.submit(ImportRowsCommand(importing, good)) if good else None
        finally:
            if committing is not None:  # already queued for the writer, even if the call has ended
                (await committing).take(importing)
        if not ended:
            raise InvalidRequestError(
                [Violation("message", "stream.end", "the stream ended before the import's `end`")]
            )
        if importing.opening.prune:
            await self._take_vanished(importing)

    async def _checked_rows(self, importing: Import, request: pb.ImportEntriesRequest) -> list[AdmittedRow]:
        rows = request.rows.rows
        if request.WhichOneof("message") != "rows" or not 0 < len(rows) <= MAX_STREAM_ITEMS:
            raise InvalidRequestError(
                [Violation("rows", "repeated.items", f"after the opening send 1 to {MAX_STREAM_ITEMS} rows at a time")]
            )
        return await asyncio.to_thread(importing.check, rows)

    async def _same_proposal(self, importing: Import) -> str:
        """Id of a waiting proposal with the same changes, or empty."""
        if not importing.proposal_id or not importing.pending:
            return ""
        await self._writer.run(CatchUpCommand())
        response = importing.response
        return await asyncio.to_thread(
            same_proposal,
            self._database,
            importing.proposal_id,
            importing.pending,
            list_name=importing.opening.list,
            count=response.added + response.changed + response.withdrawn,
        )

    async def _take_vanished(self, importing: Import) -> None:
        gone = await asyncio.to_thread(vanished, self._database, importing)
        for at in range(0, len(gone), MAX_STREAM_ITEMS):
            counts = await self._writer.run(EndRowsCommand(importing, gone[at : at + MAX_STREAM_ITEMS]))
            counts.take(importing)
        importing.response.withdrawn = len(gone)

    async def GetEntry(self, request: pb.GetEntryRequest, context: Context) -> pb.GetEntryResponse:
        validate(request)
        current_call().record(subject_ids=[f"{request.entry.publisher}/{request.entry.list}/{request.entry.id}"])
        return await asyncio.to_thread(
            self._queries.get, request.entry, earlier=request.earlier_revisions, hidden=self._hidden()
        )

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Context) -> pb.ListEntriesResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.list, request, hidden=self._hidden())

    async def WatchEntries(
        self, request: pb.WatchEntriesRequest, context: Context
    ) -> AsyncIterator[pb.WatchEntriesResponse]:
        position, hidden = request.position, self._hidden()
        if request.full_state:
            position = await asyncio.to_thread(self._queries.position)
            async for changes in self._full_state(hidden):
                yield pb.WatchEntriesResponse(changes=changes)
            yield pb.WatchEntriesResponse(position=position)
        read = partial(self._queries.changes, hidden=hidden)
        following = follow_changes(self._notifier, read, position, until_current=request.until_current)
        async with aclosing(following):
            async for response in following:
                yield response

    async def _full_state(self, hidden: Hidden) -> AsyncIterator[list[pb.PublishedChange]]:
        """Everything listed; a concurrent change comes again after the position."""
        after: tuple[str, str, str] | None = None
        while True:
            page = await asyncio.to_thread(self._queries.full_state, after, hidden=hidden)
            if page.changes:
                yield page.changes
            after = page.after
            if after is None:
                return

    async def ScreenParties(
        self, request: screening_pb2.ScreenPartiesRequest, context: Context
    ) -> screening_pb2.ScreenPartiesResponse:
        done = await self._screened(request)
        hits = sum(len(subject.hits) for subject in done.subjects)
        current_call().record(counts={"subjects": len(done.subjects), "hits": hits}, repeatable=True)
        return done

    async def ScreenStream(
        self, request_iterator: AsyncIterator[screening_pb2.ScreenStreamRequest], context: Context
    ) -> AsyncIterator[screening_pb2.ScreenStreamResponse]:
        screened = hits = 0
        async for request in request_iterator:
            done = await self._screened(request)
            screened += len(done.subjects)
            hits += sum(len(subject.hits) for subject in done.subjects)
            yield screening_pb2.ScreenStreamResponse(subjects=done.subjects, position=done.position)
        current_call().record(counts={"subjects": screened, "hits": hits})

    async def _screened(
        self, request: screening_pb2.ScreenPartiesRequest | screening_pb2.ScreenStreamRequest
    ) -> screening_pb2.ScreenPartiesResponse:
        if len(request.subjects) <= FEW_SUBJECTS:
            validate(request)
        else:
            await asyncio.to_thread(validate, request)
        current_call().charge(subjects=len(request.subjects))
        return await self._screening.screen(
            request.subjects,
            max_hits=request.max_hits,
            at_ms=self._clock(),
            hidden=self._hidden(),
            caller=current_call().principal.id,
        )

    async def ReportHit(self, request: pb.ReportHitRequest, context: Context) -> pb.ReportHitResponse:
        validate(request)
        call = current_call()
        reference = request.entry
        call.record(
            purpose=request.purpose,
            case_reference=request.case_reference,
            subject_ids=[f"{reference.publisher}/{reference.list}/{reference.id}"],
        )
        who = call.principal
        agreements = self._lists.agreements
        command = ReportHitCommand(self._lists, agreements, request, who.id, who.actor, self._hidden())
        return await self._writer.run(command)

    async def AnswerHit(self, request: pb.AnswerHitRequest, context: Context) -> pb.AnswerHitResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[f"{request.reporter}/{request.hit_id}"])
        who = call.principal
        command = AnswerHitCommand(self._lists, request, who.id, who.actor, self._hidden())
        return await self._writer.run(command)

    async def ListHits(self, request: pb.ListHitsRequest, context: Context) -> pb.ListHitsResponse:
        validate(request)
        return await asyncio.to_thread(self._hits.list, request, hidden=self._hidden())

    async def GetListStatistics(
        self, request: pb.GetListStatisticsRequest, context: Context
    ) -> pb.GetListStatisticsResponse:
        return await asyncio.to_thread(self._hits.statistics, hidden=self._hidden())

    async def CompareCopy(self, request: pb.CompareCopyRequest, context: Context) -> pb.CompareCopyResponse:
        validate(request)
        if request.partner not in self._peers.names():
            known = ", ".join(self._peers.names())
            raise NotFoundError(f"partner: {request.partner!r} isn't a partner; partners are: {known}")
        origin = self._queries.origin(request.partner)
        stub = await self._peers.stub(request.partner)
        try:
            asked = exchange_service_pb2.GetCheckpointRequest(origin=origin.line)
            answer = await stub.GetCheckpoint(asked, timeout=_ASK_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise from_partner(request.partner, error) from error
        hidden = self._hidden()
        return await asyncio.to_thread(self._queries.compare, request.partner, answer.position, hidden=hidden)
