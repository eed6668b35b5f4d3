"""gRPC handlers of CaseworkService, for an authority's persons and systems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc.aio

from gateway.casework.commands.acknowledging import Acknowledger, ScheduleCommand, UndoCommand
from gateway.casework.commands.cases import (
    AddNoteCommand,
    AssignCommand,
    DeleteViewCommand,
    EraseNoteCommand,
    KnowsPerson,
    SaveViewCommand,
    SetMarkCommand,
)
from gateway.casework.rpc.callers import person_of
from gateway.casework.rpc.drafts import DraftHandlers
from gateway.casework.rpc.names_process import NamesProcess
from gateway.casework.service.case_queries import CaseQueries
from gateway.casework.service.inbox import InboxQueries
from gateway.casework.service.related import RelatedAlerts
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.feed.rpc.writer_client import HEARTBEAT_S, ChangeNotifier, WriterClient, set_within
from gateway.rpc.calls import current_call
from gateway.trust.rules.permissions import Role
from gateway.v1 import casework_service_pb2 as service
from gateway.v1 import casework_service_pb2_grpc

ME = "me"
"""Assignee that means the caller."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class CaseworkServicer(DraftHandlers, casework_service_pb2_grpc.CaseworkServiceServicer):
    """Handlers of CaseworkService."""

    def __init__(
        self,
        *,
        inbox: InboxQueries,
        cases: CaseQueries,
        related: RelatedAlerts,
        names: NamesProcess,
        writer: WriterClient,
        notifier: ChangeNotifier,
        knows_person: KnowsPerson,
        acknowledger: Acknowledger,
        database: Database,
    ) -> None:
        super().__init__(database=database, writer=writer)
        self._inbox = inbox
        self._cases = cases
        self._related = related
        self._names = names
        self._writer = writer
        self._notifier = notifier
        self._knows_person = knows_person
        self._acknowledger = acknowledger

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the handlers to a server."""
        casework_service_pb2_grpc.add_CaseworkServiceServicer_to_server(self, server)

    async def ListInbox(self, request: service.ListInboxRequest, context: Context) -> service.ListInboxResponse:
        validate(request)
        person = person_of(current_call().principal)
        plan = await asyncio.to_thread(self._names.plan, request.filter.text)
        return await asyncio.to_thread(self._inbox.list, request, person=person, plan=plan)

    async def CountInbox(self, request: service.CountInboxRequest, context: Context) -> service.CountInboxResponse:
        validate(request)
        person = person_of(current_call().principal)

        def count() -> service.CountInboxResponse:
            plans = [self._names.plan(one.text) for one in request.filters]
            return self._inbox.count(list(zip(request.filters, plans, strict=True)), person=person)

        return await asyncio.to_thread(count)

    async def WatchInbox(
        self, request: service.WatchInboxRequest, context: Context
    ) -> AsyncIterator[service.WatchInboxResponse]:
        validate(request)
        loop, moved = asyncio.get_running_loop(), asyncio.Event()
        end_subscription = self._notifier.subscribe(ChangeNotifier.CASEWORK, moved)
        try:
            reached = await asyncio.to_thread(self._cases.begin_watch, request)
            sent_at = -HEARTBEAT_S  # the first answer comes at once: it tells where the watch begins
            while True:
                moved.clear()
                response, then = await asyncio.to_thread(self._cases.changes, reached)
                is_idle, reached = then == reached, then
                if response.changes or loop.time() - sent_at >= HEARTBEAT_S:
                    yield response
                    sent_at = loop.time()
                if is_idle:
                    await set_within(moved, max(0.0, sent_at + HEARTBEAT_S - loop.time()))
        finally:
            end_subscription()

    async def ListRelatedAlerts(
        self, request: service.ListRelatedAlertsRequest, context: Context
    ) -> service.ListRelatedAlertsResponse:
        validate(request)
        current_call().record(subject_ids=[request.alert.alert_id], repeatable=True)
        return await asyncio.to_thread(self._related.of, request)

    async def GetCase(self, request: service.GetCaseRequest, context: Context) -> service.GetCaseResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.alert.alert_id], repeatable=True)
        return await asyncio.to_thread(self._cases.case, request.alert, person=person_of(call.principal))

    async def AssignAlerts(
        self, request: service.AssignAlertsRequest, context: Context
    ) -> service.AssignAlertsResponse:
        validate(request)
        call = current_call()
        person = person_of(call.principal)
        if request.assignee == ME:
            request.assignee = person
        call.record(
            subject_ids=[alert.alert_id for alert in request.alerts], detail=f"to {request.assignee or 'nobody'}"
        )
        command = AssignCommand(request, person=person, principal=call.principal.id, knows=self._knows_person)
        return await self._writer.run(command)

    async def ScheduleAcknowledgements(
        self, request: service.ScheduleAcknowledgementsRequest, context: Context
    ) -> service.ScheduleAcknowledgementsResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[one.alert.alert_id for one in request.alerts])
        principal = call.principal
        command = ScheduleCommand(
            request,
            acknowledger=self._acknowledger,
            person=person_of(principal),
            principal=principal.id,
            actor=principal.actor,
            system=principal.caller if principal.person else "",
        )
        return await self._writer.run(command)

    async def UndoAcknowledgements(
        self, request: service.UndoAcknowledgementsRequest, context: Context
    ) -> service.UndoAcknowledgementsResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[one.alert_id for one in request.alerts])
        command = UndoCommand(
            request,
            person=person_of(call.principal),
            principal=call.principal.id,
            may_undo_any=Role.SUPERVISOR in call.principal.roles,
        )
        return await self._writer.run(command)

    async def AddNote(self, request: service.AddNoteRequest, context: Context) -> service.AddNoteResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.alert.alert_id])
        command = AddNoteCommand(request, person=person_of(call.principal), principal=call.principal.id)
        return await self._writer.run(command)

    async def EraseNote(self, request: service.EraseNoteRequest, context: Context) -> service.EraseNoteResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.alert.alert_id], detail=f"note {request.note_id}")
        command = EraseNoteCommand(
            request,
            person=person_of(call.principal),
            principal=call.principal.id,
            may_erase_any=Role.SUPERVISOR in call.principal.roles,
        )
        return await self._writer.run(command)

    async def SetWatchMark(
        self, request: service.SetWatchMarkRequest, context: Context
    ) -> service.SetWatchMarkResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.alert.alert_id], detail="watched" if request.watched else "not watched")
        return await self._writer.run(SetMarkCommand(request, person_of(call.principal)))

    async def ListViews(self, request: service.ListViewsRequest, context: Context) -> service.ListViewsResponse:
        principal = current_call().principal
        return await asyncio.to_thread(self._cases.views, person_of(principal), principal.roles)

    async def SaveView(self, request: service.SaveViewRequest, context: Context) -> service.SaveViewResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.view.view_id])
        return await self._writer.run(SaveViewCommand(request.view, person_of(call.principal)))

    async def DeleteView(self, request: service.DeleteViewRequest, context: Context) -> service.DeleteViewResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.view_id])
        is_supervisor = Role.SUPERVISOR in call.principal.roles
        return await self._writer.run(DeleteViewCommand(request.view_id, person_of(call.principal), is_supervisor))

    async def ListColleagues(
        self, request: service.ListColleaguesRequest, context: Context
    ) -> service.ListColleaguesResponse:
        return await asyncio.to_thread(self._cases.colleagues, person_of(current_call().principal))
