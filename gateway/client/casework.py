"""Client for the work of an authority's persons with alerts: inbox, search, assignments, notes, views."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any

import grpc.aio

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection
from gateway.client.pages import all_rows
from gateway.client.resuming import resumed
from gateway.errors import GatewayError
from gateway.v1 import casework_service_pb2 as service
from gateway.v1.alert_pb2 import AlertReference

PAGE_SIZE = 200
"""Rows per request when a list is read to its end."""

ME = "me"
"""Assigns to the caller."""

NOBODY = ""
"""Assigns to nobody."""


class CaseworkClient:
    """CaseworkService. The contract names each method's roles; all of it stays in this authority."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def inbox_page(
        self,
        filter: service.InboxFilter | None = None,
        *,
        order: service.InboxOrder.ValueType = service.INBOX_ORDER_UNSPECIFIED,
        with_facets: bool = False,
        page_size: int = 0,
        page_token: str = "",
    ) -> service.ListInboxResponse:
        """One page of what wants action, the most urgent first, or of what `filter.text` finds."""
        request = service.ListInboxRequest(
            page_size=page_size, page_token=page_token, filter=filter, order=order, with_facets=with_facets
        )
        method = self._connection.stubs.casework.ListInbox
        return await self._connection.unary(method, request, service.ListInboxResponse)

    async def inbox_counts(self, filters: Iterable[service.InboxFilter]) -> Sequence[service.InboxCount]:
        """Number of rows of each of at most 32 lists."""
        request = service.CountInboxRequest(filters=filters)
        method = self._connection.stubs.casework.CountInbox
        return (await self._connection.unary(method, request, service.CountInboxResponse)).counts

    def inbox(
        self,
        filter: service.InboxFilter | None = None,
        *,
        order: service.InboxOrder.ValueType = service.INBOX_ORDER_UNSPECIFIED,
        page_size: int = PAGE_SIZE,
    ) -> AsyncGenerator[service.InboxRow, None]:
        """All rows of `inbox_page`."""
        return all_rows(
            lambda token: self.inbox_page(filter, order=order, page_size=page_size, page_token=token),
            lambda page: page.rows,
        )

    async def watch_inbox(
        self,
        position: int = 0,
        case_position: int = 0,
        *,
        on_interruption: Callable[[GatewayError], None] | None = None,
        on_resumption: Callable[[], None] | None = None,
    ) -> AsyncGenerator[service.WatchInboxResponse, None]:
        """Which alerts changed, after the positions of a page or of an earlier response; 0: from now on.

        An interrupted stream is opened again where it ended. Responses without changes show that the gateway is alive.
        """
        reached = [position, case_position]

        def connect() -> grpc.aio.UnaryStreamCall[Any, service.WatchInboxResponse]:
            request = service.WatchInboxRequest(position=reached[0], case_position=reached[1])
            return self._connection.stubs.casework.WatchInbox(request)

        stream = resumed(
            self._connection, connect, until_end=False, on_interruption=on_interruption, on_resumption=on_resumption
        )
        async with aclosing(stream):
            async for response in stream:
                reached[:] = response.position, response.case_position
                yield response

    async def related(self, alert: AlertReference, *, page_size: int = 0) -> service.ListRelatedAlertsResponse:
        """Other alerts about the same things, and which."""
        request = service.ListRelatedAlertsRequest(alert=alert, page_size=page_size)
        method = self._connection.stubs.casework.ListRelatedAlerts
        return await self._connection.unary(method, request, service.ListRelatedAlertsResponse)

    async def case(self, alert: AlertReference) -> service.GetCaseResponse:
        """Assignment, notes and what colleagues did with an alert."""
        method = self._connection.stubs.casework.GetCase
        return await self._connection.unary(method, service.GetCaseRequest(alert=alert), service.GetCaseResponse)

    async def assign(
        self, alerts: Iterable[AlertReference], assignee: str = ME, *, request_id: str | None = None
    ) -> service.AssignAlertsResponse:
        """Assigns at most 100 alerts to a person (ME: the caller, NOBODY: to nobody)."""
        request = service.AssignAlertsRequest(
            request_id=request_id or new_request_id(), alerts=alerts, assignee=assignee
        )
        method = self._connection.stubs.casework.AssignAlerts
        return await self._connection.unary(method, request, service.AssignAlertsResponse)

    async def acknowledge(
        self, alerts: Iterable[tuple[AlertReference, int]], *, request_id: str | None = None
    ) -> Sequence[service.ScheduleOutcome]:
        """Acknowledges at most 100 alerts, each with the revision that was read; it leaves ten seconds later."""
        request = service.ScheduleAcknowledgementsRequest(
            request_id=request_id or new_request_id(),
            alerts=[service.ReadAlert(alert=alert, revision=revision) for alert, revision in alerts],
        )
        method = self._connection.stubs.casework.ScheduleAcknowledgements
        response = await self._connection.unary(method, request, service.ScheduleAcknowledgementsResponse)
        return response.outcomes

    async def undo_acknowledgements(
        self, alerts: Iterable[AlertReference], *, request_id: str | None = None
    ) -> Sequence[service.UndoOutcome]:
        """Removes acknowledgements that wait, or that weren't sent."""
        request = service.UndoAcknowledgementsRequest(request_id=request_id or new_request_id(), alerts=alerts)
        method = self._connection.stubs.casework.UndoAcknowledgements
        return (await self._connection.unary(method, request, service.UndoAcknowledgementsResponse)).outcomes

    async def add_note(self, alert: AlertReference, text: str, *, request_id: str | None = None) -> service.CaseNote:
        """Adds a note for colleagues."""
        request = service.AddNoteRequest(request_id=request_id or new_request_id(), alert=alert, text=text)
        method = self._connection.stubs.casework.AddNote
        return (await self._connection.unary(method, request, service.AddNoteResponse)).note

    async def erase_note(
        self, alert: AlertReference, note_id: str, *, request_id: str | None = None
    ) -> service.CaseNote:
        """Erases the text of an own note; a supervisor that of any."""
        request = service.EraseNoteRequest(request_id=request_id or new_request_id(), alert=alert, note_id=note_id)
        method = self._connection.stubs.casework.EraseNote
        return (await self._connection.unary(method, request, service.EraseNoteResponse)).note

    async def set_watch_mark(self, alert: AlertReference, *, watched: bool = True) -> None:
        """Sets or removes the caller's watch mark."""
        method = self._connection.stubs.casework.SetWatchMark
        request = service.SetWatchMarkRequest(alert=alert, watched=watched)
        await self._connection.unary(method, request, service.SetWatchMarkResponse)

    async def views(self) -> Sequence[service.SavedView]:
        """Own saved views, then those shared with the caller's roles."""
        method = self._connection.stubs.casework.ListViews
        return (await self._connection.unary(method, service.ListViewsRequest(), service.ListViewsResponse)).views

    async def save_view(self, view: service.SavedView) -> service.SavedView:
        """Saves a view under its id, a UUID (`new_request_id`)."""
        method = self._connection.stubs.casework.SaveView
        request = service.SaveViewRequest(view=view)
        return (await self._connection.unary(method, request, service.SaveViewResponse)).view

    async def delete_view(self, view_id: str) -> None:
        """Deletes an own view."""
        method = self._connection.stubs.casework.DeleteView
        await self._connection.unary(method, service.DeleteViewRequest(view_id=view_id), service.DeleteViewResponse)

    async def drafts(self) -> Sequence[service.FormDraft]:
        """The caller's drafts without their fields, the newest first."""
        method = self._connection.stubs.casework.ListDrafts
        return (await self._connection.unary(method, service.ListDraftsRequest(), service.ListDraftsResponse)).drafts

    async def save_draft(self, draft: service.FormDraft) -> None:
        """Keeps a draft in place of what was kept under its id."""
        method = self._connection.stubs.casework.SaveDraft
        await self._connection.unary(method, service.SaveDraftRequest(draft=draft), service.SaveDraftResponse)

    async def draft(self, draft_id: str) -> service.FormDraft:
        """A draft of the caller."""
        method = self._connection.stubs.casework.GetDraft
        request = service.GetDraftRequest(draft_id=draft_id)
        return (await self._connection.unary(method, request, service.GetDraftResponse)).draft

    async def delete_draft(self, draft_id: str) -> None:
        """Deletes a draft of the caller, if it is there."""
        method = self._connection.stubs.casework.DeleteDraft
        request = service.DeleteDraftRequest(draft_id=draft_id)
        await self._connection.unary(method, request, service.DeleteDraftResponse)

    async def colleagues(self) -> Sequence[service.Colleague]:
        """Persons whom alerts can be assigned to."""
        method = self._connection.stubs.casework.ListColleagues
        request = service.ListColleaguesRequest()
        return (await self._connection.unary(method, request, service.ListColleaguesResponse)).colleagues
