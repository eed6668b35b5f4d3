"""Client for risk profiles, own ones and those of partners (`client.risk_profiles`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection
from gateway.client.pages import all_rows
from gateway.v1 import risk_profile_service_pb2 as service
from gateway.v1.risk_profile_pb2 import RiskProfile, RiskProfileReference


class RiskProfileClient:
    """RiskProfileService. The contract names each method's roles."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def offer(
        self, profile: RiskProfile, *, note: str = "", request_id: str | None = None
    ) -> service.OfferRiskProfileResponse:
        """Offers an own profile or its next version, or proposes that where the settings want a second person."""
        request = service.OfferRiskProfileRequest(request_id=request_id or new_request_id(), profile=profile, note=note)
        method = self._connection.stubs.risk_profiles.OfferRiskProfile
        return await self._connection.unary(method, request, service.OfferRiskProfileResponse)

    async def withdraw(
        self, profile_id: str, *, reason: str, note: str = "", request_id: str | None = None
    ) -> service.WithdrawRiskProfileResponse:
        """Withdraws an own profile: partners' adoptions end."""
        request = service.WithdrawRiskProfileRequest(
            request_id=request_id or new_request_id(), profile_id=profile_id, reason=reason, note=note
        )
        method = self._connection.stubs.risk_profiles.WithdrawRiskProfile
        return await self._connection.unary(method, request, service.WithdrawRiskProfileResponse)

    async def adopt(
        self,
        profile: RiskProfileReference,
        version: int,
        *,
        values: Mapping[str, float] | None = None,
        note: str = "",
        request_id: str | None = None,
    ) -> service.AdoptRiskProfileResponse:
        """Adopts the version that was read; `values` of parameters by name, the others keep their defaults."""
        request = service.AdoptRiskProfileRequest(
            request_id=request_id or new_request_id(), profile=profile, version=version, values=values or {}, note=note
        )
        method = self._connection.stubs.risk_profiles.AdoptRiskProfile
        return await self._connection.unary(method, request, service.AdoptRiskProfileResponse)

    async def end(
        self, profile: RiskProfileReference, *, note: str = "", request_id: str | None = None
    ) -> service.EndRiskProfileResponse:
        """Ends the adoption of a profile."""
        request = service.EndRiskProfileRequest(request_id=request_id or new_request_id(), profile=profile, note=note)
        method = self._connection.stubs.risk_profiles.EndRiskProfile
        return await self._connection.unary(method, request, service.EndRiskProfileResponse)

    async def decide(
        self, proposal_id: str, *, approve: bool, remarks: str = "", request_id: str | None = None
    ) -> service.DecideRiskProfileProposalResponse:
        """Approves or rejects another user's proposal; a rejection needs `remarks`."""
        request = service.DecideRiskProfileProposalRequest(
            request_id=request_id or new_request_id(), proposal_id=proposal_id, approve=approve, remarks=remarks
        )
        method = self._connection.stubs.risk_profiles.DecideRiskProfileProposal
        return await self._connection.unary(method, request, service.DecideRiskProfileProposalResponse)

    async def proposals_page(
        self, *, page_size: int = 0, page_token: str = ""
    ) -> service.ListRiskProfileProposalsResponse:
        request = service.ListRiskProfileProposalsRequest(page_size=page_size, page_token=page_token)
        method = self._connection.stubs.risk_profiles.ListRiskProfileProposals
        return await self._connection.unary(method, request, service.ListRiskProfileProposalsResponse)

    def proposals(self, *, page_size: int = 50) -> AsyncGenerator[service.ListedRiskProfileProposal, None]:
        """Changes that wait for a decision, oldest first."""
        return all_rows(
            lambda token: self.proposals_page(page_size=page_size, page_token=token), lambda page: page.proposals
        )

    async def try_out(
        self, profile: RiskProfileReference, *, values: Mapping[str, float] | None = None, days: int = 0
    ) -> service.TryRiskProfileResponse:
        """What the newest version would have hit of own records of the last days (0: 30); some seconds at most."""
        request = service.TryRiskProfileRequest(profile=profile, values=values or {}, days=days)
        method = self._connection.stubs.risk_profiles.TryRiskProfile
        return await self._connection.unary(method, request, service.TryRiskProfileResponse)

    async def report(
        self, profile: RiskProfileReference, *, request_id: str | None = None
    ) -> service.ReportRiskProfileResponse:
        """Reports to the partner what its adopted profile came to here; small numbers are withheld."""
        request = service.ReportRiskProfileRequest(request_id=request_id or new_request_id(), profile=profile)
        method = self._connection.stubs.risk_profiles.ReportRiskProfile
        return await self._connection.unary(method, request, service.ReportRiskProfileResponse)

    async def get(self, profile: RiskProfileReference) -> service.GetRiskProfileResponse:
        """A profile with its versions, and what nodes do with it."""
        method = self._connection.stubs.risk_profiles.GetRiskProfile
        return await self._connection.unary(
            method, service.GetRiskProfileRequest(profile=profile), service.GetRiskProfileResponse
        )

    async def page(
        self, *, offerer: str = "", page_size: int = 0, page_token: str = ""
    ) -> service.ListRiskProfilesResponse:
        request = service.ListRiskProfilesRequest(offerer=offerer, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.risk_profiles.ListRiskProfiles
        return await self._connection.unary(method, request, service.ListRiskProfilesResponse)

    def all(self, *, offerer: str = "", page_size: int = 100) -> AsyncGenerator[service.ListedRiskProfile, None]:
        """Profiles by offerer and id."""
        return all_rows(
            lambda token: self.page(offerer=offerer, page_size=page_size, page_token=token), lambda page: page.profiles
        )
