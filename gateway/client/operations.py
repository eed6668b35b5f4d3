"""Clients for operators and auditors (`client.node`, `client.evidence`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from datetime import datetime

import grpc.aio

from gateway.client.connection import Connection
from gateway.client.pages import all_rows
from gateway.client.recovery import SETTLE_S, RecoveredFeed, recover_all
from gateway.client.timestamps import zoned_timestamp
from gateway.errors import TooLargeError
from gateway.v1 import evidence_service_pb2 as evidence
from gateway.v1 import maintenance_pb2
from gateway.v1 import node_service_pb2 as node
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.audit_log_pb2 import AuditExportForm
from gateway.v1.directory_pb2 import DirectoryStatus

PAGE_SIZE = 200
"""Rows per request when a list is read to its end."""


class NodeClient:
    """NodeService; role operator, or for reading supervisor or auditor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def status(self) -> node.GetNodeStatusResponse:
        method = self._connection.stubs.node.GetNodeStatus
        return await self._connection.unary(method, node.GetNodeStatusRequest(), node.GetNodeStatusResponse)

    async def links(self) -> list[node.Link]:
        """All feeds to and from partners, out before in."""
        method = self._connection.stubs.node.ListLinks
        return list((await self._connection.unary(method, node.ListLinksRequest(), node.ListLinksResponse)).links)

    async def set_maintenance(
        self, starts_at: datetime, ends_at: datetime, *, reason: str
    ) -> maintenance_pb2.AnnouncedMaintenance:
        """Announces maintenance of at most 7 days to all partners, in place of the last; times with their zone."""
        window = maintenance_pb2.MaintenanceWindow(
            starts_at=zoned_timestamp("starts_at", starts_at),
            ends_at=zoned_timestamp("ends_at", ends_at),
            reason=reason,
        )
        request = node.SetMaintenanceRequest(window=window)
        method = self._connection.stubs.node.SetMaintenance
        return (await self._connection.unary(method, request, node.SetMaintenanceResponse)).maintenance

    async def end_maintenance(self) -> maintenance_pb2.AnnouncedMaintenance:
        """Tells all partners that the maintenance has ended, or won't take place."""
        method = self._connection.stubs.node.EndMaintenance
        return (
            await self._connection.unary(method, node.EndMaintenanceRequest(), node.EndMaintenanceResponse)
        ).maintenance

    async def suspend_link(self, origin: str, *, reason: str) -> node.Link:
        """Stops a feed's link until it is resumed; publishing still succeeds."""
        request = node.SuspendLinkRequest(origin=origin, reason=reason)
        method = self._connection.stubs.node.SuspendLink
        return (await self._connection.unary(method, request, node.SuspendLinkResponse)).link

    async def resume_link(self, origin: str) -> node.Link:
        request = node.ResumeLinkRequest(origin=origin)
        method = self._connection.stubs.node.ResumeLink
        return (await self._connection.unary(method, request, node.ResumeLinkResponse)).link

    async def resolve_quarantine(self, origin: str, *, reason: str) -> node.Link:
        """Ends a feed's quarantine after its evidence was examined."""
        request = node.ResolveQuarantineRequest(origin=origin, reason=reason)
        method = self._connection.stubs.node.ResolveQuarantine
        return (await self._connection.unary(method, request, node.ResolveQuarantineResponse)).link

    async def quarantine_evidence(self, origin: str) -> dict[str, bytes]:
        """Files that prove why a feed is in quarantine, by name."""
        request = node.GetQuarantineEvidenceRequest(origin=origin)
        method = self._connection.stubs.node.GetQuarantineEvidence
        response = await self._connection.unary(method, request, node.GetQuarantineEvidenceResponse)
        return {file.name: file.content for file in response.files}

    async def explain_absence(self, request: node.ExplainAbsenceRequest) -> node.ExplainAbsenceResponse:
        """Why a partner doesn't have an alert, list entry or record of ours, or isn't given a field of it."""
        method = self._connection.stubs.node.ExplainAbsence
        return await self._connection.unary(method, request, node.ExplainAbsenceResponse)

    async def test_partner(self, partner: str) -> list[node.TestFinding]:
        """Tries live that a partner serves this node, and refuses what it must."""
        method = self._connection.stubs.node.TestPartner
        response = await self._connection.unary(
            method, node.TestPartnerRequest(partner=partner), node.TestPartnerResponse
        )
        return list(response.findings)

    async def recover_feed(self, origin: str) -> node.RecoverFeedResponse:
        """Fetches own entries from the partner after a restore from an old backup."""
        request = node.RecoverFeedRequest(origin=origin)
        method = self._connection.stubs.node.RecoverFeed
        return await self._connection.unary(method, request, node.RecoverFeedResponse)

    async def recover_all(self, *, settle_s: float = SETTLE_S) -> list[RecoveredFeed]:
        """Recovers every own feed that is blocked after a restore; see client.recovery."""
        return await recover_all(self, settle_s=settle_s)

    async def declare_new_feeds(self, partner: str, *, reason: str) -> list[str]:
        """Lets own feeds begin to a partner that can't be asked; returns those that were waiting for that."""
        request = node.DeclareNewFeedsRequest(partner=partner, reason=reason)
        method = self._connection.stubs.node.DeclareNewFeeds
        return list((await self._connection.unary(method, request, node.DeclareNewFeedsResponse)).origins)

    async def certificates(self) -> list[node.CertificateStatus]:
        """Own certificates, then the partners' CAs."""
        method = self._connection.stubs.node.ListCertificates
        response = await self._connection.unary(method, node.ListCertificatesRequest(), node.ListCertificatesResponse)
        return list(response.certificates)

    async def keys(self) -> list[node.KeyStatus]:
        """Log and cosigning keys of all nodes."""
        method = self._connection.stubs.node.ListKeys
        return list((await self._connection.unary(method, node.ListKeysRequest(), node.ListKeysResponse)).keys)

    async def signing_keys(self) -> list[node.SigningKey]:
        """The node's signing keys, with the places that hold them and the states of hardware tokens."""
        method = self._connection.stubs.node.ListSigningKeys
        response = await self._connection.unary(method, node.ListSigningKeysRequest(), node.ListSigningKeysResponse)
        return list(response.keys)

    async def unlock_token(self, token: str, pin: str) -> node.UnlockTokenResponse:
        """Gives a locked token its PIN; raises CredentialsError: it refused the PIN."""
        request = node.UnlockTokenRequest(token=token, pin=pin)
        method = self._connection.stubs.node.UnlockToken
        return await self._connection.unary(method, request, node.UnlockTokenResponse)

    async def preview_directory(self, note: bytes) -> node.PreviewDirectoryResponse:
        """What a version of the directory would change, who has signed it, and what it lacks."""
        request = node.PreviewDirectoryRequest(note=note)
        method = self._connection.stubs.node.PreviewDirectory
        return await self._connection.unary(method, request, node.PreviewDirectoryResponse)

    async def take_directory(self, note: bytes) -> int:
        """Puts a signed version in place; returns its number. A person's client needs an approval."""
        request = node.TakeDirectoryRequest(note=note)
        method = self._connection.stubs.node.TakeDirectory
        return (await self._connection.unary(method, request, node.TakeDirectoryResponse)).version

    async def directory(self) -> DirectoryStatus:
        method = self._connection.stubs.node.GetDirectory
        response = await self._connection.unary(method, node.GetDirectoryRequest(), node.GetDirectoryResponse)
        return response.directory


class EvidenceClient:
    """EvidenceService; roles officer, supervisor, auditor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def export(self, alert: AlertReference, *, recipient: str = "") -> list[evidence.EvidenceFile]:
        """Files that prove an alert offline; `recipient` chooses the copy of an own alert with several recipients.

        Raises:
            TooLargeError: its later events need several bundles; see `export_parts`.
        """
        parts = [files async for files in self.export_parts(alert, recipient=recipient)]
        if len(parts) > 1:
            raise TooLargeError(f"the evidence of alert {alert.alert_id} needs {len(parts)} bundles: use export_parts")
        return parts[0]

    async def export_parts(
        self, alert: AlertReference, *, recipient: str = ""
    ) -> AsyncIterator[list[evidence.EvidenceFile]]:
        """Bundles that together have all later events of an alert; each proves the alert too."""
        request = evidence.ExportEvidenceRequest(alert=alert, recipient=recipient)
        while True:
            response = await self._export(request)
            yield list(response.files)
            request.after_steps = response.next_after_steps
            if not response.more_steps:
                return

    async def export_answer(self, query_id: str, *, record_ids: Iterable[str] = ()) -> list[evidence.EvidenceFile]:
        """Files that prove offline the answer to a search's query; `record_ids` are the partner's, all if none."""
        request = evidence.ExportEvidenceRequest(query_id=query_id, record_ids=record_ids)
        return list((await self._export(request)).files)

    async def _export(self, request: evidence.ExportEvidenceRequest) -> evidence.ExportEvidenceResponse:
        method = self._connection.stubs.evidence.ExportEvidence
        return await self._connection.unary(method, request, evidence.ExportEvidenceResponse)

    async def verify(
        self, files: Iterable[evidence.EvidenceFile] = (), *, archive: bytes = b""
    ) -> evidence.VerifyEvidenceResponse:
        """Verifies exported evidence with the node's directory: its files, or its .zip file of at most 5 MB."""
        request = evidence.VerifyEvidenceRequest(files=files, archive=archive)
        method = self._connection.stubs.evidence.VerifyEvidence
        return await self._connection.unary(method, request, evidence.VerifyEvidenceResponse)

    async def prove_consistency(self, origin: str, old_size: int) -> bytes:
        """Proof that a feed's newest checkpoint extends its checkpoint of `old_size` entries."""
        request = evidence.ProveConsistencyRequest(origin=origin, old_size=old_size)
        method = self._connection.stubs.evidence.ProveConsistency
        return (await self._connection.unary(method, request, evidence.ProveConsistencyResponse)).proof

    async def export_cose_receipt(
        self, alert: AlertReference | None = None, *, recipient: str = "", origin: str = "", index: int = 0
    ) -> list[evidence.EvidenceFile]:
        """A COSE receipt (RFC 9942) for an own alert, or an entry of an own feed, and what it takes to verify it."""
        request = evidence.ExportCoseReceiptRequest(alert=alert, recipient=recipient, origin=origin, index=index)
        method = self._connection.stubs.evidence.ExportCoseReceipt
        return list((await self._connection.unary(method, request, evidence.ExportCoseReceiptResponse)).files)

    async def audit_head(self) -> evidence.GetAuditHeadResponse:
        """The newest signed head of the audit log; keep its file where the node's operators can't change it."""
        method = self._connection.stubs.evidence.GetAuditHead
        return await self._connection.unary(method, evidence.GetAuditHeadRequest(), evidence.GetAuditHeadResponse)

    async def export_audit(self, form: AuditExportForm.ValueType, *, filter: str = "") -> dict[str, bytes]:
        """Events of the audit log in files that verify offline, by name; `filter` as for `audit_events`."""
        call = self._connection.stubs.evidence.ExportAuditEvents(
            evidence.ExportAuditEventsRequest(form=form, filter=filter)
        )
        files: dict[str, bytearray] = {}
        try:
            async for piece in call:
                files.setdefault(piece.name, bytearray()).extend(piece.content)
        except grpc.aio.AioRpcError as error:
            raise self._connection.error(error) from error
        finally:
            call.cancel()
        return {name: bytes(content) for name, content in files.items()}

    async def audit_events_page(
        self, *, page_size: int = 0, page_token: str = "", filter: str = ""
    ) -> evidence.ListAuditEventsResponse:
        request = evidence.ListAuditEventsRequest(page_size=page_size, page_token=page_token, filter=filter)
        method = self._connection.stubs.evidence.ListAuditEvents
        return await self._connection.unary(method, request, evidence.ListAuditEventsResponse)

    def audit_events(
        self, *, filter: str = "", page_size: int = PAGE_SIZE
    ) -> AsyncGenerator[evidence.AuditEvent, None]:
        """The audit log, newest first; `filter` e.g. `result = deny`."""
        return all_rows(
            lambda token: self.audit_events_page(page_size=page_size, page_token=token, filter=filter),
            lambda page: page.events,
        )
