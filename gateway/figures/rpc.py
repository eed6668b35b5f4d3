"""gRPC handlers of FigureService."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.validation import validate
from gateway.errors import InvalidRequestError, PermissionDeniedError, Violation
from gateway.figures.service.publication import PublicationSheets
from gateway.figures.service.queries import FigureQueries
from gateway.rpc.calls import current_call
from gateway.trust.rules.permissions import Role
from gateway.v1 import figure_service_pb2 as pb
from gateway.v1 import figure_service_pb2_grpc
from gateway.watchlists.rules.visibility import ListVisibility

log = logging.getLogger(__name__)

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
