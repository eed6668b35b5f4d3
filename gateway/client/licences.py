"""Client for own export licences and those of partners (`client.licences`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection
from gateway.client.pages import all_rows
from gateway.v1 import licence_service_pb2 as service
from gateway.v1.history_pb2 import QueryGrounds
from gateway.v1.licence_pb2 import LicenceContent, LicenceReference, LicensedConsignment


class LicenceClient:
    """LicenceService. The contract names each method's roles."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def publish(
        self, number: str, content: LicenceContent, *, note: str = "", request_id: str | None = None
    ) -> service.PublishLicenceResponse:
        """Publishes an own licence, or proposes it where the settings want a second person."""
        request = service.PublishLicenceRequest(
            request_id=request_id or new_request_id(), number=number, content=content, note=note
        )
        method = self._connection.stubs.licences.PublishLicence
        return await self._connection.unary(method, request, service.PublishLicenceResponse)

    async def amend(
        self,
        number: str,
        revision: int,
        content: LicenceContent,
        *,
        effective_on: str,
        note: str = "",
        request_id: str | None = None,
    ) -> service.AmendLicenceResponse:
        """Amends an own licence.

        Args:
            revision: the one that was read.
            effective_on: first day of use that the content is for, ISO 8601.
        """
        request = service.AmendLicenceRequest(
            request_id=request_id or new_request_id(),
            number=number,
            revision=revision,
            effective_on=effective_on,
            content=content,
            note=note,
        )
        method = self._connection.stubs.licences.AmendLicence
        return await self._connection.unary(method, request, service.AmendLicenceResponse)

    async def withdraw(
        self,
        number: str,
        revision: int,
        *,
        effective_on: str,
        reason: str,
        note: str = "",
        request_id: str | None = None,
    ) -> service.WithdrawLicenceResponse:
        """Withdraws an own licence from a day on (ISO 8601); `revision` is the one that was read."""
        request = service.WithdrawLicenceRequest(
            request_id=request_id or new_request_id(),
            number=number,
            revision=revision,
            effective_on=effective_on,
            reason=reason,
            note=note,
        )
        method = self._connection.stubs.licences.WithdrawLicence
        return await self._connection.unary(method, request, service.WithdrawLicenceResponse)

    async def decide(
        self, proposal_id: str, *, approve: bool, remarks: str = "", request_id: str | None = None
    ) -> service.DecideLicenceProposalResponse:
        """Approves or rejects another user's proposal; a rejection needs `remarks`."""
        request = service.DecideLicenceProposalRequest(
            request_id=request_id or new_request_id(), proposal_id=proposal_id, approve=approve, remarks=remarks
        )
        method = self._connection.stubs.licences.DecideLicenceProposal
        return await self._connection.unary(method, request, service.DecideLicenceProposalResponse)

    async def proposals_page(self, *, page_size: int = 0, page_token: str = "") -> service.ListLicenceProposalsResponse:
        request = service.ListLicenceProposalsRequest(page_size=page_size, page_token=page_token)
        method = self._connection.stubs.licences.ListLicenceProposals
        return await self._connection.unary(method, request, service.ListLicenceProposalsResponse)

    def proposals(self, *, page_size: int = 50) -> AsyncGenerator[service.ListedLicenceProposal, None]:
        """Changes that wait for a decision, oldest first."""
        return all_rows(
            lambda token: self.proposals_page(page_size=page_size, page_token=token), lambda page: page.proposals
        )

    async def report_use(self, request: service.ReportLicenceUseRequest) -> service.ReportLicenceUseResponse:
        """Reports goods that were declared here under a licence; gives the request an id if it has none."""
        request.request_id = request.request_id or new_request_id()
        method = self._connection.stubs.licences.ReportLicenceUse
        return await self._connection.unary(method, request, service.ReportLicenceUseResponse)

    async def report_follow_up(
        self, request: service.ReportLicenceFollowUpRequest
    ) -> service.ReportLicenceFollowUpResponse:
        """Reports what followed a use; gives the request an id if it has none."""
        request.request_id = request.request_id or new_request_id()
        method = self._connection.stubs.licences.ReportLicenceFollowUp
        return await self._connection.unary(method, request, service.ReportLicenceFollowUpResponse)

    async def get(self, licence: LicenceReference) -> service.GetLicenceResponse:
        """A licence with its balance and everything that was reported of it."""
        method = self._connection.stubs.licences.GetLicence
        return await self._connection.unary(
            method, service.GetLicenceRequest(licence=licence), service.GetLicenceResponse
        )

    async def page(self, *, filter: str = "", page_size: int = 0, page_token: str = "") -> service.ListLicencesResponse:
        request = service.ListLicencesRequest(filter=filter, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.licences.ListLicences
        return await self._connection.unary(method, request, service.ListLicencesResponse)

    def all(self, *, filter: str = "", page_size: int = 100) -> AsyncGenerator[service.ListedLicence, None]:
        """Licences by issuer and number; `filter` e.g. `issuer = cn AND breached = yes`."""
        return all_rows(
            lambda token: self.page(filter=filter, page_size=page_size, page_token=token), lambda page: page.licences
        )

    async def check(
        self,
        licence: LicenceReference,
        consignment: LicensedConsignment,
        *,
        grounds: QueryGrounds,
    ) -> service.CheckLicenceResponse:
        """Whether a licence covers goods; a partner is asked where this node may not see the licence."""
        request = service.CheckLicenceRequest(licence=licence, consignment=consignment, grounds=grounds)
        method = self._connection.stubs.licences.CheckLicence
        return await self._connection.unary(method, request, service.CheckLicenceResponse)
