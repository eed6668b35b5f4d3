"""Client for shipment records: recording, search and tracing (`client.history`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import grpc.aio

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection, Stubs
from gateway.client.pages import all_rows
from gateway.client.windowed import DEFAULT_PATIENCE_S, WindowedStream, item_error
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.errors import GatewayError, MalformedError, NotFoundError
from gateway.v1 import history_service_pb2 as service
from gateway.v1.history_pb2 import AnswerMode, AnswerStatus, HistoryRecord, NodeAnswer, QueryGrounds, SearchCriteria
from gateway.v1.shipment_pb2 import Shipment, ShipmentAddition
from gateway.v1.trace_pb2 import RiskHit

SEARCH_TIMEOUT_S = 60.0
"""Default seconds for one page of a search."""

TRACE_TIMEOUT_S = 60.0
"""Default seconds for a trace, which takes several rounds of queries."""

ANSWERED = frozenset({AnswerStatus.ANSWER_STATUS_COMPLETE, AnswerStatus.ANSWER_STATUS_PARTIAL})
"""How a node that has answered ends."""

WAIT_AT_ONCE_S = 5.0
"""Most seconds for which one call waits for the index."""

Item = Shipment | ShipmentAddition

RecordOrAnswer = HistoryRecord | NodeAnswer
"""A record, or how a node's search ended."""


@dataclass(frozen=True, slots=True)
class RecordedBatch:
    """The result of one message's items.

    Attributes:
        items: the caller's, in order.
        position: of the last recorded item; everything up to it is durable. 0 if none was recorded.
        recorded: number of recorded items, those that changed nothing included.
        refused: reason by index in `items`; nothing of a refused item is stored.
        added, changed, unchanged: of the recorded items: new records and additions, next revisions, and equal ones.
            The others weren't compared: they were sent twice in this run, or too much waits to be indexed.
    """

    items: Sequence[Item]
    position: int
    recorded: int
    refused: Mapping[int, GatewayError]
    added: int = 0
    changed: int = 0
    unchanged: int = 0


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
        *,
        resent: bool,
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
        counts = {} if resent else {"added": answer.added, "changed": answer.changed, "unchanged": answer.unchanged}
        return [RecordedBatch(carried, answer.position, answer.recorded, refused, **counts)]


class HistoryClient:
    """HistoryService. The contract names each method's roles."""

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

        A refused item doesn't stop the rest. An interrupted stream is opened again and unanswered items are sent again;
        items already stored change nothing, but two contents of one record on the way may both become revisions again,
        in order. Records are indexed some seconds after they are durable.

        Args:
            items: whole shipments (new, or the next revision) and additions; read at the gateway's pace.
            batch: items in a message, 1 to 500.
            patience_s: seconds without an answer after which a failing stream is given up.

        Yields:
            One outcome per message, in order.

        Raises:
            ValueError: `batch` is out of bounds.
            GatewayError: not transient. Items not yielded may be recorded: record them again.
        """
        wrapped = _wrapped_async(items) if isinstance(items, AsyncIterable) else map(_wrapped, items)
        stream = WindowedStream(self._connection, _RecordMethod(), wrapped, batch=batch, patience_s=patience_s)
        async with aclosing(stream.run()) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def get(self, record_id: str, *, wait_indexed_s: float | None = None) -> service.GetShipmentResponse:
        """An own record: newest revision, events, inspections, holds and rules that fired.

        `unindexed` of the response counts what is recorded of it and missing there.

        Args:
            record_id: as it was recorded.
            wait_indexed_s: most seconds to wait until everything recorded of it is indexed; None: 2.

        Raises:
            NotFoundError: there is none, or it isn't indexed yet, as the message says.
        """
        request = service.GetShipmentRequest(record_id=record_id, wait_indexed_ms=_milliseconds(wait_indexed_s))
        method = self._connection.stubs.history.GetShipment
        return await self._connection.unary(method, request, service.GetShipmentResponse)

    async def wait_indexed(self, record_id: str, *, timeout_s: float) -> bool:
        """Waits until a record, and with it everything that was recorded before, is indexed; False after `timeout_s`.

        Publishers and all who may read records.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_s
        while (left_s := ends_at - loop.time()) > 0:
            with suppress(NotFoundError):  # it is recorded, so that it isn't indexed yet
                if not (await self.get(record_id, wait_indexed_s=min(left_s, WAIT_AT_ONCE_S))).unindexed:
                    return True
        return False

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
        wait_indexed_s: float | None = None,
        timeout_s: float = SEARCH_TIMEOUT_S,
    ) -> AsyncGenerator[RecordOrAnswer, None]:
        """Matching records of the node and its partners, page after page.

        A node's NodeAnswer follows its last record of a page and is PARTIAL until the last. It is PARTIAL there too if
        records that may match aren't indexed yet: `unindexed` counts them. Leave the loop early inside
        `contextlib.aclosing`, which ends the work at all nodes.

        Args:
            criteria: all given ones must hold.
            grounds: purpose, legal basis and case; checked and audited on both sides.
            nodes: empty: our node and every partner.
            mode: HIT answers only whether there is a match.
            order: within each node's page; OVERALL: over the records of all nodes, newest declared first. A node that
                doesn't answer is then asked again with each page; the last page is that on which none answers.
            page_size: most records of one node in a page, with OVERALL of all nodes, up to 10,000; 0: the gateway's
                default.
            partner_timeout_ms: milliseconds, up to 60,000; 0: 10,000.
            wait_indexed_s: most seconds to wait, here and at partners, for records that aren't indexed yet; None: 2.
            timeout_s: seconds for one page; passed on to the partners.
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
                wait_indexed_s=wait_indexed_s,
                timeout_s=timeout_s,
            )
            token, answered = "", False
            async with aclosing(page):
                async for item in page:
                    if isinstance(item, service.SearchEnd):
                        token = item.next_page_token
                    else:
                        answered = answered or isinstance(item, HistoryRecord) or item.status in ANSWERED
                        yield item
            if not token or not answered:
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
        wait_indexed_s: float | None = None,
        timeout_s: float = SEARCH_TIMEOUT_S,
    ) -> AsyncGenerator[RecordOrAnswer | service.SearchEnd, None]:
        """One page of `search`; ends with its SearchEnd, which has the next page's token."""
        request = service.SearchShipmentsRequest(
            criteria=criteria,
            grounds=grounds,
            nodes=nodes,
            mode=mode,
            order=order,
            page_size=page_size,
            page_token=page_token,
            partner_timeout_ms=partner_timeout_ms,
            wait_indexed_ms=_milliseconds(wait_indexed_s),
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
        wait_indexed_s: float | None = None,
        timeout_s: float = TRACE_TIMEOUT_S,
    ) -> service.TraceConsignmentResponse:
        """Reconstructs a consignment from any of its references, with discrepancies.

        A partner is asked for nothing that another alone answered and doesn't let be passed on: `trace.onward_refusals`
        counts these links. `drafts` has an alert for each group of recipients that may learn the same.

        Args:
            criteria: references, containers, seals, registrations or record ids.
            grounds, nodes: as in `search`.
            partner_timeout_ms: milliseconds for one query, up to 60,000; 0: 5,000.
            draft_alert: draft alerts of any discrepancies.
            draft_rules: rules for the drafts; none: all.
            wait_indexed_s: as in `search`, for all questions together.
            timeout_s: seconds for the trace.
        """
        request = service.TraceConsignmentRequest(
            criteria=criteria,
            grounds=grounds,
            nodes=nodes,
            partner_timeout_ms=partner_timeout_ms,
            draft_alert=draft_alert,
            draft_rules=draft_rules,
            wait_indexed_ms=_milliseconds(wait_indexed_s),
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
        request = service.ListRiskHitsRequest(filter=filter, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.history.ListRiskHits
        return await self._connection.unary(method, request, service.ListRiskHitsResponse)

    def risk_hits(self, *, filter: str = "", page_size: int = 100) -> AsyncGenerator[RiskHit, None]:
        """Rules that fired on own records, newest first; `filter` e.g. `rule = R05 AND severity = high`."""
        return all_rows(
            lambda token: self.risk_hits_page(filter=filter, page_size=page_size, page_token=token),
            lambda page: page.hits,
        )

    async def rules(self, *, with_outcomes: bool = False) -> service.ListRulesResponse:
        """The node's rules with their thresholds, and the version of the rule set.

        Args:
            with_outcomes: also what inspections of their hits came to.
        """
        method = self._connection.stubs.history.ListRules
        request = service.ListRulesRequest(with_outcomes=with_outcomes)
        return await self._connection.unary(method, request, service.ListRulesResponse)

    async def suggest_controls(
        self, goods: Iterable[service.GoodsWording], *, on: str = ""
    ) -> service.SuggestControlsResponse:
        """Control codes under which goods may stand, explained; `on`: day YYYY-MM-DD, empty for today."""
        method = self._connection.stubs.history.SuggestControls
        request = service.SuggestControlsRequest(goods=goods, on=on)
        return await self._connection.unary(method, request, service.SuggestControlsResponse)

    async def control_changes(self, since: str, until: str = "") -> service.ListControlChangesResponse:
        """Days on which controls begin or end, with the open own records that this touches; days are YYYY-MM-DD."""
        method = self._connection.stubs.history.ListControlChanges
        request = service.ListControlChangesRequest(since=since, until=until)
        return await self._connection.unary(method, request, service.ListControlChangesResponse)

    async def place_hold(
        self, criteria: SearchCriteria, *, reason: str, case_reference: str, request_id: str | None = None
    ) -> service.PlaceHoldResponse:
        """Keeps present and future records from being purged.

        Args:
            criteria: references, containers, seals, registrations, party identifiers and record ids count.
            reason: with the order of the court or authority.
            case_reference: the authority's.
        """
        request = service.PlaceHoldRequest(
            request_id=request_id or new_request_id(), criteria=criteria, reason=reason, case_reference=case_reference
        )
        method = self._connection.stubs.history.PlaceHold
        return await self._connection.unary(method, request, service.PlaceHoldResponse)

    async def release_hold(self, hold_id: str, *, reason: str, request_id: str | None = None) -> None:
        """Releases a hold; records without another hold are purged at their time."""
        request = service.ReleaseHoldRequest(request_id=request_id or new_request_id(), hold_id=hold_id, reason=reason)
        method = self._connection.stubs.history.ReleaseHold
        await self._connection.unary(method, request, service.ReleaseHoldResponse)

    async def holds(self, *, released: bool = False) -> Sequence[service.LegalHold]:
        """Holds, newest first; `released` includes released ones."""
        method = self._connection.stubs.history.ListHolds
        request = service.ListHoldsRequest(released=released)
        return (await self._connection.unary(method, request, service.ListHoldsResponse)).holds


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _wrapped(item: Item) -> service.RecordItem:
    if isinstance(item, ShipmentAddition):
        return service.RecordItem(addition=item)
    return service.RecordItem(shipment=item)


async def _wrapped_async(items: AsyncIterable[Item]) -> AsyncIterator[service.RecordItem]:
    async for item in items:
        yield _wrapped(item)
