"""gRPC handlers of FigureService."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.validation import validate
from gateway.errors import GatewayError, InvalidRequestError, PermissionDeniedError, Violation
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.figures.service.counting import FigureCounter
from gateway.figures.service.publication import PublicationSheets
from gateway.figures.service.queries import FigureQueries
from gateway.rpc.calls import current_call
from gateway.trust.rules.permissions import Role
from gateway.v1 import figure_service_pb2 as pb
from gateway.v1 import figure_service_pb2_grpc
from gateway.watchlists.rules.visibility import ListVisibility

log = logging.getLogger(__name__)

IDLE_S = 10.0
"""Seconds between looks without a notification."""

PAUSE_S = 0.5
"""Seconds between batches of steps as they come, so that a busy node commits few of them."""

CATCH_UP_SHARE = 0.5
"""Most of the time spent on counting while many steps wait: callers share the interpreter and the writer."""

RETRY_S = 5.0

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class FigureServicer(figure_service_pb2_grpc.FigureServiceServicer):
    """Handlers of FigureService."""

    def __init__(self, *, queries: FigureQueries, sheets: PublicationSheets, visibility: ListVisibility) -> None:
        self._queries = queries
        self._sheets = sheets
        self._visibility = visibility

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the handlers to a server."""
        figure_service_pb2_grpc.add_FigureServiceServicer_to_server(self, server)

    async def GetFigures(self, request: pb.GetFiguresRequest, context: Context) -> pb.GetFiguresResponse:
        validate(request)
        hidden = self._visibility.hidden_from(current_call().principal.roles)
        return await asyncio.to_thread(self._queries.get, request, hidden=hidden)

    async def GetPublicationSheet(
        self, request: pb.GetPublicationSheetRequest, context: Context
    ) -> pb.GetPublicationSheetResponse:
        validate(request)
        call = current_call()
        if request.disclose and Role.SUPERVISOR not in call.principal.roles:
            raise PermissionDeniedError("disclose: a supervisor decides which INVESTIGATIVE fields are published")
        if request.disclose and not request.reason.strip():
            raise InvalidRequestError([Violation("reason", "reason.required", "say why these fields are published")])
        detail = f"publishes what is listed: {request.reason}" if request.disclose else ""
        call.record(subject_ids=[request.alert_id, *sorted(request.disclose)], detail=detail)
        return await asyncio.to_thread(self._sheets.make, request)


async def follow_alerts(counter: FigureCounter, writer: WriterClient, notifier: ChangeNotifier) -> None:
    """Counts steps of alerts as they are projected, until cancelled; for one replica."""
    moved = asyncio.Event()
    end_subscription = notifier.subscribe(ChangeNotifier.PROJECTED, moved, patient=True)
    try:
        while True:
            moved.clear()
            try:
                await _count_all(counter, writer)
            except GatewayError as error:
                log.warning("counting for the figures waits: %s", error.message)
                await asyncio.sleep(RETRY_S)
                continue
            except Exception:
                log.exception("counting for the figures failed; it is tried again")
                await asyncio.sleep(RETRY_S)
                continue
            await asyncio.sleep(PAUSE_S)
            await set_within(moved, IDLE_S)
    finally:
        end_subscription()


async def _count_all(counter: FigureCounter, writer: WriterClient) -> None:
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        command = await asyncio.to_thread(counter.next)
        if command is None:
            return
        await writer.run(command)
        await asyncio.sleep((loop.time() - started) * (1 / CATCH_UP_SHARE - 1))
