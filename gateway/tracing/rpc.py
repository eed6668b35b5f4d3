"""Traces one consignment: queries all nodes in rounds, assembles the legs, and evaluates the rules.

A round is one question to each node. A trace that begins with references asks our node first, which costs little:
what its records say beside these goes into the first question to partners, and each node follows the links of its own
records as far as they lead (history.service.following). So most of what took further rounds comes with the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from gateway.feed.rpc.writer_client import WriterClient, forget
from gateway.history.codec.signed_texts import RECORD_TYPE
from gateway.history.rpc.fanout import HistoryFanout, NodeSearch
from gateway.history.rpc.index_wait import wait_s
from gateway.history.service.criteria import require_exact
from gateway.rpc.calls import Call
from gateway.tracing.rules.assembly import assemble
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.inquiry import (
    MAX_QUESTIONS,
    is_exhausted,
    is_of_one_consignment,
    next_questions,
    onward_refusals,
    opening_questions,
)
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.tracing.rules.records import RecordHit
from gateway.tracing.service.draft_alerts import AlertDrafter, TraceExaminer
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import history_pb2, trace_pb2
from gateway.v1 import history_service_pb2 as pb

ROUNDS_LIMIT = 200
"""Most records of a node for one question: a trace takes 300."""

TRADERS_LIMIT = 50
"""Most records of a node for the question about traders: those of larger traders link to nothing without doubt."""

PARTNER_TIMEOUT_S = 5.0
"""Default time limit for a partner's answer."""

BEGIN_S = 0.5
"""Most seconds for our node alone, before partners are asked too: what it finds saves them a round."""

_PROVED = frozenset({history_pb2.ANSWER_STATUS_COMPLETE, history_pb2.ANSWER_STATUS_PARTIAL})
"""Only these answers have a statement that proves their records."""


class HistoryTracer:
    """Traces; used in one event loop."""

    def __init__(
        self,
        *,
        node: str,
        fanout: HistoryFanout,
        examiner: TraceExaminer,
        drafter: AlertDrafter,
        trust: Callable[[], TrustedDirectory],
        writer: WriterClient,
        clock: Callable[[], int],
    ) -> None:
        self._node = node
        self._writer = writer
        self._fanout = fanout
        self._examiner = examiner
        self._drafter = drafter
        self._trust = trust
        self._clock = clock

    async def trace(
        self, call: Call, request: pb.TraceConsignmentRequest, remaining_s: float | None
    ) -> pb.TraceConsignmentResponse:
        """Answers TraceConsignment within `remaining_s` seconds (None: no limit).

        Raises:
            InvalidRequestError: inexact criteria, or an unknown node.
        """
        _require_start(request.criteria)
        nodes = self._fanout.asked_nodes(request.nodes)
        call.concerns(
            purpose=request.grounds.purpose,
            case_reference=request.grounds.case_reference,
            legal_basis=request.grounds.legal_basis,
        )
        named = [field.name for field, _ in request.criteria.ListFields()]
        call.record(reason="TRACE", subject_ids=sorted(nodes), detail=f"criteria: {', '.join(named)}")
        inquiry = _Inquiry(nodes, self._onward(nodes, request.grounds), request)
        try:
            await self._rounds(call, inquiry, remaining_s)
            await self._writer.flush(inquiry.kept)  # the response must be provable later
        finally:
            for future in inquiry.kept:
                forget(future)
        response = await asyncio.to_thread(self._assembled, request, inquiry)
        for refusal in response.trace.onward_refusals:
            call.record(
                reason="LINKS_NOT_FOLLOWED",
                subject_ids=[refusal.source, refusal.recipient],
                counts={"links": refusal.links},
            )
        return response

    def _onward(self, nodes: Sequence[str], grounds: history_pb2.QueryGrounds) -> OnwardTransfer:
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        return onward_transfer(self._trust().directory, self._node, nodes, grounds.purpose, now)

    async def _rounds(self, call: Call, inquiry: _Inquiry, remaining_s: float | None) -> None:
        """Asks each node all its open questions at once, round by round."""
        timeout_s = inquiry.request.partner_timeout_ms / 1000 or PARTNER_TIMEOUT_S
        clock = asyncio.get_running_loop().time
        ends_at = None if remaining_s is None else clock() + remaining_s
        waits_until = clock() + wait_s(inquiry.wanted_wait_ms, remaining_s)
        questions = inquiry.first_questions(self._node)
        for _ in range(MAX_QUESTIONS):
            left_s = timeout_s if ends_at is None else min(timeout_s, ends_at - clock() - 0.1)
            if not questions or left_s <= 0:
                break
            begins = inquiry.begins
            wait_ms = 0 if begins else max(0, round((waits_until - clock()) * 1000))
            left_s = min(left_s, BEGIN_S) if begins else left_s
            answers = await self._ask(call, inquiry, questions, timeout_s=left_s, wait_ms=wait_ms)
            if begins and not answers[0].is_whole:  # it is asked again while partners are
                questions = inquiry.first_questions()
                continue
            for node, answered in zip(questions, answers, strict=True):
                inquiry.take(node, questions[node], answered)
            questions = await asyncio.to_thread(inquiry.next_questions)

    async def _ask(
        self,
        call: Call,
        inquiry: _Inquiry,
        questions: Mapping[str, Sequence[history_pb2.SearchCriteria]],
        *,
        timeout_s: float,
        wait_ms: int,
    ) -> list[_Answered]:
        """What came, in the order of nodes."""

        async def ask(node: str) -> _Answered:
            messages: list[pb.SearchShipmentsResponse] = []
            is_first = not inquiry.asked[node]
            search = _search(inquiry.request, questions[node], is_first=is_first, timeout_s=timeout_s, wait_ms=wait_ms)
            end = await self._fanout.ask(call, node, search, put=messages.append, kept=inquiry.kept)
            records = [record for message in messages for record in message.records.records]
            return _Answered(records, end.answer, end.further is not None, end.followed)

        async with asyncio.TaskGroup() as asking:
            tasks = [asking.create_task(ask(node), name=f"ask {node}") for node in questions]
        return [task.result() for task in tasks]

    def _assembled(self, request: pb.TraceConsignmentRequest, inquiry: _Inquiry) -> pb.TraceConsignmentResponse:
        exhausted = not inquiry.more and inquiry.is_exhausted()
        trace = assemble(inquiry.gathering, inquiry.answers, exhausted=exhausted)
        trace.onward_refusals.extend(inquiry.refusals())  # rules read them
        now = datetime.fromtimestamp(self._clock() / 1000, UTC)
        self._examiner.examine(trace, now)
        response = pb.TraceConsignmentResponse(trace=trace)
        if request.draft_alert:
            directory = self._trust().directory
            drafts = self._drafter.drafts(
                trace, request, inquiry.gathering, inquiry.onward, directory=directory, now=now
            )
            response.drafts.extend(drafts)
            if drafts:
                response.draft.CopyFrom(drafts[0])
        return response


class _Answered(NamedTuple):
    """What a node answered.

    Attributes:
        more: it had more records than it gave.
        followed: questions that it has answered beside those that were put.
    """

    records: Sequence[history_pb2.HistoryRecord]
    answer: history_pb2.NodeAnswer
    more: bool
    followed: Sequence[history_pb2.SearchCriteria]

    @property
    def is_whole(self) -> bool:
        """Whether all that the node has came, its index being complete."""
        return self.answer.status == history_pb2.ANSWER_STATUS_COMPLETE


class _Inquiry:
    """The questions of a trace and what came of them."""

    def __init__(self, nodes: Sequence[str], onward: OnwardTransfer, request: pb.TraceConsignmentRequest) -> None:
        self.onward = onward
        self.request = request
        self.asked: dict[str, list[history_pb2.SearchCriteria]] = {node: [] for node in nodes}
        self.reached = list(nodes)
        self.gathering = Gathering()
        self.answers: list[history_pb2.NodeAnswer] = []
        self.more = False
        """Whether a node had more records of the consignment than it gave."""
        self.kept: list[asyncio.Future[None]] = []
        """Commits that make answers durable as evidence."""
        self.begins = False
        """Whether our node alone is asked, to begin with."""
        self._again: set[str] = set()
        """Nodes that mustn't be asked more than the caller's question, and so are asked that alone."""

    @property
    def wanted_wait_ms(self) -> int | None:
        """Milliseconds to wait for the index, if the caller said how many."""
        return self.request.wait_indexed_ms if self.request.HasField("wait_indexed_ms") else None

    def first_questions(self, own: str = "") -> dict[str, list[history_pb2.SearchCriteria]]:
        """The caller's question to all, or to the `own` node alone, whose records may say what else to ask for."""
        first = self.request.criteria
        self.begins = own in self.reached and len(self.reached) > 1 and is_of_one_consignment(first)
        return {node: [first] for node in ([own] if self.begins else self.reached)}

    def take(self, node: str, questions: Sequence[history_pb2.SearchCriteria], answered: _Answered) -> None:
        """Keeps what a node answered to these questions."""
        is_first, answer = not self.asked[node], answered.answer
        if is_first and len(questions) > 1 and answer.status == history_pb2.ANSWER_STATUS_DENIED:
            self._again.add(node)
            return
        asked = [*questions, *answered.followed]
        if answered.more and _for_traders(questions, is_first=is_first):  # too many link to nothing without doubt
            if not answer.unindexed:
                answer.status = history_pb2.ANSWER_STATUS_COMPLETE
        elif answer.status in _PROVED:
            self.gathering.add(_hits(answered.records, asked, answer.query_id, is_first=is_first))
            self.more = self.more or answered.more
        self.answers.append(answer)
        self.asked[node].extend(asked)
        self._again.discard(node)
        if answer.status not in _PROVED:
            self.reached.remove(node)  # a late node would delay every round

    def next_questions(self) -> dict[str, list[history_pb2.SearchCriteria]]:
        """What is to be asked next; after our node alone, what partners are asked first."""
        first = self.request.criteria
        if self.begins:
            self.begins = False
            return opening_questions(self.gathering, first, self.asked, self.reached, self.onward)
        known = [node for node in self.reached if node not in self._again]
        questions = next_questions(self.gathering, self.asked, known, self.onward)
        return questions | {node: [first] for node in sorted(self._again)}

    def is_exhausted(self) -> bool:
        return all(self.asked[node] for node in self.reached) and is_exhausted(
            self.gathering, self.asked, self.reached, self.onward
        )

    def refusals(self) -> list[trace_pb2.OnwardRefusal]:
        return onward_refusals(self.gathering, self.asked, self.reached, self.onward)


def onward_transfer(directory: Directory, own: str, nodes: Iterable[str], purpose: str, at: datetime) -> OnwardTransfer:
    """Who may learn what these nodes answer to a question for this purpose."""
    partners = sorted(set(nodes) - {own})
    return OnwardTransfer(
        own,
        {
            source: frozenset(
                recipient
                for recipient in partners
                if directory.may_pass_on(source, own, recipient, at, message_type=RECORD_TYPE, purpose=purpose)
            )
            for source in partners
        },
    )


def _require_start(criteria: history_pb2.SearchCriteria) -> None:
    require_exact(
        criteria,
        "trace.start",
        "a trace begins with references, containers, seals, registrations, party identifiers or record ids: "
        "search first, then trace what was found",
    )


def _search(
    request: pb.TraceConsignmentRequest,
    questions: Sequence[history_pb2.SearchCriteria],
    *,
    is_first: bool,
    timeout_s: float,
    wait_ms: int,
) -> NodeSearch:
    first, *further = questions
    for_traders = _for_traders(questions, is_first=is_first)
    return NodeSearch(
        first,
        request.grounds,
        history_pb2.ANSWER_MODE_RECORDS,
        alternatives=further,
        limit=TRADERS_LIMIT if for_traders else ROUNDS_LIMIT * len(questions),
        whole=for_traders,
        follow=not for_traders and is_of_one_consignment(questions[0]),
        timeout_s=timeout_s,
        own_timeout_s=timeout_s,
        wait_ms=wait_ms,
    )


def _for_traders(questions: Sequence[history_pb2.SearchCriteria], *, is_first: bool) -> bool:
    return not is_first and bool(questions[0].party_identifiers)


def _hits(
    records: Iterable[history_pb2.HistoryRecord],
    questions: Sequence[history_pb2.SearchCriteria],
    query_id: str,
    *,
    is_first: bool,
) -> Iterator[RecordHit]:
    """Records with each question they answer; `is_first`: the first of these is the caller's."""
    for record in records:
        met = list(record.met) or [0]
        record.ClearField("met")
        for number in met:
            if number < len(questions):
                yield RecordHit(record, None if is_first and not number else questions[number], query_id)
