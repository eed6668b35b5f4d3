"""Puts a question for shipment history to the own node and to partners, all at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from gateway.contract.filters import decode_page_token, encode_page_token
from gateway.contract.timestamps import to_timestamp
from gateway.errors import AgreementForbidsError, GatewayError, InvalidRequestError, Violation
from gateway.history.codec.signed_texts import in_messages
from gateway.history.rpc.query_client import QueryClient, Take, node_answer
from gateway.history.service.queries import QuerySigner
from gateway.history.service.search import DEFAULT_LIMIT, HistorySearch, require_narrow
from gateway.rpc.calls import Call
from gateway.trust.rules.audit import AuditResult
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import history_pb2
from gateway.v1 import history_service_pb2 as pb

log = logging.getLogger(__name__)

PARTNER_TIMEOUT_S = 10.0
"""Most time for a partner when the caller doesn't say, in seconds."""

MARGIN = 0.1
"""Part of a call's own time that is kept, at most MARGIN_S, to say in time which nodes didn't answer."""

MARGIN_S = 0.2

_COMPLETE, _PARTIAL = history_pb2.ANSWER_STATUS_COMPLETE, history_pb2.ANSWER_STATUS_PARTIAL
_COUNTING = frozenset({_COMPLETE, _PARTIAL, history_pb2.ANSWER_STATUS_TIMED_OUT, history_pb2.ANSWER_STATUS_UNREACHABLE})


class Place(NamedTuple):
    """Where a search goes on at a node: below this position, among what had been recorded up to `as_of`; 0 and 0: from
    the newest record."""

    before: int = 0
    as_of: int = 0


NEWEST = Place()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for at every node.

    Attributes:
        criteria, grounds, mode, order: checked against the contract.
        alternatives: further criteria, by any of which a record is found as well.
        limit: most records from each node.
        whole: of more than that none.
        timeout_s: most time for a partner, in seconds.
        own_timeout_s: most time for the own node; None: without end.
    """

    criteria: history_pb2.SearchCriteria
    grounds: history_pb2.QueryGrounds
    mode: history_pb2.AnswerMode.ValueType
    alternatives: Sequence[history_pb2.SearchCriteria] = ()
    limit: int = DEFAULT_LIMIT
    whole: bool = False
    order: pb.SearchOrder.ValueType = pb.SEARCH_ORDER_UNSPECIFIED
    timeout_s: float = PARTNER_TIMEOUT_S
    own_timeout_s: float | None = None


class HistoryFanout:
    """Asks nodes; used in one event loop."""

    def __init__(
        self,
        *,
        node: str,
        search: HistorySearch,
        asker: QuerySigner,
        questions: QueryClient,
        trust: Callable[[], TrustedDirectory],
        clock: Callable[[], int],
    ) -> None:
        """Takes what it needs.

        Args:
            node: own name.
            search: reads the own records.
            asker: makes questions.
            questions: puts them to partners.
            trust: gives the directory in force.
            clock: gives the time in milliseconds since 1970.
        """
        self._node = node
        self._search = search
        self._asker = asker
        self._questions = questions
        self._trust = trust
        self._clock = clock

    async def search(
        self, call: Call, request: pb.SearchShipmentsRequest, remaining_s: float | None
    ) -> AsyncGenerator[pb.SearchShipmentsResponse]:
        """Answers SearchShipments.

        Args:
            call: whose audit events these are.
            request: checked against the contract.
            remaining_s: what is left of the call's own time, in seconds; None: no end.

        Raises:
            InvalidRequestError: criteria that would find everything, no such node, a token of another search.
        """
        require_narrow(request.criteria)
        positions = self._positions(request)
        wanted = _wanted(request, remaining_s)
        call.concerns(
            purpose=request.grounds.purpose,
            case_reference=request.grounds.case_reference,
            legal_basis=request.grounds.legal_basis,
        )
        named = [field.name for field, _ in request.criteria.ListFields()]
        call.record(reason="SEARCH", subject_ids=sorted(positions), detail=f"criteria: {', '.join(named)}")
        next_positions: dict[str, Place] = {}
        count = 0
        async with aclosing(self._gather(call, wanted, positions, next_positions)) as parts:
            async for message, last in parts:
                count += sum(answer.count for answer in message.answers)
                if last:
                    message.end.next_page_token = _token(request, next_positions)
                    message.end.count = count
                yield message

    async def _gather(
        self, call: Call, wanted: Wanted, positions: Mapping[str, Place], next_positions: dict[str, Place]
    ) -> AsyncGenerator[tuple[pb.SearchShipmentsResponse, bool]]:
        """Asks several nodes at once: messages with records and ends of nodes as they come, each end after its records,
        and whether it is the last.

        What has come while the message before was sent goes out together: each message costs a turn of gRPC's loop.
        In an order by declaration a node's records come once its answer has proved right. Without one they come before
        that, and count only if the node's end isn't FAILED.

        Args:
            call: whose audit events these are.
            wanted: what is looked for.
            positions: nodes to ask, each with where to begin.
            next_positions: gets the nodes that have more, with where to go on.
        """
        queue: asyncio.Queue[pb.SearchShipmentsResponse] = asyncio.Queue()

        async def ask(node: str, place: Place) -> None:
            answer, more_before = await self.ask(call, node, wanted, place=place, put=queue.put_nowait)
            if more_before:
                next_positions[node] = Place(more_before, answer.as_of_position)
            queue.put_nowait(pb.SearchShipmentsResponse(answers=[answer]))

        tasks = [asyncio.create_task(ask(node, place), name=f"ask {node}") for node, place in positions.items()]
        try:
            left = len(tasks)
            if not left:  # where the page before has stopped there is no partner any more
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
        wanted: Wanted,
        *,
        put: Take,
        place: Place = NEWEST,
        kept: list[asyncio.Future[None]] | None = None,
    ) -> tuple[history_pb2.NodeAnswer, int]:
        """Asks one node; whatever happens to it, the result says so.

        Args:
            call: whose audit events these are.
            node: the node.
            wanted: what is looked for.
            put: gets records as they come.
            place: where to begin.
            kept: as QueryClient.put has it.

        Returns:
            Its end, and the position below which there is more; 0 for nothing.
        """
        loop = asyncio.get_running_loop()
        began, buffer = loop.time(), _Buffer(put, wanted.order)
        try:
            if node == self._node:
                answer, more_before = await self._own(wanted, place, buffer)
            else:
                answer, more_before = await self._partner(call, wanted, buffer, node=node, place=place, kept=kept)
            self._audit(call, answer)
        except Exception as error:
            log.exception("asking %s failed", node)
            answer, more_before = (
                node_answer(node, history_pb2.ANSWER_STATUS_FAILED, f"{type(error).__name__}; see the log"),
                0,
            )
        buffer.flush(counts=answer.status in _COUNTING)
        answer.elapsed_ms = int((loop.time() - began) * 1000)
        answer.answered_at.CopyFrom(to_timestamp(self._clock()))
        return answer, more_before

    async def _own(self, wanted: Wanted, place: Place, buffer: _Buffer) -> tuple[history_pb2.NodeAnswer, int]:
        hit_only, more_before, count = wanted.mode == history_pb2.ANSWER_MODE_HIT, 0, 0
        answer = node_answer(self._node, _COMPLETE, "")
        chunks = self._search.chunks(
            wanted.criteria,
            alternatives=wanted.alternatives,
            before=place.before,
            as_of=place.as_of,
            limit=1 if hit_only else wanted.limit,
            whole=wanted.whole and not hit_only,
        )
        try:
            async with asyncio.timeout(wanted.own_timeout_s):
                last = False
                while not last and not answer.hit:
                    chunk = await asyncio.to_thread(next, chunks)
                    answer.as_of_position, more_before, last = chunk.as_of, chunk.more_before, chunk.last
                    for message in chunk.messages:
                        if hit_only:
                            answer.hit, more_before = True, 0
                            break
                        count += len(message.records.records)
                        buffer.put(message)
        except TimeoutError:
            answer.status, answer.reason = history_pb2.ANSWER_STATUS_TIMED_OUT, "not searched to the end in time"
            more_before = 0
        except GatewayError as error:
            answer.status, answer.reason, count = history_pb2.ANSWER_STATUS_FAILED, error.message, 0
            more_before = 0
        if more_before:
            answer.status = _PARTIAL
        answer.count = count
        return answer, more_before

    async def _partner(
        self,
        call: Call,
        wanted: Wanted,
        buffer: _Buffer,
        *,
        node: str,
        place: Place,
        kept: list[asyncio.Future[None]] | None,
    ) -> tuple[history_pb2.NodeAnswer, int]:
        try:
            question = self._asker.question(
                node,
                grounds=wanted.grounds,
                criteria=wanted.criteria,
                alternatives=wanted.alternatives,
                mode=wanted.mode,
                limit=wanted.limit,
                before=place.before,
                as_of=place.as_of,
                whole=wanted.whole,
            )
        except AgreementForbidsError as error:
            return node_answer(node, history_pb2.ANSWER_STATUS_DENIED, error.message), 0
        call.record(reason="QUESTION_SENT", subject_ids=[node, question.query.query_id])
        return await self._questions.put(call, question, buffer.put, timeout_s=wanted.timeout_s, kept=kept)

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
        """Nodes to ask: those named, or the own one and every partner.

        Raises:
            InvalidRequestError: one of them is neither.
        """
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        partners = self._trust().directory.partners(self._node, now)
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

    def _positions(self, request: pb.SearchShipmentsRequest) -> dict[str, Place]:
        asked = self.asked_nodes(request.nodes)
        token = decode_page_token(request.page_token, _tag(request), 1)
        if token is None:
            return dict.fromkeys(asked, NEWEST)
        found = _parsed(token[0])
        return {node: found[node] for node in asked if node in found}


class _Buffer:
    """Hands records on as they come, or in the order that the caller wants once all of a node's are there."""

    def __init__(self, put: Take, order: pb.SearchOrder.ValueType) -> None:
        self._put = put
        self._order = order
        self._kept: list[history_pb2.HistoryRecord] = []

    def put(self, message: pb.SearchShipmentsResponse) -> None:
        if self._order != pb.SEARCH_ORDER_UNSPECIFIED:
            self._kept.extend(message.records.records)
        elif message.records.records:
            self._put(message)

    def flush(self, *, counts: bool) -> None:
        if counts and self._kept:
            newest_first = self._order == pb.SEARCH_ORDER_DECLARED_DESC
            in_order = sorted(self._kept, key=_declared, reverse=newest_first)
            for some in in_messages(in_order, history_pb2.HistoryRecord.ByteSize):
                self._put(_message(some))


def _declared(record: history_pb2.HistoryRecord) -> tuple[int, int]:
    return record.shipment.declared_at.seconds, record.shipment.declared_at.nanos


def _wanted(request: pb.SearchShipmentsRequest, remaining_s: float | None) -> Wanted:
    own_s = None if remaining_s is None else remaining_s - min(MARGIN * remaining_s, MARGIN_S)
    partner_s = request.partner_timeout_ms / 1000 or PARTNER_TIMEOUT_S
    return Wanted(
        request.criteria,
        request.grounds,
        request.mode,
        limit=request.page_size or DEFAULT_LIMIT,
        order=request.order,
        timeout_s=partner_s if own_s is None else min(partner_s, own_s),
        own_timeout_s=own_s,
    )


def _message(records: Sequence[history_pb2.HistoryRecord]) -> pb.SearchShipmentsResponse:
    message = pb.SearchShipmentsResponse()
    message.records.records.extend(records)
    return message


def _tag(request: pb.SearchShipmentsRequest) -> str:
    """What a token belongs to: criteria and how much of each record; grounds, size and order may change."""
    asked = pb.SearchShipmentsRequest(criteria=request.criteria, mode=request.mode, nodes=request.nodes)
    return sha256(asked.SerializeToString(deterministic=True)).hexdigest()


def _token(request: pb.SearchShipmentsRequest, positions: Mapping[str, Place]) -> str:
    if not positions:
        return ""
    return encode_page_token(
        [" ".join(f"{node}:{place.before}:{place.as_of}" for node, place in sorted(positions.items()))], _tag(request)
    )


def _parsed(token: str) -> dict[str, Place]:
    found: dict[str, Place] = {}
    for part in token.split(" "):
        node, *numbers = part.split(":")
        if len(numbers) != 2 or not all(one.isascii() and one.isdigit() and 0 < int(one) < 1 << 62 for one in numbers):
            raise InvalidRequestError(
                [Violation("page_token", "page_token.form", "not a token that a search gave; start again without one")]
            )
        found[node] = Place(*map(int, numbers))
    return found
