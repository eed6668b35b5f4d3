"""Client for alerts, with the other clients of a gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc.aio
from google.protobuf.message import Message

from gateway.client.acting import ActingConnection
from gateway.client.bulk import DEFAULT_BATCH, PublishOutcome, new_alert, new_request_id, publish_stream
from gateway.client.casework import CaseworkClient
from gateway.client.connection import DEFAULT_TIMEOUT_S, Connection
from gateway.client.figures import FigureClient
from gateway.client.files import FilesClient
from gateway.client.history import HistoryClient
from gateway.client.licences import LicenceClient
from gateway.client.link_analysis import LinkAnalysisClient
from gateway.client.notifications import NotificationClient
from gateway.client.operations import PAGE_SIZE, EvidenceClient, NodeClient
from gateway.client.pages import all_rows
from gateway.client.persons import PersonsClient
from gateway.client.resuming import resumed
from gateway.client.risk_profiles import RiskProfileClient
from gateway.client.screening import ScreeningClient
from gateway.client.timestamps import zoned_timestamp
from gateway.client.watchlists import WatchlistClient
from gateway.client.windowed import DEFAULT_PATIENCE_S
from gateway.errors import GatewayError
from gateway.v1 import alert_service_pb2 as service
from gateway.v1.alert_pb2 import (
    AlertContent,
    AlertFinding,
    AlertReference,
    CloseOutcome,
    EvidenceDigest,
    FindingReference,
    FlagReason,
    MeasureTaken,
    TransferConsent,
)


class GatewayClient:
    """A customs system's client, for one event loop; calls may run concurrently.

    Methods raise errors of `gateway.errors`. A mutation that failed with UnavailableError or DeadlineExceededError may
    have happened; repeated with the same `request_id` (a UUID; None makes a UUIDv7), it happens once. Lists fetch
    `page_size` rows at a time, at most 1,000; `filter` joins conditions by AND.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.node = NodeClient(connection)
        self.evidence = EvidenceClient(connection)
        self.watchlist = WatchlistClient(connection)
        self.screening = ScreeningClient(connection)
        self.history = HistoryClient(connection)
        self.files = FilesClient(connection)
        self.notifications = NotificationClient(connection)
        self.figures = FigureClient(connection)
        self.licences = LicenceClient(connection)
        self.risk_profiles = RiskProfileClient(connection)
        self.link_analysis = LinkAnalysisClient(connection)
        self.casework = CaseworkClient(connection)
        self.persons = PersonsClient(connection)

    @classmethod
    def connect(
        cls,
        address: str,
        *,
        ca: Path | str,
        certificate: Path | str,
        key: Path | str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        local_address: str = "",
    ) -> Self:
        """Makes a client; it connects at the first call.

        Args:
            address: host:port of the gateway's local port.
            ca: the authority's CA certificate, PEM.
            certificate: this system's, PEM; reloaded when replaced.
            key: PEM, mode 0600.
            timeout_s: seconds for a unary call with its retries.
            local_address: the right address where it is known, named when no gateway answers at `address`.

        Raises:
            ConfigurationError: a file is unreadable or not valid now, or they don't belong together.
        """
        return cls(
            Connection(
                address,
                ca=Path(ca),
                certificate=Path(certificate),
                key=Path(key),
                timeout_s=timeout_s,
                local_address=local_address,
            )
        )

    def acting_for(self, assertion: str, approval: str = "") -> Self:
        """A client whose calls are a person's, on the same channel; for a console, and cheap enough for one request.

        Args:
            assertion: of `SignedIn`.
            approval: of `persons.approval`, for a call that needs one.
        """
        return type(self)(ActingConnection(self._connection, assertion=assertion, approval=approval))

    @property
    def node_name(self) -> str:
        """Name in the node's certificate."""
        return self._connection.node

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._connection.close()

    async def publish(
        self, content: AlertContent, recipients: Sequence[str], *, request_id: str | None = None
    ) -> service.PublishAlertResponse:
        """Publishes an alert, durable when this returns; no recipient (e.g. `["hk", "mo"]`) learns of the others."""
        method = self._connection.stubs.alerts.PublishAlert
        request = new_alert(content, recipients, request_id)
        return await self._connection.unary(method, request, service.PublishAlertResponse)

    async def preview(self, content: AlertContent, recipients: Sequence[str]) -> service.PreviewAlertResponse:
        """What `publish` would do: everything that is wrong, and which fields each recipient would get."""
        method = self._connection.stubs.alerts.PreviewAlert
        request = service.PreviewAlertRequest(content=content, recipients=recipients)
        return await self._connection.unary(method, request, service.PreviewAlertResponse)

    async def preview_step(self, step: Message) -> service.PreviewAlertStepResponse:
        """What a step would send to each partner, as the partner would get it, or why it may not go.

        `step` is a request of AlertService for a step on an alert, e.g. FlagAlertRequest.
        """
        request = service.PreviewAlertStepRequest()
        named = (field.name for field in request.DESCRIPTOR.fields if field.message_type is step.DESCRIPTOR)
        getattr(request, next(named)).CopyFrom(step)
        method = self._connection.stubs.alerts.PreviewAlertStep
        return await self._connection.unary(method, request, service.PreviewAlertStepResponse)

    def publish_many(
        self,
        alerts: Iterable[service.PublishAlertRequest] | AsyncIterable[service.PublishAlertRequest],
        *,
        batch: int = DEFAULT_BATCH,
        patience_s: float = DEFAULT_PATIENCE_S,
    ) -> AsyncGenerator[PublishOutcome, None]:
        """Publishes alerts over one stream; a refused alert doesn't stop the rest.

        An interrupted stream is opened again; unanswered alerts are sent again under the same request ids.

        Example:
            async for outcome in client.publish_many(new_alert(content, ["hk"]) for content in contents):
                if outcome.refused:
                    print(outcome.refused.message)

        Args:
            alerts: read at the gateway's pace.
            batch: most alerts in a message, at most 500.
            patience_s: seconds without an answer after which a failing stream is given up.

        Yields:
            One outcome per alert, in order.
        """
        return publish_stream(self._connection, alerts, batch=batch, patience_s=patience_s)

    async def amend(
        self, alert_id: str, content: AlertContent, *, revision: int, request_id: str | None = None
    ) -> service.AmendAlertResponse:
        """Replaces the content of an own alert; `revision` is the one that was read."""
        request = service.AmendAlertRequest(
            request_id=request_id or new_request_id(), alert_id=alert_id, revision=revision, content=content
        )
        method = self._connection.stubs.alerts.AmendAlert
        return await self._connection.unary(method, request, service.AmendAlertResponse)

    async def withdraw(
        self, alert_id: str, *, revision: int, reason: str, request_id: str | None = None
    ) -> service.WithdrawAlertResponse:
        """Withdraws an own alert for all recipients."""
        request = service.WithdrawAlertRequest(
            request_id=request_id or new_request_id(), alert_id=alert_id, revision=revision, reason=reason
        )
        method = self._connection.stubs.alerts.WithdrawAlert
        return await self._connection.unary(method, request, service.WithdrawAlertResponse)

    async def acknowledge(
        self, alert: AlertReference, *, revision: int, case_reference: str = "", request_id: str | None = None
    ) -> service.AcknowledgeAlertResponse:
        """Tells the publisher that an officer has read its alert."""
        request = service.AcknowledgeAlertRequest(
            request_id=request_id or new_request_id(), alert=alert, revision=revision, case_reference=case_reference
        )
        method = self._connection.stubs.alerts.AcknowledgeAlert
        return await self._connection.unary(method, request, service.AcknowledgeAlertResponse)

    async def flag(
        self,
        alert: AlertReference,
        *,
        revision: int,
        reason: FlagReason.ValueType,
        explanation: str,
        request_id: str | None = None,
    ) -> service.FlagAlertResponse:
        """Tells the publisher that its request can't be met, and why."""
        request = service.FlagAlertRequest(
            request_id=request_id or new_request_id(),
            alert=alert,
            revision=revision,
            reason=reason,
            explanation=explanation,
        )
        method = self._connection.stubs.alerts.FlagAlert
        return await self._connection.unary(method, request, service.FlagAlertResponse)

    async def ask(
        self,
        alert: AlertReference,
        text: str,
        *,
        deadline: datetime,
        recipient: str = "",
        onward_recipients: Sequence[str] = (),
        request_id: str | None = None,
    ) -> service.AskQuestionResponse:
        """Asks the other side for supplementary information, or for consent to an onward transfer.

        Args:
            recipient: the node to ask, for an own alert only.
            onward_recipients: nodes to which a partner's alert would be passed on; its publisher consents or refuses.
        """
        request = service.AskQuestionRequest(
            request_id=request_id or new_request_id(),
            alert=alert,
            recipient=recipient,
            text=text,
            deadline=zoned_timestamp("deadline", deadline),
            onward_recipients=onward_recipients,
        )
        method = self._connection.stubs.alerts.AskQuestion
        return await self._connection.unary(method, request, service.AskQuestionResponse)

    async def answer(
        self,
        alert: AlertReference,
        question_id: str,
        text: str,
        *,
        consent: TransferConsent.ValueType = TransferConsent.TRANSFER_CONSENT_UNSPECIFIED,
        revision: int = 0,
        evidence: Sequence[EvidenceDigest] = (),
        request_id: str | None = None,
    ) -> service.AnswerQuestionResponse:
        """Answers a question of the other side; one with `onward_recipients` needs `consent`, granted or refused.

        `revision` is the alert's that was read: consent to an amended alert needs it.
        """
        request = service.AnswerQuestionRequest(
            request_id=request_id or new_request_id(),
            alert=alert,
            question_id=question_id,
            text=text,
            consent=consent,
            revision=revision,
            evidence=evidence,
        )
        method = self._connection.stubs.alerts.AnswerQuestion
        return await self._connection.unary(method, request, service.AnswerQuestionResponse)

    async def report_finding(
        self, finding: AlertFinding, *, request_id: str | None = None
    ) -> service.ReportFindingResponse:
        """Reports an inspection's result on a partner's alert; of an amended one it names the revision read."""
        request = service.ReportFindingRequest(request_id=request_id or new_request_id(), finding=finding)
        method = self._connection.stubs.alerts.ReportFinding
        return await self._connection.unary(method, request, service.ReportFindingResponse)

    async def correct_finding(
        self, replaces: FindingReference, finding: AlertFinding, *, reason: str, request_id: str | None = None
    ) -> service.CorrectFindingResponse:
        """Replaces a finding of this node, or its newest correction, by the whole finding as it is right."""
        request = service.CorrectFindingRequest(
            request_id=request_id or new_request_id(), replaces=replaces, finding=finding, reason=reason
        )
        method = self._connection.stubs.alerts.CorrectFinding
        return await self._connection.unary(method, request, service.CorrectFindingResponse)

    async def withdraw_finding(
        self, alert: AlertReference, finding: FindingReference, *, reason: str, request_id: str | None = None
    ) -> service.WithdrawFindingResponse:
        """Withdraws a finding of this node, or its newest correction."""
        request = service.WithdrawFindingRequest(
            request_id=request_id or new_request_id(), alert=alert, finding=finding, reason=reason
        )
        method = self._connection.stubs.alerts.WithdrawFinding
        return await self._connection.unary(method, request, service.WithdrawFindingResponse)

    async def close_alert(
        self,
        alert_id: str,
        *,
        revision: int,
        outcome: CloseOutcome.ValueType,
        remarks: str = "",
        measures: Iterable[MeasureTaken] = (),
        request_id: str | None = None,
    ) -> service.CloseAlertResponse:
        """Closes an own alert; `measures` are those that this authority took itself."""
        request = service.CloseAlertRequest(
            request_id=request_id or new_request_id(),
            alert_id=alert_id,
            revision=revision,
            outcome=outcome,
            remarks=remarks,
            measures=measures,
        )
        method = self._connection.stubs.alerts.CloseAlert
        return await self._connection.unary(method, request, service.CloseAlertResponse)

    async def erase_alert(
        self, alert: AlertReference, *, legal_basis: str, request_id: str | None = None
    ) -> service.EraseAlertResponse:
        """Erases this node's copy of an alert that has ended; it can't be taken back."""
        request = service.EraseAlertRequest(
            request_id=request_id or new_request_id(), alert=alert, legal_basis=legal_basis
        )
        method = self._connection.stubs.alerts.EraseAlert
        return await self._connection.unary(method, request, service.EraseAlertResponse)

    async def rehearse_retention(self, *, days: int = 0) -> service.RehearseRetentionResponse:
        """Which alerts retention erases within so many days, and which stay all the same."""
        method = self._connection.stubs.alerts.RehearseRetention
        request = service.RehearseRetentionRequest(days=days)
        return await self._connection.unary(method, request, service.RehearseRetentionResponse)

    async def erasures_page(
        self, *, alert: AlertReference | None = None, page_size: int = 0, page_token: str = ""
    ) -> service.ListErasuresResponse:
        """What nodes have said of erasing alerts, or one of them, newest first."""
        request = service.ListErasuresRequest(alert=alert, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.alerts.ListErasures
        return await self._connection.unary(method, request, service.ListErasuresResponse)

    async def get_alert(self, alert: AlertReference) -> service.GetAlertResponse:
        """An alert with its deliveries and history."""
        method = self._connection.stubs.alerts.GetAlert
        return await self._connection.unary(method, service.GetAlertRequest(alert=alert), service.GetAlertResponse)

    async def list_alerts_page(
        self, *, filter: str = "", order_by: str = "", page_size: int = 0, page_token: str = ""
    ) -> service.ListAlertsResponse:
        request = service.ListAlertsRequest(
            page_size=page_size, page_token=page_token, filter=filter, order_by=order_by
        )
        method = self._connection.stubs.alerts.ListAlerts
        return await self._connection.unary(method, request, service.ListAlertsResponse)

    def list_alerts(
        self, *, filter: str = "", order_by: str = "", page_size: int = PAGE_SIZE
    ) -> AsyncGenerator[service.AlertSummary, None]:
        """Alerts, newest first, or with `order_by="deadline"` the most urgent first.

        `filter` e.g. `direction = in AND status = published AND priority = A`.
        """
        return all_rows(
            lambda token: self.list_alerts_page(
                filter=filter, order_by=order_by, page_size=page_size, page_token=token
            ),
            lambda page: page.alerts,
        )

    async def watch(
        self,
        position: int = 0,
        *,
        until_current: bool = False,
        on_interruption: Callable[[GatewayError], None] | None = None,
        on_resumption: Callable[[], None] | None = None,
    ) -> AsyncGenerator[service.AlertChange, None]:
        """Every change after a position (0 for all), once and in order, then new ones as they come; reconnects.

        Store `change.position` in one transaction with the effect of the change, and start there next time.

        Args:
            position: the last one processed.
            until_current: end at the last present change instead of waiting for more.
            on_interruption: called for each interruption; the watch goes on.

        Raises:
            GatewayError: not transient, e.g. PermissionDeniedError or PositionUnknownError.
        """

        stream = self._responses(
            position, until_current=until_current, on_interruption=on_interruption, on_resumption=on_resumption
        )
        async with aclosing(stream):
            async for response in stream:
                for change in response.changes:
                    yield change

    async def watch_with_progress(
        self, position: int
    ) -> AsyncGenerator[service.AlertChange | service.FeedProgress, None]:
        """As `watch`, and how far own feeds of alerts have come: all at first and after reconnects, then what moved."""
        async with aclosing(self._responses(position, with_progress=True)) as stream:
            async for response in stream:
                for change in response.changes:
                    yield change
                for progress in response.progress:
                    yield progress

    async def _responses(
        self,
        position: int,
        *,
        until_current: bool = False,
        with_progress: bool = False,
        on_interruption: Callable[[GatewayError], None] | None = None,
        on_resumption: Callable[[], None] | None = None,
    ) -> AsyncGenerator[service.WatchAlertsResponse, None]:
        def connect() -> grpc.aio.UnaryStreamCall[Any, service.WatchAlertsResponse]:
            request = service.WatchAlertsRequest(
                position=position, until_current=until_current, with_progress=with_progress
            )
            return self._connection.stubs.alerts.WatchAlerts(request)

        stream = resumed(
            self._connection,
            connect,
            until_end=until_current,
            on_interruption=on_interruption,
            on_resumption=on_resumption,
        )
        async with aclosing(stream):
            async for response in stream:
                yield response
                position = max(position, response.position)
