"""gRPC handlers of LicenceService."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.messages import to_timestamp
from gateway.contract.validation import validate
from gateway.errors import InvalidRequestError, NotFoundError, Violation
from gateway.feed.rpc.writer_client import WriterClient
from gateway.licences.commands.changes import (
    AmendLicenceCommand,
    DecideLicenceCommand,
    PublishLicenceCommand,
    WithdrawLicenceCommand,
    require_days,
)
from gateway.licences.commands.register import LicenceRegister
from gateway.licences.commands.reports import ReportFollowUpCommand, ReportUseCommand
from gateway.licences.rules.coverage import covered
from gateway.licences.service.coverage import LicenceChecks
from gateway.licences.service.queries import LicenceQueries
from gateway.rpc.calls import current_call, from_partner
from gateway.rpc.peers import Peers
from gateway.trust.rules.permissions import Principal
from gateway.v1 import exchange_service_pb2, licence_pb2, licence_service_pb2_grpc
from gateway.v1 import licence_service_pb2 as pb

_ASK_TIMEOUT_S = 10.0
"""Timeout for a partner to answer, in seconds."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class LicenceServicer(licence_service_pb2_grpc.LicenceServiceServicer):
    """Handlers of LicenceService."""

    def __init__(
        self,
        *,
        register: LicenceRegister,
        queries: LicenceQueries,
        writer: WriterClient,
        checks: LicenceChecks,
        peers: Peers,
        clock: Callable[[], int],
    ) -> None:
        self._register = register
        self._queries = queries
        self._writer = writer
        self._checks = checks
        self._peers = peers
        self._clock = clock

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the handlers to a server."""
        licence_service_pb2_grpc.add_LicenceServiceServicer_to_server(self, server)

    async def PublishLicence(self, request: pb.PublishLicenceRequest, context: Context) -> pb.PublishLicenceResponse:
        await asyncio.to_thread(validate, request)
        call = self._recorded(request.number, purpose=request.content.purpose)
        return await self._writer.run(PublishLicenceCommand(self._register, request, call.id, call.actor))

    async def AmendLicence(self, request: pb.AmendLicenceRequest, context: Context) -> pb.AmendLicenceResponse:
        await asyncio.to_thread(validate, request)
        call = self._recorded(request.number, purpose=request.content.purpose)
        return await self._writer.run(AmendLicenceCommand(self._register, request, call.id, call.actor))

    async def WithdrawLicence(self, request: pb.WithdrawLicenceRequest, context: Context) -> pb.WithdrawLicenceResponse:
        validate(request)
        call = self._recorded(request.number)
        return await self._writer.run(WithdrawLicenceCommand(self._register, request, call.id, call.actor))

    async def DecideLicenceProposal(
        self, request: pb.DecideLicenceProposalRequest, context: Context
    ) -> pb.DecideLicenceProposalResponse:
        validate(request)
        if not request.approve and not request.remarks:
            raise InvalidRequestError([Violation("remarks", "remarks.required", "say why it is rejected")])
        call = current_call()
        call.record(subject_ids=[request.proposal_id], reason="APPROVED" if request.approve else "REJECTED")
        who = call.principal
        return await self._writer.run(DecideLicenceCommand(self._register, request, who.id, who.actor))

    async def ListLicenceProposals(
        self, request: pb.ListLicenceProposalsRequest, context: Context
    ) -> pb.ListLicenceProposalsResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.proposals, request)

    async def ReportLicenceUse(
        self, request: pb.ReportLicenceUseRequest, context: Context
    ) -> pb.ReportLicenceUseResponse:
        validate(request)
        call = self._recorded(_name(request.licence))
        return await self._writer.run(ReportUseCommand(self._register, request, call.id, call.actor))

    async def ReportLicenceFollowUp(
        self, request: pb.ReportLicenceFollowUpRequest, context: Context
    ) -> pb.ReportLicenceFollowUpResponse:
        validate(request)
        call = self._recorded(_name(request.licence))
        return await self._writer.run(ReportFollowUpCommand(self._register, request, call.id, call.actor))

    async def GetLicence(self, request: pb.GetLicenceRequest, context: Context) -> pb.GetLicenceResponse:
        validate(request)
        current_call().record(subject_ids=[_name(request.licence)])
        return await asyncio.to_thread(self._queries.get, request.licence)

    async def ListLicences(self, request: pb.ListLicencesRequest, context: Context) -> pb.ListLicencesResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.list, request)

    async def CheckLicence(self, request: pb.CheckLicenceRequest, context: Context) -> pb.CheckLicenceResponse:
        validate(request)
        require_days({"consignment.day": request.consignment.day})
        grounds = request.grounds
        current_call().concerns(
            purpose=grounds.purpose,
            case_reference=grounds.case_reference,
            legal_basis=grounds.legal_basis,
            subject_ids=[_name(request.licence)],
        )
        current_call().record()
        known = await asyncio.to_thread(self._queries.known, request.licence)
        if known is None:
            return await self._asked(request)
        answer = covered(known.facts, request.consignment)
        return pb.CheckLicenceResponse(
            coverage=answer.coverage,
            reasons=answer.reasons,
            answered_by=self._register.node,
            answered_at=to_timestamp(self._clock()),
        )

    async def _asked(self, request: pb.CheckLicenceRequest) -> pb.CheckLicenceResponse:
        """The answer of the issuer, whose licence this node may not see."""
        issuer = request.licence.issuer
        if issuer not in self._peers.names():
            raise NotFoundError(f"there is no licence {_name(request.licence)} here")
        asked = await asyncio.to_thread(self._checks.ask, request.licence, request.consignment, request.grounds)
        stub = await self._peers.stub(issuer)
        try:
            question = exchange_service_pb2.AskLicenceRequest(query=asked.data, note=asked.note)
            response = await stub.AskLicence(question, timeout=_ASK_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise from_partner(issuer, error) from error
        said = await asyncio.to_thread(self._checks.verify, asked, response.statement)
        return pb.CheckLicenceResponse(
            coverage=said.coverage,
            answered_by=issuer,
            answered_at=to_timestamp(said.answered_at_ms),
            statement=response.statement,
            query=asked.data,
        )

    def _recorded(self, subject: str, *, purpose: str = "") -> Principal:
        """Records a change before it happens; returns who makes it."""
        call = current_call()
        call.record(subject_ids=[subject], purpose=purpose)
        return call.principal


def _name(reference: licence_pb2.LicenceReference) -> str:
    return f"{reference.issuer}/{reference.number}"


class LicenceAnswers:
    """Answers partners' questions whether licences of this node cover goods."""

    def __init__(self, checks: LicenceChecks) -> None:
        self._checks = checks

    async def answer(self, request: exchange_service_pb2.AskLicenceRequest) -> exchange_service_pb2.AskLicenceResponse:
        """The signed answer; raises as `LicenceChecks.answer`."""
        call = current_call()
        query, statement = await asyncio.to_thread(
            self._checks.answer, call.principal.node, request.query, request.note
        )
        call.concerns(
            purpose=query.grounds.purpose,
            case_reference=query.grounds.case_reference,
            legal_basis=query.grounds.legal_basis,
            subject_ids=[query.query_id, _name(query.licence)],
        )
        call.record(reason="ANSWERED")  # before it leaves
        return exchange_service_pb2.AskLicenceResponse(statement=statement)
