"""gRPC handlers of AlertService, for an authority's systems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import grpc.aio
from google.protobuf.message import Message

from gateway.alerts.commands.alert_retention import RetentionRehearsal
from gateway.alerts.commands.erasing import AlertEraser, EraseAlertCommand
from gateway.alerts.commands.placing import PublishCommand, PublishResult
from gateway.alerts.commands.preview import Previews
from gateway.alerts.commands.publishing import PreparedAlert, Publisher
from gateway.alerts.commands.step_requests import StepRequest, StepRequests
from gateway.alerts.commands.steps import StepCommand
from gateway.alerts.rules.hits import best_hits
from gateway.alerts.service import AlertQueries
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.contract.validation import validate
from gateway.errors import GatewayError, InvalidRequestError, NotFoundError, Violation
from gateway.feed.rpc.committed_entries import TracedEntries, end_all
from gateway.feed.rpc.progress import follow_progress, merged
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, follow_changes, in_order
from gateway.feed.service.delivery import OwnFeeds
from gateway.rpc.calls import Call, current_call
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.traces import Traces, TraceSpan, parent_in
from gateway.trust.rules.permissions import Principal
from gateway.v1 import alert_pb2, alert_service_pb2, alert_service_pb2_grpc, feed_pb2

STREAM_DEPTH = 4
"""Messages of one PublishAlerts stream under way: hides the commit's delay, bounds memory."""

READ_OWN_WRITES_S = 2.0
"""How long GetAlert waits for projections before it reports no such alert, in seconds."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
ResponseT = TypeVar("ResponseT", bound=Message)


class ScreenedAlert(NamedTuple):
    """Hits on an alert; `is_complete`: all lists were compared as they are known."""

    hits: list[alert_service_pb2.AlertHit]
    is_complete: bool


class AlertScreening(Protocol):
    """Screens an alert's content against the lists that a caller may see."""

    async def screen_alert(self, content: alert_pb2.AlertContent, *, principal: Principal) -> ScreenedAlert:
        """Hits; none while screening is impossible."""


class AlertServicer(alert_service_pb2_grpc.AlertServiceServicer):
    """Handlers of AlertService."""

    def __init__(
        self,
        *,
        node: str,
        publisher: Publisher,
        previews: Previews,
        queries: AlertQueries,
        eraser: AlertEraser,
        rehearsal: RetentionRehearsal,
        writer: WriterClient,
        notifier: ChangeNotifier,
        own_feeds: OwnFeeds,
        screening: AlertScreening,
        clock: Callable[[], int],
        metrics: Metrics,
        traces: Traces,
        traced: TracedEntries,
    ) -> None:
        self._traces = traces
        self._traced = traced
        self._publishes = {result: metrics.publishes.labels(result) for result in ("accepted", "repeated", "refused")}
        self._publisher = publisher
        self._previews = previews
        self._steps = StepRequests(node=node, new_id=publisher.new_id, who_asked=queries.who_asked)
        self._queries = queries
        self._eraser = eraser
        self._rehearsal = rehearsal
        self._writer = writer
        self._notifier = notifier
        self._own_feeds = own_feeds
        self._screening = screening
        self._clock = clock

    async def PublishAlert(
        self, request: alert_service_pb2.PublishAlertRequest, context: Context
    ) -> alert_service_pb2.PublishAlertResponse:
        with self._traces.span("alert.publish", parent=parent_in(context.invocation_metadata())) as span:
            return await self._publish(request, span)

    async def _publish(
        self, request: alert_service_pb2.PublishAlertRequest, span: TraceSpan
    ) -> alert_service_pb2.PublishAlertResponse:
        call = current_call()
        try:
            with self._traces.below(span, "alert.prepare"):
                prepared = self._publisher.prepare(request, call.principal.actor, trace=span.context)
        except GatewayError as error:
            self._count([error])
            raise
        span.note(alert_id=prepared.alert_id)
        content = request.content
        call.record(purpose=content.purpose, case_reference=content.case_reference, subject_ids=[prepared.alert_id])
        command = PublishCommand([prepared], principal=call.principal.id)
        with self._traces.below(span, "alert.commit"):
            (result,) = await self._writer.run(command, urgency=command.urgency)
        self._count([result])
        if isinstance(result, GatewayError):
            raise result
        return result

    async def PreviewAlert(
        self, request: alert_service_pb2.PreviewAlertRequest, context: Context
    ) -> alert_service_pb2.PreviewAlertResponse:
        _require_recipients(request)
        return await asyncio.to_thread(self._previews.of, request)

    async def PublishAlerts(
        self, request_iterator: AsyncIterator[alert_service_pb2.PublishAlertsRequest], context: Context
    ) -> AsyncIterator[alert_service_pb2.PublishAlertsResponse]:
        call = current_call()

        async def begin(request: alert_service_pb2.PublishAlertsRequest) -> Awaitable[list[PublishResult]]:
            if not 0 < len(request.alerts) <= MAX_STREAM_ITEMS:
                raise InvalidRequestError(
                    [Violation("alerts", "repeated.items", f"send 1 to {MAX_STREAM_ITEMS} alerts in one message")]
                )
            prepared = await asyncio.to_thread(self._prepared, request.alerts, call.principal.actor)
            _record_bulk(call, request, prepared)
            command = PublishCommand(prepared, principal=call.principal.id)
            return self._writer.submit(command, urgency=command.urgency)

        async for results in in_order(request_iterator, begin, depth=STREAM_DEPTH):
            self._count(results)
            yield alert_service_pb2.PublishAlertsResponse(results=[_item(result) for result in results])

    def _prepared(
        self, alerts: Iterable[alert_service_pb2.PublishAlertRequest], actor: str
    ) -> list[PreparedAlert | GatewayError]:
        """Each alert prepared, or why it is refused."""
        prepared: list[PreparedAlert | GatewayError] = []
        for alert in alerts:
            try:
                prepared.append(self._publisher.prepare(alert, actor))
            except GatewayError as error:
                prepared.append(error)
        return prepared

    def _count(self, results: Sequence[PublishResult]) -> None:
        for result in results:
            if isinstance(result, GatewayError):
                self._publishes["refused"].inc()
            else:
                self._publishes["repeated" if result.published_before else "accepted"].inc()

    async def PreviewAlertStep(
        self, request: alert_service_pb2.PreviewAlertStepRequest, context: Context
    ) -> alert_service_pb2.PreviewAlertStepResponse:
        validate(request)
        call = current_call()
        step = await asyncio.to_thread(self._steps.previewed, request)
        call.record(subject_ids=[step.alert_id])
        return await asyncio.to_thread(self._previews.of_step, step, actor=call.principal.actor)

    async def AmendAlert(
        self, request: alert_service_pb2.AmendAlertRequest, context: Context
    ) -> alert_service_pb2.AmendAlertResponse:
        validate(request)
        return await self._take(self._steps.amend(request))

    async def WithdrawAlert(
        self, request: alert_service_pb2.WithdrawAlertRequest, context: Context
    ) -> alert_service_pb2.WithdrawAlertResponse:
        validate(request)
        return await self._take(self._steps.withdraw(request))

    async def CloseAlert(
        self, request: alert_service_pb2.CloseAlertRequest, context: Context
    ) -> alert_service_pb2.CloseAlertResponse:
        validate(request)
        return await self._take(self._steps.close(request))

    async def AcknowledgeAlert(
        self, request: alert_service_pb2.AcknowledgeAlertRequest, context: Context
    ) -> alert_service_pb2.AcknowledgeAlertResponse:
        validate(request)
        return await self._take(self._steps.acknowledge(request))

    async def FlagAlert(
        self, request: alert_service_pb2.FlagAlertRequest, context: Context
    ) -> alert_service_pb2.FlagAlertResponse:
        validate(request)
        return await self._take(self._steps.flag(request))

    async def AskQuestion(
        self, request: alert_service_pb2.AskQuestionRequest, context: Context
    ) -> alert_service_pb2.AskQuestionResponse:
        validate(request)
        return await self._take(self._steps.ask(request))

    async def AnswerQuestion(
        self, request: alert_service_pb2.AnswerQuestionRequest, context: Context
    ) -> alert_service_pb2.AnswerQuestionResponse:
        validate(request)
        return await self._take(await asyncio.to_thread(self._steps.answer, request))

    async def ReportFinding(
        self, request: alert_service_pb2.ReportFindingRequest, context: Context
    ) -> alert_service_pb2.ReportFindingResponse:
        validate(request)
        return await self._take(self._steps.report_finding(request))

    async def CorrectFinding(
        self, request: alert_service_pb2.CorrectFindingRequest, context: Context
    ) -> alert_service_pb2.CorrectFindingResponse:
        validate(request)
        return await self._take(self._steps.correct_finding(request))

    async def WithdrawFinding(
        self, request: alert_service_pb2.WithdrawFindingRequest, context: Context
    ) -> alert_service_pb2.WithdrawFindingResponse:
        validate(request)
        return await self._take(self._steps.withdraw_finding(request))

    async def EraseAlert(
        self, request: alert_service_pb2.EraseAlertRequest, context: Context
    ) -> alert_service_pb2.EraseAlertResponse:
        validate(request)
        call = current_call()
        call.record(
            subject_ids=[request.alert.alert_id],
            detail=f"legal basis: {request.legal_basis}",
        )
        return await self._writer.run(
            EraseAlertCommand(request, principal=call.principal.id, actor=call.principal.actor, eraser=self._eraser)
        )

    async def ListErasures(
        self, request: alert_service_pb2.ListErasuresRequest, context: Context
    ) -> alert_service_pb2.ListErasuresResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.erasures, request)

    async def RehearseRetention(
        self, request: alert_service_pb2.RehearseRetentionRequest, context: Context
    ) -> alert_service_pb2.RehearseRetentionResponse:
        validate(request)
        return await asyncio.to_thread(self._rehearsal.within, request.days)

    async def GetAlert(
        self, request: alert_service_pb2.GetAlertRequest, context: Context
    ) -> alert_service_pb2.GetAlertResponse:
        validate(request)
        current_call().record(subject_ids=[request.alert.alert_id])
        wanted = request.alert.publisher, request.alert.alert_id
        try:
            response = await asyncio.to_thread(self._queries.get, *wanted)
        except NotFoundError:
            await self._caught_up()
            response = await asyncio.to_thread(self._queries.get, *wanted)
        hits, is_complete = await self._screening.screen_alert(
            response.alert.content, principal=current_call().principal
        )
        response.screened = is_complete
        response.hits.extend(best_hits(hits))
        response.further_hits = len(hits) - len(response.hits)
        return response

    async def _caught_up(self) -> None:
        """Waits for the projection of present commits: a caller may ask for an alert just published."""
        moved = asyncio.Event()
        end_subscription = self._notifier.subscribe(ChangeNotifier.PROJECTED, moved)
        try:
            async with asyncio.timeout(READ_OWN_WRITES_S):
                head = await asyncio.to_thread(self._queries.head)
                while await asyncio.to_thread(self._queries.projected) < head:
                    await moved.wait()
                    moved.clear()
        except TimeoutError:
            pass
        finally:
            end_subscription()

    async def ListAlerts(
        self, request: alert_service_pb2.ListAlertsRequest, context: Context
    ) -> alert_service_pb2.ListAlertsResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.list, request)

    async def WatchAlerts(
        self, request: alert_service_pb2.WatchAlertsRequest, context: Context
    ) -> AsyncIterator[alert_service_pb2.WatchAlertsResponse]:
        changes = follow_changes(
            self._notifier,
            self._queries.changes,
            request.position,
            until_current=request.until_current,
            topic=ChangeNotifier.ALERT_CHANGES,
        )
        if request.with_progress and not request.until_current:
            changes = merged(changes, self._progress())
        async with aclosing(changes):
            async for response in changes:
                spans = self._traced.watched((change.entry.origin, change.entry.index) for change in response.changes)
                yield response
                end_all(spans)

    async def _progress(self) -> AsyncGenerator[alert_service_pb2.WatchAlertsResponse, None]:
        async with aclosing(follow_progress(self._notifier, self._own_feeds.progress)) as moves:
            async for moved in moves:
                yield alert_service_pb2.WatchAlertsResponse(
                    progress=[
                        alert_service_pb2.FeedProgress(
                            origin=origin.line, receipted=progress.receipted, answered=progress.answered
                        )
                        for origin, progress in moved.items()
                    ]
                )

    async def _take(self, step: StepRequest[ResponseT]) -> ResponseT:
        """Commits a step on an existing alert; raises GatewayError where the alert's state refuses it."""
        call = current_call()
        call.record(subject_ids=[step.alert_id])
        return await self._writer.run(
            StepCommand(step, publisher=self._publisher, principal=call.principal.id, actor=call.principal.actor)
        )


def _require_recipients(request: alert_service_pb2.PreviewAlertRequest) -> None:
    """Validates the request without its content, which may be incomplete."""
    validate(alert_service_pb2.PreviewAlertRequest(recipients=request.recipients))


def _record_bulk(
    call: Call,
    request: alert_service_pb2.PublishAlertsRequest,
    prepared: list[PreparedAlert | GatewayError],
) -> None:
    refused = sum(isinstance(alert, GatewayError) or alert.refusal is not None for alert in prepared)
    purposes = {alert.content.purpose for alert in request.alerts}
    ids = [alert.alert_id for alert in prepared if isinstance(alert, PreparedAlert)]
    call.record(
        purpose=",".join(sorted(purposes))[:64],
        subject_ids=[ids[0], ids[-1]] if ids else [],
        counts={"alerts": len(prepared), "refused": refused},
    )


def _item(result: PublishResult) -> alert_service_pb2.PublishResult:
    if not isinstance(result, GatewayError):
        return alert_service_pb2.PublishResult(published=result)
    violations = result.violations if isinstance(result, InvalidRequestError) else ()
    return alert_service_pb2.PublishResult(
        refused=alert_service_pb2.ItemError(
            reason=result.reason,
            message=result.message,
            violations=[feed_pb2.FieldViolation(field=v.field, rule=v.rule, message=v.message) for v in violations],
        )
    )
