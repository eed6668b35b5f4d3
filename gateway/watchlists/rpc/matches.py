"""gRPC handlers of WatchlistService for matches and reports of changed verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, follow_changes
from gateway.rpc.calls import current_call
from gateway.v1 import match_pb2
from gateway.watchlists.commands.match_groups import DismissMatchesCommand
from gateway.watchlists.commands.matches import DecideMatchCommand
from gateway.watchlists.commands.proposals import Lists
from gateway.watchlists.rules.visibility import Hidden, ListVisibility
from gateway.watchlists.service.match_groups import MatchGroupQueries
from gateway.watchlists.service.match_queries import MatchQueries
from gateway.watchlists.service.screening_reports import ScreeningReportQueries

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class MatchHandlers:
    """The part of WatchlistService that is about matches."""

    def __init__(
        self,
        *,
        lists: Lists,
        database: Database,
        writer: WriterClient,
        notifier: ChangeNotifier,
        visibility: ListVisibility,
    ) -> None:
        self._lists = lists
        self._matches = MatchQueries(database)
        self._groups = MatchGroupQueries(database)
        self._reports = ScreeningReportQueries(database, node=lists.node)
        self._writer = writer
        self._notifier = notifier
        self._visibility = visibility

    def _hidden(self) -> Hidden:
        return self._visibility.hidden_from(current_call().principal.roles)

    async def ListMatches(
        self, request: match_pb2.ListMatchesRequest, context: Context
    ) -> match_pb2.ListMatchesResponse:
        validate(request)
        return await asyncio.to_thread(self._matches.list, request, hidden=self._hidden())

    async def WatchMatches(
        self, request: match_pb2.WatchMatchesRequest, context: Context
    ) -> AsyncIterator[match_pb2.WatchMatchesResponse]:
        following = follow_changes(
            self._notifier,
            partial(self._matches.changes, hidden=self._hidden()),
            request.position,
            until_current=request.until_current,
            topic=ChangeNotifier.MATCHES,
        )
        async with aclosing(following):
            async for response in following:
                yield response

    async def ListScreeningReports(
        self, request: match_pb2.ListScreeningReportsRequest, context: Context
    ) -> match_pb2.ListScreeningReportsResponse:
        validate(request)
        return await asyncio.to_thread(self._reports.list, request, hidden=self._hidden())

    async def DecideMatch(
        self, request: match_pb2.DecideMatchRequest, context: Context
    ) -> match_pb2.DecideMatchResponse:
        validate(request)
        call = current_call()
        if not request.HasField("dismiss"):
            call.require_approval()
        call.record(
            purpose=request.confirm.purpose,
            case_reference=request.confirm.case_reference,
            subject_ids=[request.match_id],
            reason="DISMISSED" if request.HasField("dismiss") else "CONFIRMED",
        )
        who = call.principal
        command = DecideMatchCommand(self._lists, request, who.id, who.actor, self._hidden())
        return await self._writer.run(command)

    async def ListMatchGroups(
        self, request: match_pb2.ListMatchGroupsRequest, context: Context
    ) -> match_pb2.ListMatchGroupsResponse:
        validate(request)
        return await asyncio.to_thread(self._groups.list, request, hidden=self._hidden())

    async def DismissMatches(
        self, request: match_pb2.DismissMatchesRequest, context: Context
    ) -> match_pb2.DismissMatchesResponse:
        validate(request)
        call, hidden = current_call(), self._hidden()
        group = await asyncio.to_thread(self._groups.group, request, hidden=hidden)
        call.record(subject_ids=group.subject_ids, counts={"matches": group.matches}, reason="DISMISSED")
        command = DismissMatchesCommand(request, call.principal.id, call.principal.actor, hidden)
        return await self._writer.run(command)
