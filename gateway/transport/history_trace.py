"""Traces one consignment: asks all nodes round by round, puts the legs together, and has the rules look at the whole.

Owns the rounds and their time. Doesn't own what to ask next and what belongs together (gateway.consignment), what
doesn't add up (gateway.risk), or how nodes are asked (transport.history_fanout).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

from gateway.consignment.assembly import assemble
from gateway.consignment.draft import draft_alert
from gateway.consignment.inquiry import next_criteria
from gateway.consignment.records import Found
from gateway.errors import InvalidRequestError, Violation
from gateway.risk.rules import Rules
from gateway.services.history_search import require_narrow
from gateway.transport.calls import Call
from gateway.transport.history_fanout import HistoryFanout, Wanted
from gateway.v1 import history_pb2
from gateway.v1 import history_service_pb2 as pb

ROUNDS_LIMIT = 200
"""Most records that one node gives to one question: a trace takes 300 in all."""

TRADERS_LIMIT = 50
"""Most records that one node gives to the question for traders. Of one who ships more in that time nothing joins by
party, quantity and time without doubt: what came of that question there doesn't count, and cuts off nothing."""

PARTNER_TIMEOUT_S = 5.0
"""Most time for a partner's answer to one question when the caller doesn't say, in seconds."""

_TOO_WIDE = ("party_names", "commodity_codes", "substances", "places", "vessel", "journey")

_WORSE = (
    history_pb2.ANSWER_STATUS_FAILED,
    history_pb2.ANSWER_STATUS_UNREACHABLE,
    history_pb2.ANSWER_STATUS_TIMED_OUT,
    history_pb2.ANSWER_STATUS_DENIED,
    history_pb2.ANSWER_STATUS_PARTIAL,
    history_pb2.ANSWER_STATUS_COMPLETE,
)


class HistoryTracer:
    """Traces; used in one event loop."""

    def __init__(
        self,
        *,
        node: str,
        fanout: HistoryFanout,
        rules: Rules,
        clock: Callable[[], int],
    ) -> None:
        """Takes what it needs.

        Args:
            node: own name.
            fanout: asks nodes.
            rules: look at the whole.
            clock: the time in milliseconds since 1970.
        """
        self._node = node
        self._fanout = fanout
        self._rules = rules
        self._clock = clock

    async def trace(
        self, call: Call, request: pb.TraceConsignmentRequest, remaining_s: float | None
    ) -> pb.TraceConsignmentResponse:
        """Answers TraceConsignment.

        Args:
            call: whose audit events these are.
            request: checked against the contract.
            remaining_s: what is left of the call's own time, in seconds; None: no end.

        Raises:
            InvalidRequestError: criteria that don't name a consignment, or a node that there isn't.
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
        found, answers, asked = await self._rounds(call, request, positions, remaining_s)
        return await asyncio.to_thread(self._whole, request, found, answers, asked)

    async def _rounds(
        self,
        call: Call,
        request: pb.TraceConsignmentRequest,
        nodes: Sequence[str],
        remaining_s: float | None,
    ) -> tuple[list[Found], list[history_pb2.NodeAnswer], list[history_pb2.SearchCriteria]]:
        timeout_s = request.partner_timeout_ms / 1000 or PARTNER_TIMEOUT_S
        ends_at = None if remaining_s is None else asyncio.get_running_loop().time() + remaining_s
        asked: list[history_pb2.SearchCriteria] = []
        found: list[Found] = []
        answers: dict[str, history_pb2.NodeAnswer] = {}
        questions = [request.criteria]
        while questions:
            left_s = timeout_s if ends_at is None else min(timeout_s, ends_at - asyncio.get_running_loop().time() - 0.1)
            if left_s <= 0:
                break
            reached = [node for node in nodes if _may_be_asked(answers.get(node))]
            limits = [TRADERS_LIMIT if asked and one.party_identifiers else ROUNDS_LIMIT for one in questions]
            rounds = [
                self._ask(call, request, one, reached, limit=limit, timeout_s=left_s)
                for one, limit in zip(questions, limits, strict=True)
            ]
            for criteria, limit, (records, ended) in zip(questions, limits, await asyncio.gather(*rounds), strict=True):
                by = criteria if asked else None
                cut = {one.node for one in ended if one.status == history_pb2.ANSWER_STATUS_PARTIAL}
                beyond = cut if limit == TRADERS_LIMIT else set()
                found.extend(Found(record, by) for record in records if record.node not in beyond)
                for answer in ended:
                    if answer.node in beyond:
                        answer.status = history_pb2.ANSWER_STATUS_COMPLETE
                    answers[answer.node] = _worse(answers.get(answer.node), answer)
                asked.append(criteria)
            questions = await asyncio.to_thread(next_criteria, found, asked)
        return found, [answers[node] for node in nodes if node in answers], asked

    async def _ask(
        self,
        call: Call,
        request: pb.TraceConsignmentRequest,
        criteria: history_pb2.SearchCriteria,
        nodes: Sequence[str],
        *,
        limit: int,
        timeout_s: float,
    ) -> tuple[list[history_pb2.HistoryRecord], list[history_pb2.NodeAnswer]]:
        wanted = Wanted(
            criteria,
            request.grounds,
            history_pb2.ANSWER_MODE_RECORDS,
            limit=limit,
            order=pb.SEARCH_ORDER_DECLARED_ASC,  # so that records come only once their answer has proved right
            timeout_s=timeout_s,
            own_timeout_s=timeout_s,
        )
        records: list[history_pb2.HistoryRecord] = []
        ended: list[history_pb2.NodeAnswer] = []
        async with aclosing(self._fanout.gather(call, wanted, dict.fromkeys(nodes, 0), {})) as messages:
            async for message in messages:
                if message.HasField("answer"):
                    ended.append(message.answer)
                else:
                    records.extend(message.records.records)
        return records, ended

    def _whole(
        self,
        request: pb.TraceConsignmentRequest,
        found: Sequence[Found],
        answers: Sequence[history_pb2.NodeAnswer],
        asked: Sequence[history_pb2.SearchCriteria],
    ) -> pb.TraceConsignmentResponse:
        trace = assemble(found, answers, asked)
        for leg in trace.legs:
            leg.controlled.extend(self._rules.controlled_items(leg.record.shipment))
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        trace.discrepancies.extend(self._rules.examine(trace, now))
        trace.rules_version = self._rules.version
        trace.controlled_goods_version = self._rules.controlled_goods_version
        response = pb.TraceConsignmentResponse(trace=trace)
        if request.draft_alert:
            wanted = set(request.draft_rules)
            chosen = [one for one in trace.discrepancies if not wanted or one.rule_id in wanted]
            draft = draft_alert(trace, chosen, request.grounds, self._node, now=now)
            if draft is not None:
                response.draft.CopyFrom(draft)
        return response


def _require_start(criteria: history_pb2.SearchCriteria) -> None:
    require_narrow(criteria)
    found = [
        Violation(
            f"criteria.{name}",
            "trace.start",
            "a trace begins with references, containers, seals, registrations, party identifiers or record ids: "
            "search first, then trace what was found",
        )
        for name in _TOO_WIDE
        if getattr(criteria, name)
    ]
    if found:
        raise InvalidRequestError(found)


def _may_be_asked(answer: history_pb2.NodeAnswer | None) -> bool:
    """Whether a node that answered so is asked again: who didn't answer in time isn't waited for in every round."""
    return answer is None or answer.status in (
        history_pb2.ANSWER_STATUS_COMPLETE,
        history_pb2.ANSWER_STATUS_PARTIAL,
    )


def _worse(before: history_pb2.NodeAnswer | None, answer: history_pb2.NodeAnswer) -> history_pb2.NodeAnswer:
    """Of a node's answers the one that went worst, with the records and withheld fields of all."""
    if before is None:
        return answer
    worst = min(before, answer, key=lambda one: _WORSE.index(one.status) if one.status in _WORSE else len(_WORSE))
    told = history_pb2.NodeAnswer()
    told.CopyFrom(worst)
    told.count = before.count + answer.count
    told.withheld = before.withheld + answer.withheld
    told.elapsed_ms = before.elapsed_ms + answer.elapsed_ms
    return told
