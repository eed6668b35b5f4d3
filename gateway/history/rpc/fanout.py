"""Searches shipment history at our node and at partners at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from gateway.contract.messages import to_timestamp
from gateway.errors import AgreementForbidsError, GatewayError, InvalidRequestError, Violation
from gateway.history.rpc.index_wait import IndexWait, wait_s
from gateway.history.rpc.query_client import (
    AwaitedAnswers,
    EarlierVersionError,
    QueryClient,
    RecordSink,
    node_answer,
    tell_lost,
    tell_unindexed,
)
from gateway.history.rpc.record_buffer import RecordBuffer
from gateway.history.rpc.search_pages import START, SearchPosition, decode_positions, encode_positions
from gateway.history.rules.unindexed import Unindexed
from gateway.history.service.criteria import declared_within, require_narrow
from gateway.history.service.queries import QuerySigner
from gateway.history.service.search import DEFAULT_LIMIT, Chunk, HistorySearch
from gateway.rpc.calls import Call
from gateway.trust.rules.audit import AuditResult
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import history_pb2
from gateway.v1 import history_service_pb2 as pb

log = logging.getLogger(__name__)

PARTNER_TIMEOUT_S = 10.0

MARGIN = 0.1
"""Part of a call's time, at most MARGIN_S, left to report nodes that didn't answer."""

MARGIN_S = 0.2

_COMPLETE, _PARTIAL = history_pb2.ANSWER_STATUS_COMPLETE, history_pb2.ANSWER_STATUS_PARTIAL
COUNTING = frozenset({_COMPLETE, _PARTIAL, history_pb2.ANSWER_STATUS_TIMED_OUT, history_pb2.ANSWER_STATUS_UNREACHABLE})


@dataclass(frozen=True, slots=True)
class NodeSearch:
    """A search as each node gets it, valid by the contract.

    Attributes:
        limit: most records from each node.
        whole: no record from a node that has more.
        span: see HistorySearch.chunks.
        follow: also what the found records are linked with at their node, where it knows that.
        timeout_s, own_timeout_s: for a partner and our node (None: none), in seconds.
        wait_ms: most milliseconds to wait for the index at each node; None: DEFAULT_WAIT_S.
    """

    criteria: history_pb2.SearchCriteria
    grounds: history_pb2.QueryGrounds
    mode: history_pb2.AnswerMode.ValueType
    alternatives: Sequence[history_pb2.SearchCriteria] = ()
    limit: int = DEFAULT_LIMIT
    whole: bool = False
    follow: bool = False
    span: tuple[int, int] = (0, 0)
    order: pb.SearchOrder.ValueType = pb.SEARCH_ORDER_UNSPECIFIED
    timeout_s: float = PARTNER_TIMEOUT_S
    own_timeout_s: float | None = None
    wait_ms: int | None = None


class NodeEnd(NamedTuple):
    """How a search ended at one node.

    Attributes:
        further: where it has more; None: it hasn't.
        followed: criteria that were followed beside those of the search.
    """

    answer: history_pb2.NodeAnswer
    further: SearchPosition | None
    followed: Sequence[history_pb2.SearchCriteria] = ()


class HistoryFanout:
    """Searches at nodes; used in one event loop."""

    def __init__(
        self,
        *,
        node: str,
        search: HistorySearch,
        index: IndexWait,
        signer: QuerySigner,
        client: QueryClient,
        trust: Callable[[], TrustedDirectory],
        clock: Callable[[], int],
    ) -> None:
        self._node = node
        self._search = search
        self._index = index
        self._signer = signer
        self._client = client
        self._trust = trust
        self._clock = clock

    async def search(
        self, call: Call, request: pb.SearchShipmentsRequest, remaining_s: float | None
    ) -> AsyncGenerator[pb.SearchShipmentsResponse]:
        """Answers SearchShipments within `remaining_s` seconds (None: no limit).

        Raises:
            InvalidRequestError: too wide criteria, an unknown node, a token of another search.
        """
        positions = self._positions(request)
        query = self.begin(call, request, list(positions), remaining_s)
        next_positions: dict[str, SearchPosition] = {}
        count = 0
        async with aclosing(self._gather(call, query, positions, next_positions)) as parts:
            async for message, last in parts:
                count += sum(answer.count for answer in message.answers)
                if last:
                    message.end.next_page_token = encode_positions(request, next_positions)
                    message.end.count = count
                yield message

    def begin(
        self, call: Call, request: pb.SearchShipmentsRequest, nodes: Sequence[str], remaining_s: float | None
    ) -> NodeSearch:
        """The search for each node, noted in the audit log.

        Raises:
            InvalidRequestError: too wide criteria.
        """
        require_narrow(request.criteria)
        call.concerns(
            purpose=request.grounds.purpose,
            case_reference=request.grounds.case_reference,
            legal_basis=request.grounds.legal_basis,
        )
        named = [field.name for field, _ in request.criteria.ListFields()]
        call.record(reason="SEARCH", subject_ids=sorted(nodes), detail=f"criteria: {', '.join(named)}")
        return _node_search(request, remaining_s)

    async def _gather(
        self,
        call: Call,
        query: NodeSearch,
        positions: Mapping[str, SearchPosition],
        next_positions: dict[str, SearchPosition],
    ) -> AsyncGenerator[tuple[pb.SearchShipmentsResponse, bool]]:
        """Messages with records and ends of nodes, each end after its records, and whether it is the last message.

        Available records share a message, since each costs a turn of gRPC's loop. Sorted records follow the
        verification of their node's answer; others precede it, and count unless its end is FAILED. `next_positions`
        gets the nodes that have more.
        """
        queue: asyncio.Queue[pb.SearchShipmentsResponse] = asyncio.Queue()
        awaited = AwaitedAnswers(positions.keys() - {self._node})

        async def ask(node: str, start: SearchPosition) -> None:
            end = await self.ask(call, node, query, start=start, put=queue.put_nowait, awaited=awaited)
            if end.further is not None:
                next_positions[node] = end.further
            queue.put_nowait(pb.SearchShipmentsResponse(answers=[end.answer]))

        tasks = [asyncio.create_task(ask(node, start), name=f"ask {node}") for node, start in positions.items()]
        try:
            left = len(tasks)
            if not left:  # no node with more is a partner any more
                yield pb.SearchShipmentsResponse(), True
            while left:
                message = await queue.get()
                left -= len(message.answers)
                while not queue.empty():
                    further = queue.get_nowait()
                    left -= len(further.answers)
                    if message.HasField("records") and further.HasField("records"):
                        yield message, False
                        message = further
                    elif further.HasField("records"):
                        further.answers.extend(message.answers)
                        message = further
                    else:
                        message.answers.extend(further.answers)
                yield message, not left
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def ask(
        self,
        call: Call,
        node: str,
        query: NodeSearch,
        *,
        put: RecordSink,
        start: SearchPosition = START,
        awaited: AwaitedAnswers | None = None,
        kept: list[asyncio.Future[None]] | None = None,
    ) -> NodeEnd:
        """Asks one node.

        An error ends up in the node's end. `awaited`, `kept`: see QueryClient.send.
        """
        loop = asyncio.get_running_loop()
        began, buffer = loop.time(), RecordBuffer(put, query.order)
        try:
            if node == self._node:
                end = await self._own(query, start, buffer)
            else:
                asked = self._partner(call, query, buffer, node=node, start=start, awaited=awaited, kept=kept)
                end = await asked
            self._audit(call, end.answer)
        except Exception as error:
            log.exception("asking %s failed", node)
            failed = history_pb2.ANSWER_STATUS_FAILED
            end = NodeEnd(node_answer(node, failed, f"{type(error).__name__}; see the log"), None)
        buffer.flush(valid=end.answer.status in COUNTING)
        end.answer.elapsed_ms = int((loop.time() - began) * 1000)
        end.answer.answered_at.CopyFrom(to_timestamp(self._clock()))
        return end

    async def _own(self, query: NodeSearch, start: SearchPosition, buffer: RecordBuffer) -> NodeEnd:
        hit_only, count = query.mode == history_pb2.ANSWER_MODE_HIT, 0
        answer, further = node_answer(self._node, _COMPLETE, ""), SearchPosition()
        followed: Sequence[history_pb2.SearchCriteria] = ()
        try:
            async with asyncio.timeout(query.own_timeout_s):
                chunks, begun_at, chunk = await self._begun(query, start)
                while True:
                    further = SearchPosition(0 if hit_only else chunk.more_before, chunk.as_of, chunk.recorded)
                    answer.as_of_position, answer.hit = chunk.as_of, hit_only and bool(chunk.records)
                    answer.searched_until.CopyFrom(to_timestamp(chunk.lag.since or begun_at))
                    for message in () if hit_only else chunk.messages:
                        count += len(message.records.records)
                        buffer.put(message)
                    followed = chunk.followed
                    if chunk.last or answer.hit:
                        break
                    chunk = await asyncio.to_thread(next, chunks)
            if further.before:
                answer.status = _PARTIAL
            tell_unindexed(answer, Unindexed(chunk.lag.records))
            tell_lost(answer, self._search.lost_before_ms(query.criteria, query.alternatives))
        except TimeoutError:
            answer.status, answer.reason = history_pb2.ANSWER_STATUS_TIMED_OUT, "not searched to the end in time"
            further = SearchPosition()
        except GatewayError as error:
            answer.status, answer.reason, count = history_pb2.ANSWER_STATUS_FAILED, error.message, 0
            further = SearchPosition()
        answer.count = count
        return NodeEnd(answer, further if further.before else None, followed)

    async def _begun(self, query: NodeSearch, start: SearchPosition) -> tuple[Iterator[Chunk], int, Chunk]:
        """A search at our node, when it began, and its first chunk, after the wait for the index."""
        chunks, begun_at = self._chunks(query, start), self._clock()
        chunk = await asyncio.to_thread(next, chunks)
        wait = wait_s(query.wait_ms, query.own_timeout_s)
        if chunk.lag.records and wait and not start.before:
            await self._index.reached(chunk.lag, wait)
            chunks, begun_at = self._chunks(query, start), self._clock()
            chunk = await asyncio.to_thread(next, chunks)
        return chunks, begun_at, chunk

    def _chunks(self, query: NodeSearch, start: SearchPosition) -> Iterator[Chunk]:
        hit_only = query.mode == history_pb2.ANSWER_MODE_HIT
        return self._search.chunks(
            query.criteria,
            alternatives=query.alternatives,
            span=query.span,
            before=start.before,
            as_of=start.as_of,
            recorded=start.recorded,
            limit=1 if hit_only else query.limit,
            whole=query.whole and not hit_only,
            follow=_anything if query.follow and not hit_only else None,
        )

    async def _partner(
        self,
        call: Call,
        query: NodeSearch,
        buffer: RecordBuffer,
        *,
        node: str,
        start: SearchPosition,
        awaited: AwaitedAnswers | None,
        kept: list[asyncio.Future[None]] | None,
    ) -> NodeEnd:
        follow = query.follow and not self._client.streams(node)
        knows_spans = self._client.knows_spans(node)
        try:
            signed = self._signer.sign(
                node,
                grounds=query.grounds,
                criteria=query.criteria if knows_spans else declared_within(query.criteria, query.span),
                alternatives=query.alternatives,
                mode=query.mode,
                limit=query.limit,
                before=start.before,
                as_of=start.as_of,
                whole=query.whole,
                follow=follow,
                span=query.span if knows_spans else (0, 0),
            )
        except AgreementForbidsError as error:
            if awaited is not None:
                awaited.came(node)
            return NodeEnd(node_answer(node, history_pb2.ANSWER_STATUS_DENIED, error.message), None)
        call.record(reason="QUESTION_SENT", subject_ids=[node, signed.query.query_id])
        wait_ms = round(wait_s(query.wait_ms, query.timeout_s) * 1000)
        try:
            answer, more_before, followed = await self._client.send(
                call, signed, buffer.put, timeout_s=query.timeout_s, wait_ms=wait_ms, awaited=awaited, kept=kept
            )
        except EarlierVersionError:
            return await self._partner(call, query, buffer, node=node, start=start, awaited=awaited, kept=kept)
        return NodeEnd(answer, SearchPosition(more_before, answer.as_of_position) if more_before else None, followed)

    def _audit(self, call: Call, answer: history_pb2.NodeAnswer) -> None:
        status = history_pb2.AnswerStatus.Name(answer.status).removeprefix("ANSWER_STATUS_")
        denied = answer.status == history_pb2.ANSWER_STATUS_DENIED
        call.record(
            reason=AgreementForbidsError.reason if denied else f"ANSWER_{status}",
            result=AuditResult.DENY if denied else AuditResult.ALLOW,
            subject_ids=[answer.node, *filter(None, [answer.query_id])],
            counts={"records": answer.count, "withheld": answer.withheld},
            detail=answer.reason,
        )

    def asked_nodes(self, named: Sequence[str]) -> list[str]:
        """The named nodes, or all.

        Raises:
            InvalidRequestError: a node is no partner.
        """
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        directory = self._trust().directory
        partners = directory.partners(self._node, now)
        former = [sentence for name in sorted(set(named)) if (sentence := directory.why_no_member(name))]
        if former:
            raise InvalidRequestError([Violation("nodes", "nodes.known", "; ".join(former))])
        if unknown := sorted(set(named) - partners - {self._node}):
            raise InvalidRequestError(
                [
                    Violation(
                        "nodes",
                        "nodes.known",
                        f"{', '.join(unknown)}: no partner of {self._node}; these are {', '.join(sorted(partners))}",
                    )
                ]
            )
        return list(named) or [self._node, *sorted(partners)]

    def _positions(self, request: pb.SearchShipmentsRequest) -> dict[str, SearchPosition]:
        nodes = self.asked_nodes(request.nodes)
        positions = decode_positions(request)
        if positions is None:
            return dict.fromkeys(nodes, START)
        return {node: positions[node] for node in nodes if node in positions}


def _anything(_criteria: history_pb2.SearchCriteria) -> bool:
    """Our records may be searched by anything."""
    return True


def _node_search(request: pb.SearchShipmentsRequest, remaining_s: float | None) -> NodeSearch:
    own_s = None if remaining_s is None else remaining_s - min(MARGIN * remaining_s, MARGIN_S)
    partner_s = request.partner_timeout_ms / 1000 or PARTNER_TIMEOUT_S
    return NodeSearch(
        request.criteria,
        request.grounds,
        request.mode,
        limit=request.page_size or DEFAULT_LIMIT,
        order=request.order,
        timeout_s=partner_s if own_s is None else min(partner_s, own_s),
        own_timeout_s=own_s,
        wait_ms=request.wait_indexed_ms if request.HasField("wait_indexed_ms") else None,
    )
