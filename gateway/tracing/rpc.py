"""Traces one consignment: queries all nodes in rounds, assembles the legs, and evaluates the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from gateway.feed.rpc.writer_client import WriterClient, forget
from gateway.history.rpc.fanout import HistoryFanout, NodeSearch
from gateway.history.service.criteria import require_exact
from gateway.history.service.risk import SiblingSearch
from gateway.risk.rule_engine import RuleEngine
from gateway.rpc.calls import Call
from gateway.tracing.rules.assembly import assemble
from gateway.tracing.rules.draft import draft_alert
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.inquiry import next_criteria
from gateway.tracing.rules.records import RecordHit
from gateway.v1 import history_pb2
from gateway.v1 import history_service_pb2 as pb

ROUNDS_LIMIT = 200
"""Most records of a node for one question: a trace takes 300."""

TRADERS_LIMIT = 50
"""Most records of a node for the question about traders: those of larger traders link to nothing without doubt."""

PARTNER_TIMEOUT_S = 5.0
"""Default time limit for a partner's answer."""

_PROVED = frozenset({history_pb2.ANSWER_STATUS_COMPLETE, history_pb2.ANSWER_STATUS_PARTIAL})
"""Only these answers have a statement that proves their records."""


class HistoryTracer:
    """Traces; used in one event loop."""

    def __init__(
        self,
        *,
        node: str,
        fanout: HistoryFanout,
        rules: RuleEngine,
        siblings: SiblingSearch,
        writer: WriterClient,
        clock: Callable[[], int],
    ) -> None:
        self._node = node
        self._writer = writer
        self._fanout = fanout
        self._rules = rules
        self._siblings = siblings
        self._clock = clock

    async def trace(
        self, call: Call, request: pb.TraceConsignmentRequest, remaining_s: float | None
    ) -> pb.TraceConsignmentResponse:
        """Answers TraceConsignment within `remaining_s` seconds (None: no limit).

        Raises:
            InvalidRequestError: inexact criteria, or an unknown node.
        """
        _require_start(request.criteria)
        positions = self._fanout.asked_nodes(request.nodes)
        call.concerns(
            purpose=request.grounds.purpose,
            case_reference=request.grounds.case_reference,
            legal_basis=request.grounds.legal_basis,
        )
        named = [field.name for field, _ in request.criteria.ListFields()]
        call.record(reason="TRACE", subject_ids=sorted(positions), detail=f"criteria: {', '.join(named)}")
        kept: list[asyncio.Future[None]] = []
        try:
            gathering, answers, asked = await self._rounds(call, request, positions, remaining_s, kept)
            await self._writer.flush(kept)  # the response must be provable later
        finally:
            for future in kept:
                forget(future)
        return await asyncio.to_thread(self._whole, request, gathering, answers, asked)

    async def _rounds(
        self,
        call: Call,
        request: pb.TraceConsignmentRequest,
        nodes: Sequence[str],
        remaining_s: float | None,
        kept: list[asyncio.Future[None]],
    ) -> tuple[Gathering, list[history_pb2.NodeAnswer], list[history_pb2.SearchCriteria]]:
        """Asks all nodes all open questions at once, round by round.

        `kept` gets the commits that make answers durable as evidence.
        """
        timeout_s = request.partner_timeout_ms / 1000 or PARTNER_TIMEOUT_S
        ends_at = None if remaining_s is None else asyncio.get_running_loop().time() + remaining_s
        asked: list[history_pb2.SearchCriteria] = []
        gathering = Gathering()
        answers: list[history_pb2.NodeAnswer] = []
        questions, reached = [request.criteria], list(nodes)
        while questions and reached:
            left_s = timeout_s if ends_at is None else min(timeout_s, ends_at - asyncio.get_running_loop().time() - 0.1)
            if left_s <= 0:
                break
            for_traders = bool(asked and questions[0].party_identifiers)
            limit = TRADERS_LIMIT if for_traders else ROUNDS_LIMIT * len(questions)
            wanted = _wanted(request, questions, limit=limit, whole=for_traders, timeout_s=left_s)
            for records, answer in await self._ask(call, wanted, reached, kept):
                cut = for_traders and answer.status == history_pb2.ANSWER_STATUS_PARTIAL
                if cut:
                    answer.status = history_pb2.ANSWER_STATUS_COMPLETE
                elif answer.status in _PROVED:
                    gathering.add(_found(records, questions if asked else (), answer.query_id))
                answers.append(answer)
            # A late node would delay every round.
            reached = [answer.node for answer in answers[-len(reached) :] if answer.status in _PROVED]
            asked.extend(questions)
            questions = await asyncio.to_thread(next_criteria, gathering, asked)
        return gathering, answers, asked

    async def _ask(
        self, call: Call, wanted: NodeSearch, nodes: Sequence[str], kept: list[asyncio.Future[None]]
    ) -> list[tuple[list[history_pb2.HistoryRecord], history_pb2.NodeAnswer]]:
        """Records and answers in the order of nodes."""

        async def one(node: str) -> tuple[list[history_pb2.HistoryRecord], history_pb2.NodeAnswer]:
            messages: list[pb.SearchShipmentsResponse] = []
            answer, _ = await self._fanout.ask(call, node, wanted, put=messages.append, kept=kept)
            return [record for message in messages for record in message.records.records], answer

        async with asyncio.TaskGroup() as asking:
            tasks = [asking.create_task(one(node), name=f"ask {node}") for node in nodes]
        return [task.result() for task in tasks]

    def _whole(
        self,
        request: pb.TraceConsignmentRequest,
        gathering: Gathering,
        answers: Sequence[history_pb2.NodeAnswer],
        asked: Sequence[history_pb2.SearchCriteria],
    ) -> pb.TraceConsignmentResponse:
        trace = assemble(gathering, answers, asked)
        for leg in trace.legs:
            leg.controlled.extend(self._rules.controlled_items(leg.record.shipment))
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        siblings = self._siblings.of_trace(trace, self._node)
        trace.discrepancies.extend(self._rules.examine(trace, now, siblings=siblings))
        trace.rules_version = self._rules.version
        trace.controlled_goods_version = self._rules.controlled_goods_version
        response = pb.TraceConsignmentResponse(trace=trace)
        if request.draft_alert:
            wanted = set(request.draft_rules)
            chosen = [discrepancy for discrepancy in trace.discrepancies if not wanted or discrepancy.rule_id in wanted]
            draft = draft_alert(trace, chosen, request.grounds, self._node, now=now)
            if draft is not None:
                response.draft.CopyFrom(draft)
        return response


def _require_start(criteria: history_pb2.SearchCriteria) -> None:
    require_exact(
        criteria,
        "trace.start",
        "a trace begins with references, containers, seals, registrations, party identifiers or record ids: "
        "search first, then trace what was found",
    )


def _wanted(
    request: pb.TraceConsignmentRequest,
    questions: Sequence[history_pb2.SearchCriteria],
    *,
    limit: int,
    whole: bool,
    timeout_s: float,
) -> NodeSearch:
    first, *further = questions
    return NodeSearch(
        first,
        request.grounds,
        history_pb2.ANSWER_MODE_RECORDS,
        alternatives=further,
        limit=limit,
        whole=whole,
        timeout_s=timeout_s,
        own_timeout_s=timeout_s,
    )


def _found(
    records: Iterable[history_pb2.HistoryRecord], questions: Sequence[history_pb2.SearchCriteria], query_id: str
) -> Iterator[RecordHit]:
    """Records with each question they answer."""
    for record in records:
        met = list(record.met) or [0]
        record.ClearField("met")
        if not questions:
            yield RecordHit(record, query_id=query_id)
        for number in met if questions else ():
            if number < len(questions):
                yield RecordHit(record, questions[number], query_id)
