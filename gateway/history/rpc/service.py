"""gRPC handlers of HistoryService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.ids import FeedOrigin
from gateway.contract.limits import MAX_STREAM_ITEMS, WINDOW_BATCHES
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.errors import InvalidRequestError, NotFoundError, Violation
from gateway.feed.rpc.writer_client import WriterClient, in_order
from gateway.history.commands.comparison import PendingItems, RecordAndCompareCommand, RecordedCounts
from gateway.history.commands.legal_holds import PlaceHoldCommand, ReleaseHoldCommand
from gateway.history.commands.record import RecordCommand
from gateway.history.rpc.fanout import HistoryFanout
from gateway.history.rpc.index_wait import IndexWait, wait_s
from gateway.history.rpc.ordered_search import OrderedSearch
from gateway.history.rpc.recording_process import CheckedItems, RecordChecks
from gateway.history.service.backlog import Lag
from gateway.history.service.control_changes import ControlChanges
from gateway.history.service.control_suggestions import ControlSuggestions
from gateway.history.service.risk import RiskQueries, RulesInForce, risks_of
from gateway.history.service.search import HistorySearch, RecordReading
from gateway.history.tables import holds
from gateway.risk.rule_engine import RuleEngine
from gateway.rpc.calls import Call, current_call
from gateway.v1 import history_pb2, history_service_pb2_grpc
from gateway.v1 import history_service_pb2 as pb

CHECKS_AHEAD = 2
"""Messages in check: one is checked, the next on its way."""

Trace = Callable[[Call, pb.TraceConsignmentRequest, float | None], Awaitable[pb.TraceConsignmentResponse]]
"""Answers TraceConsignment within seconds (None: no limit)."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class HistoryServicer(history_service_pb2_grpc.HistoryServiceServicer):
    """Handlers of HistoryService."""

    def __init__(
        self,
        *,
        origin: FeedOrigin,
        search: HistorySearch,
        index: IndexWait,
        fanout: HistoryFanout,
        ordered: OrderedSearch,
        trace: Trace,
        rules: RulesInForce,
        suggestions: ControlSuggestions,
        control_changes: ControlChanges,
        database: Database,
        writer: WriterClient,
        checks: RecordChecks,
        new_id: Callable[[], str],
    ) -> None:
        self._origin = origin
        self._search = search
        self._index = index
        self._fanout = fanout
        self._ordered = ordered
        self._trace = trace
        self._rules = rules
        self._suggestions = suggestions
        self._control_changes = control_changes
        self._database = database
        self._risks = RiskQueries(database)
        self._new_id = new_id
        self._writer = writer
        self._checks = checks
        self._pending = PendingItems()

    async def RecordShipments(
        self, request_iterator: AsyncIterator[pb.RecordShipmentsRequest], context: Context
    ) -> AsyncIterator[pb.RecordShipmentsResponse]:
        call = current_call()

        async def begin_check(request: pb.RecordShipmentsRequest) -> Awaitable[CheckedItems]:
            if not 0 < len(request.items) <= MAX_STREAM_ITEMS:
                raise InvalidRequestError(
                    [Violation("items", "repeated.items", f"send 1 to {MAX_STREAM_ITEMS} items at a time")]
                )
            return asyncio.create_task(self._checks.check(request, caller=call.principal.id), name="check records")

        async def begin(checked: CheckedItems) -> Awaitable[pb.RecordShipmentsResponse]:
            good, bad = checked
            call.record(counts={"recorded": len(good), "refused": len(bad)})
            command = RecordCommand(self._origin, good, call.principal.actor)
            durable = self._writer.submit(RecordAndCompareCommand(command, self._pending)) if good else None
            return self._answer(durable, len(good), bad)

        checked = in_order(request_iterator, begin_check, depth=CHECKS_AHEAD)
        async for response in in_order(checked, begin, depth=WINDOW_BATCHES):
            yield response

    @staticmethod
    async def _answer(
        durable: asyncio.Future[Any] | None, recorded: int, refused: list[pb.RefusedItem]
    ) -> pb.RecordShipmentsResponse:
        counts = RecordedCounts(0) if durable is None else await durable
        return pb.RecordShipmentsResponse(recorded=recorded, refused=refused, **counts._asdict())

    async def SearchShipments(
        self, request: pb.SearchShipmentsRequest, context: Context
    ) -> AsyncIterator[pb.SearchShipmentsResponse]:
        validate(request)
        ordered = request.order == pb.SEARCH_ORDER_OVERALL and request.mode != history_pb2.ANSWER_MODE_HIT
        search = self._ordered.search if ordered else self._fanout.search
        async with aclosing(search(current_call(), request, context.time_remaining())) as messages:
            async for message in messages:
                yield message

    async def TraceConsignment(
        self, request: pb.TraceConsignmentRequest, context: Context
    ) -> pb.TraceConsignmentResponse:
        validate(request)
        return await self._trace(current_call(), request, context.time_remaining())

    async def GetShipment(self, request: pb.GetShipmentRequest, context: Context) -> pb.GetShipmentResponse:
        validate(request)
        current_call().record(subject_ids=[request.record_id])
        reading = await asyncio.to_thread(self._read, request.record_id)
        wanted_ms = request.wait_indexed_ms if request.HasField("wait_indexed_ms") else None
        wait = wait_s(wanted_ms, context.time_remaining())
        if reading.unindexed_until and wait:
            await self._index.reached(Lag(1, position=reading.unindexed_until), wait)
            reading = await asyncio.to_thread(self._read, request.record_id)
        if reading.response is not None:
            return reading.response
        if reading.unindexed_until:
            raise NotFoundError(
                f"record_id: record {request.record_id!r} is recorded and not indexed yet; ask again in some seconds"
            )
        raise NotFoundError(f"record_id: there is no record {request.record_id!r} here")

    def _read(self, record_id: str) -> RecordReading:
        reading = self._search.get(record_id)
        if reading.response is not None:
            with self._database.read() as conn:
                reading.response.risk_hits.extend(risks_of(conn, record_id))
        return reading

    async def ListRiskHits(self, request: pb.ListRiskHitsRequest, context: Context) -> pb.ListRiskHitsResponse:
        validate(request)
        return await asyncio.to_thread(self._risks.list, request)

    async def SuggestControls(self, request: pb.SuggestControlsRequest, context: Context) -> pb.SuggestControlsResponse:
        validate(request)
        return await asyncio.to_thread(self._suggestions.suggest, request)

    async def ListControlChanges(
        self, request: pb.ListControlChangesRequest, context: Context
    ) -> pb.ListControlChangesResponse:
        validate(request)
        return await asyncio.to_thread(self._control_changes.list, request)

    async def ListRules(self, request: pb.ListRulesRequest, context: Context) -> pb.ListRulesResponse:
        rules = await asyncio.to_thread(self._read_rules)
        response = pb.ListRulesResponse(rules=rules.describe(), version=rules.version)
        if request.with_outcomes:
            await asyncio.to_thread(self._risks.outcomes, response.rules)
        return response

    def _read_rules(self) -> RuleEngine:
        with self._database.read() as conn:
            return self._rules.read(conn)

    async def PlaceHold(self, request: pb.PlaceHoldRequest, context: Context) -> pb.PlaceHoldResponse:
        validate(request)
        call = current_call()
        call.record(case_reference=request.case_reference)
        command = PlaceHoldCommand(self._origin, request, call.principal.id, call.principal.actor, self._new_id)
        return await self._writer.run(command)

    async def ReleaseHold(self, request: pb.ReleaseHoldRequest, context: Context) -> pb.ReleaseHoldResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.hold_id])
        command = ReleaseHoldCommand(self._origin, request, call.principal.id, call.principal.actor)
        return await self._writer.run(command)

    async def ListHolds(self, request: pb.ListHoldsRequest, context: Context) -> pb.ListHoldsResponse:
        def read() -> list[pb.LegalHold]:
            with self._database.read() as conn:
                return holds.all_of(conn, released=request.released)

        return pb.ListHoldsResponse(holds=await asyncio.to_thread(read))
