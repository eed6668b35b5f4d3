"""gRPC handlers of RiskProfileService."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.validation import validate
from gateway.errors import InvalidRequestError, Violation
from gateway.feed.rpc.writer_client import WriterClient
from gateway.risk_profiles.commands.changes import (
    AdoptProfileCommand,
    DecideProfileCommand,
    EndProfileCommand,
    OfferProfileCommand,
    ReportProfileCommand,
    WithdrawProfileCommand,
)
from gateway.risk_profiles.commands.register import ProfileRegister
from gateway.risk_profiles.rpc.trial_process import try_profile
from gateway.risk_profiles.service.profiles import require_profile, require_values
from gateway.risk_profiles.service.queries import ProfileQueries
from gateway.rpc.calls import current_call
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.trust.rules.permissions import Principal
from gateway.v1 import risk_profile_pb2, risk_profile_service_pb2_grpc
from gateway.v1 import risk_profile_service_pb2 as pb

_DAY_MS = 24 * 3600 * 1000
_TRIED_DAYS = 30

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RiskProfileServicer(risk_profile_service_pb2_grpc.RiskProfileServiceServicer):
    """Handlers of RiskProfileService."""

    def __init__(
        self,
        *,
        profiles: ProfileRegister,
        queries: ProfileQueries,
        writer: WriterClient,
        process: WorkerProcess,
        clock: Callable[[], int],
    ) -> None:
        """`process` has the handler TRY_PROFILE."""
        self._profiles = profiles
        self._queries = queries
        self._writer = writer
        self._process = process
        self._clock = clock

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the handlers to a server."""
        risk_profile_service_pb2_grpc.add_RiskProfileServiceServicer_to_server(self, server)

    async def OfferRiskProfile(
        self, request: pb.OfferRiskProfileRequest, context: Context
    ) -> pb.OfferRiskProfileResponse:
        await asyncio.to_thread(validate, request)
        call = _recorded(request.profile.profile_id, purpose=request.profile.purpose)
        await asyncio.to_thread(require_profile, request.profile, "profile.")  # compiled by now: the writer is quick
        return await self._writer.run(OfferProfileCommand(self._profiles, request, call.id, call.actor))

    async def WithdrawRiskProfile(
        self, request: pb.WithdrawRiskProfileRequest, context: Context
    ) -> pb.WithdrawRiskProfileResponse:
        validate(request)
        call = _recorded(request.profile_id)
        return await self._writer.run(WithdrawProfileCommand(self._profiles, request, call.id, call.actor))

    async def AdoptRiskProfile(
        self, request: pb.AdoptRiskProfileRequest, context: Context
    ) -> pb.AdoptRiskProfileResponse:
        validate(request)
        call = _recorded(_name(request.profile))
        return await self._writer.run(AdoptProfileCommand(self._profiles, request, call.id, call.actor))

    async def EndRiskProfile(self, request: pb.EndRiskProfileRequest, context: Context) -> pb.EndRiskProfileResponse:
        validate(request)
        call = _recorded(_name(request.profile))
        return await self._writer.run(EndProfileCommand(self._profiles, request, call.id, call.actor))

    async def DecideRiskProfileProposal(
        self, request: pb.DecideRiskProfileProposalRequest, context: Context
    ) -> pb.DecideRiskProfileProposalResponse:
        validate(request)
        if not request.approve and not request.remarks:
            raise InvalidRequestError([Violation("remarks", "remarks.required", "say why it is rejected")])
        call = current_call()
        call.record(subject_ids=[request.proposal_id], reason="APPROVED" if request.approve else "REJECTED")
        who = call.principal
        return await self._writer.run(DecideProfileCommand(self._profiles, request, who.id, who.actor))

    async def ListRiskProfileProposals(
        self, request: pb.ListRiskProfileProposalsRequest, context: Context
    ) -> pb.ListRiskProfileProposalsResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.proposals, request)

    async def TryRiskProfile(self, request: pb.TryRiskProfileRequest, context: Context) -> pb.TryRiskProfileResponse:
        validate(request)
        _recorded(_name(request.profile))
        profile = await asyncio.to_thread(self._queries.newest, request.profile)
        require_values(profile, request.values)
        since_ms = self._clock() - (request.days or _TRIED_DAYS) * _DAY_MS
        return await try_profile(self._process, profile, dict(request.values), since_ms=since_ms)

    async def ReportRiskProfile(
        self, request: pb.ReportRiskProfileRequest, context: Context
    ) -> pb.ReportRiskProfileResponse:
        validate(request)
        call = _recorded(_name(request.profile))
        return await self._writer.run(ReportProfileCommand(self._profiles, request, call.id, call.actor))

    async def GetRiskProfile(self, request: pb.GetRiskProfileRequest, context: Context) -> pb.GetRiskProfileResponse:
        validate(request)
        current_call().record(subject_ids=[_name(request.profile)])
        return await asyncio.to_thread(self._queries.get, request.profile)

    async def ListRiskProfiles(
        self, request: pb.ListRiskProfilesRequest, context: Context
    ) -> pb.ListRiskProfilesResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.list, request)


def _recorded(subject: str, *, purpose: str = "") -> Principal:
    """Records a call before it has an effect; returns who makes it."""
    call = current_call()
    call.record(subject_ids=[subject], purpose=purpose)
    return call.principal


def _name(reference: risk_profile_pb2.RiskProfileReference) -> str:
    return f"{reference.offerer}/{reference.profile_id}"
