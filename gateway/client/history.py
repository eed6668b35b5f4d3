"""HistoryClient: records, searches and traces shipments, own and partners'.

Reached as `client.history`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc.aio

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection, Stubs
from gateway.client.pages import all_rows
from gateway.client.windowed import DEFAULT_PATIENCE_S, WindowedStream, item_error
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.errors import GatewayError, MalformedError
from gateway.v1 import history_service_pb2 as service
from gateway.v1.history_pb2 import AnswerMode, HistoryRecord, NodeAnswer, QueryGrounds, SearchCriteria
from gateway.v1.shipment_pb2 import Shipment, ShipmentAddition
from gateway.v1.trace_pb2 import RiskHit

SEARCH_TIMEOUT_S = 60.0
"""Seconds that one page of a search may take when the caller doesn't say."""

TRACE_TIMEOUT_S = 60.0
"""Seconds that a trace may take when the caller doesn't say: it takes several rounds of queries."""

Item = Shipment | ShipmentAddition

RecordOrAnswer = HistoryRecord | NodeAnswer
"""An item of a search: a record, or how a node's search ended."""


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """The result of the items of one message, which are consecutive.

    Attributes:
        items: those of the caller, in their order.
        position: of the last that was recorded, among all that the node has recorded; 0 when none was. Everything up to
            it is durable.
        recorded: how many were recorded, those that say nothing new among them.
        refused: index in `items` to the reason; nothing of a refused item is stored.
    """

    items: Sequence[Item]
    position: int
    recorded: int
    refused: Mapping[int, GatewayError]


class _RecordMethod:
    """The messages of RecordShipments."""

    noun = "record"

    def open(self, stubs: Stubs) -> Any:
        return stubs.history.RecordShipments()

    def message(self, items: Sequence[service.RecordItem]) -> service.RecordShipmentsRequest:
        return service.RecordShipmentsRequest(items=items)

    def outcomes(
        self,
        items: Sequence[service.RecordItem],
        unsent: Mapping[int, GatewayError],
        response: service.RecordShipmentsResponse | None,
    ) -> list[RecordedBatch]:
        answer = response if response is not None else service.RecordShipmentsResponse()
        sent = [index for index in range(len(items)) if index not in unsent]
        refused = dict(unsent)
        for refusal in answer.refused:
            if refusal.index >= len(sent):
                raise MalformedError(f"the gateway refused item {refusal.index} of a message of {len(sent)}")
            refused[sent[refusal.index]] = item_error(refusal.error)
        if answer.recorded + len(refused) != len(items):
            raise MalformedError(
                f"the gateway answered {len(sent)} items with {answer.recorded} recorded and "
                f"{len(answer.refused)} refused"
            )
        carried = [item.addition if item.WhichOneof("item") == "addition" else item.shipment for item in items]
        return [RecordedBatch(carried, answer.position, answer.recorded, refused)]


class HistoryClient:
    """HistoryService. Who may call what stands in the contract; errors are those of `GatewayClient`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def record(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        batch: int = MAX_STREAM_ITEMS,
        patience_s: float = DEFAULT_PATIENCE_S,
    ) -> AsyncGenerator[RecordedBatch, None]:
        """Records shipments, and events and inspections of recorded ones, over one stream.

        A refused item doesn't stop the rest. An interrupted stream is opened again and unanswered items are sent again:
        content, events and inspections that are stored already change nothing. If two contents of one record were on
        the way, both may become revisions again, in order; the last one is the same. Records are indexed some seconds
        after they are durable.

        Args:
            items: whole shipments (new ones, or the next revision of one) and additions; taken as fast as the gateway
                takes them.
            batch: items in one message, 1 to 500.
            patience_s: seconds without an answer after which a stream that keeps failing is given up.

        Yields:
            One outcome per message, in the order of the items.

        Raises:
            ValueError: `batch` is out of its bounds.
            GatewayError: a failure that isn't transient. Yielded items are recorded, the rest may be: record
                it again.
        """
        wrapped = _wrapped_async(items) if isinstance(items, AsyncIterable) else map(_wrapped, items)
        stream = WindowedStream(self._connection, _RecordMethod(), wrapped, batch=batch, patience_s=patience_s)
        async with aclosing(stream.run()) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def get(self, record_id: str) -> service.GetShipmentResponse:
        """An own record: its newest revision, all that was recorded of it, holds, and rules that fired.

        Raises:
            NotFoundError: there is none; one that was recorded just now takes some seconds.
        """
        request = service.GetShipmentRequest(record_id=record_id)
        method = self._connection.stubs.history.GetShipment
        return await self._connection.unary(method, request, service.GetShipmentResponse)

    async def search(
        self,
        criteria: SearchCriteria,
        grounds: QueryGrounds,
        *,
        nodes: Iterable[str] = (),
        mode: AnswerMode.ValueType = AnswerMode.ANSWER_MODE_RECORDS,
        order: service.SearchOrder.ValueType = service.SearchOrder.SEARCH_ORDER_UNSPECIFIED,
        page_size: int = 0,
        partner_timeout_ms: int = 0,
        timeout_s: float = SEARCH_TIMEOUT_S,
    ) -> AsyncGenerator[RecordOrAnswer, None]:
        """All matching records of the own node and its partners, page after page.

        A node's NodeAnswer follows its last record of a page; all but the last are PARTIAL. Leave the loop early inside
        `contextlib.aclosing`, which ends the work at all nodes.

        Args:
            criteria: all given ones must hold.
            grounds: purpose, legal basis and case; mandatory, checked and audited on both sides.
            nodes: to query; empty: the own one and every partner.
            mode: HIT answers only whether there is a match.
            order: within each node's page.
            page_size: most records of one node in one page, up to 10,000; 0: as many as the gateway thinks fit.
            partner_timeout_ms: most time for a partner in milliseconds, up to 60,000; 0: 10,000.
            timeout_s: seconds that one page may take; passed on to the partners.
        """
        token = ""
        while True:
            page = self.search_page(
                criteria,
                grounds,
                nodes=nodes,
                mode=mode,
                order=order,
                page_size=page_size,
                page_token=token,
                partner_timeout_ms=partner_timeout_ms,
                timeout_s=timeout_s,
            )
            token = ""
            async with aclosing(page):
                async for item in page:
                    if isinstance(item, service.SearchEnd):
                        token = item.next_page_token
                    else:
                        yield item
            if not token:
                return

    async def search_page(
        self,
        criteria: SearchCriteria,
        grounds: QueryGrounds,
        *,
        nodes: Iterable[str] = (),
        mode: AnswerMode.ValueType = AnswerMode.ANSWER_MODE_RECORDS,
        order: service.SearchOrder.ValueType = service.SearchOrder.SEARCH_ORDER_UNSPECIFIED,
        page_size: int = 0,
        page_token: str = "",
        partner_timeout_ms: int = 0,
        timeout_s: float = SEARCH_TIMEOUT_S,
    ) -> AsyncGenerator[RecordOrAnswer | service.SearchEnd, None]:
        """One page of `search`; the last that comes is its SearchEnd, with the token of the next page."""
        request = service.SearchShipmentsRequest(
            criteria=criteria,
            grounds=grounds,
            nodes=nodes,
            mode=mode,
            order=order,
            page_size=page_size,
            page_token=page_token,
            partner_timeout_ms=partner_timeout_ms,
        )
        call = self._connection.stubs.history.SearchShipments(request, timeout=timeout_s)
        try:
            async for response in call:
                for record in response.records.records:
                    yield record
                for answer in response.answers:
                    yield answer
                if response.HasField("end"):
                    yield response.end
        except grpc.aio.AioRpcError as error:
            raise self._connection.error(error) from None
        finally:
            call.cancel()

    async def trace(
        self,
        criteria: SearchCriteria,
        grounds: QueryGrounds,
        *,
        nodes: Iterable[str] = (),
        partner_timeout_ms: int = 0,
        draft_alert: bool = False,
        draft_rules: Iterable[str] = (),
        timeout_s: float = TRACE_TIMEOUT_S,
    ) -> service.TraceConsignmentResponse:
        """Reconstructs one consignment from any of its references, with discrepancies.

        Args:
            criteria: where to begin: references, containers, seals, registrations or record ids.
            grounds: as in `search`.
            nodes: to query; empty: the own one and every partner.
            partner_timeout_ms: most time for a partner's answer to one query, up to 60,000 milliseconds; 0: 5,000.
            draft_alert: whether a draft alert is made of the discrepancies, if there are any.
            draft_rules: rules whose discrepancies it is made of; none: all.
            timeout_s: seconds that the trace may take.
        """
        request = service.TraceConsignmentRequest(
            criteria=criteria,
            grounds=grounds,
            nodes=nodes,
            partner_timeout_ms=partner_timeout_ms,
            draft_alert=draft_alert,
            draft_rules=draft_rules,
        )
        try:
            response: service.TraceConsignmentResponse = await self._connection.stubs.history.TraceConsignment(
                request, timeout=timeout_s
            )
        except grpc.aio.AioRpcError as error:
            raise self._connection.error(error) from None
        return response

    async def risk_hits_page(
        self, *, filter: str = "", page_size: int = 0, page_token: str = ""
    ) -> service.ListRiskHitsResponse:
        """One page of rules that fired on own records, newest first."""
        request = service.ListRiskHitsRequest(filter=filter, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.history.ListRiskHits
        return await self._connection.unary(method, request, service.ListRiskHitsResponse)

    def risk_hits(self, *, filter: str = "", page_size: int = 100) -> AsyncGenerator[RiskHit, None]:
        """Rules that fired on own records, newest first, page after page.

        Args:
            filter: conditions joined by AND on rule, severity and record, e.g. `rule = R05 AND severity = high`.
            page_size: hits asked for at once, up to 1,000.
        """
        return all_rows(
            lambda token: self.risk_hits_page(filter=filter, page_size=page_size, page_token=token),
            lambda page: page.hits,
        )

    async def rules(self) -> service.ListRulesResponse:
        """The rules with their thresholds at this node, and the version of them all."""
        method = self._connection.stubs.history.ListRules
        return await self._connection.unary(method, service.ListRulesRequest(), service.ListRulesResponse)

    async def place_hold(
        self, criteria: SearchCriteria, *, reason: str, case_reference: str, request_id: str | None = None
    ) -> service.PlaceHoldResponse:
        """Keeps records from being purged, whenever they were or are recorded.

        Args:
            criteria: which: references, containers, seals, registrations, party identifiers and record ids count.
            reason: with the order of the court or authority.
            case_reference: the own authority's.
        """
        request = service.PlaceHoldRequest(
            request_id=request_id or new_request_id(), criteria=criteria, reason=reason, case_reference=case_reference
        )
        method = self._connection.stubs.history.PlaceHold
        return await self._connection.unary(method, request, service.PlaceHoldResponse)

    async def release_hold(self, hold_id: str, *, reason: str, request_id: str | None = None) -> None:
        """Releases a hold: records without another hold are purged at their time."""
        request = service.ReleaseHoldRequest(request_id=request_id or new_request_id(), hold_id=hold_id, reason=reason)
        method = self._connection.stubs.history.ReleaseHold
        await self._connection.unary(method, request, service.ReleaseHoldResponse)

    async def holds(self, *, released: bool = False) -> Sequence[service.LegalHold]:
        """Holds, newest first; `released`: released ones too."""
        method = self._connection.stubs.history.ListHolds
        request = service.ListHoldsRequest(released=released)
        return (await self._connection.unary(method, request, service.ListHoldsResponse)).holds


def _wrapped(item: Item) -> service.RecordItem:
    if isinstance(item, ShipmentAddition):
        return service.RecordItem(addition=item)
    return service.RecordItem(shipment=item)


async def _wrapped_async(items: AsyncIterable[Item]) -> AsyncIterator[service.RecordItem]:
    async for item in items:
        yield _wrapped(item)
