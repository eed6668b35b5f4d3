"""Sends a query for shipment history to a partner, and verifies and stores the answer.

A query that finds few records is put to AskHistory, which answers with one message; other queries, those that have more
to find, and those to partners of earlier versions go to QueryHistory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import grpc.aio

from gateway.contract.messages import to_timestamp
from gateway.errors import DeadlineExceededError, DirectoryError, GatewayError, Kind, MalformedError, UnavailableError
from gateway.feed.rpc.writer_client import WriterClient, forget
from gateway.feed.service.alarms import ANSWER_WRONG, Alarms
from gateway.feed.service.quotas import Quotas
from gateway.history.codec.signed_texts import Statement
from gateway.history.rules.unindexed import Unindexed
from gateway.history.service.answers import span_of
from gateway.history.service.criteria import is_short
from gateway.history.service.queries import (
    AnswerVerifier,
    KeepAskedCommand,
    KeepRecordsCommand,
    KnownHeads,
    SignedQuery,
    asked_row,
)
from gateway.rpc.calls import Call, from_rpc_error
from gateway.rpc.peers import Peers
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import exchange_service_pb2, history_pb2, history_service_pb2
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub

log = logging.getLogger(__name__)

MOST_AT_ONCE = 20
"""Most queries to a partner at once, within its 32 streams for a peer, feeds included."""

FEW = 20
"""Records that parse faster than threads change."""

_COMPLETE, _PARTIAL = history_pb2.ANSWER_STATUS_COMPLETE, history_pb2.ANSWER_STATUS_PARTIAL

STREAMS_S = 600.0
"""Seconds for which a partner that doesn't know AskHistory isn't asked with it again."""

RecordSink = Callable[[history_service_pb2.SearchShipmentsResponse], None]
"""Takes a node's records, in order."""


class PartnerEnd(NamedTuple):
    """How a query to a partner ended.

    Attributes:
        more_before: the number by which the partner has more to say; 0: it has no more.
        followed: criteria that it has followed beside those of the query.
    """

    answer: history_pb2.NodeAnswer
    more_before: int
    followed: Sequence[history_pb2.SearchCriteria]


class EarlierVersionError(Exception):
    """The partner's gateway doesn't know what was asked for."""


class AwaitedAnswers:
    """The partners whose answers to one search haven't come, so that what comes about at once shares a commit."""

    def __init__(self, partners: Iterable[str]) -> None:
        self._partners = set(partners)

    def came(self, partner: str) -> bool:
        """Notes that a partner's answer has come, or won't come; returns whether others are still awaited."""
        self._partners.discard(partner)
        return bool(self._partners)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryClient:
    """Sends queries; used in one event loop."""

    trust: Callable[[], TrustedDirectory]
    peers: Peers
    writer: WriterClient
    alarms: Alarms
    clock: Callable[[], int]
    keep_ms: int
    quotas: Quotas
    heads: KnownHeads
    _limits: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _streams_until_s: dict[str, float] = field(default_factory=dict)  # by the loop's clock
    _spanless_until_s: dict[str, float] = field(default_factory=dict)

    async def send(
        self,
        call: Call,
        signed_query: SignedQuery,
        sink: RecordSink,
        *,
        timeout_s: float,
        wait_ms: int = 0,
        awaited: AwaitedAnswers | None = None,
        kept: list[asyncio.Future[None]] | None = None,
    ) -> PartnerEnd:
        """Sends a query. Cancelling it ends the partner's work.

        Args:
            sink: gets records before the answer is verified, but those that come with its statement after that.
            timeout_s: seconds for the whole answer, with the wait for one of MOST_AT_ONCE.
            wait_ms: milliseconds that the partner may wait for its index.
            awaited: the answers of this search that may share a commit: this one's then waits for others, some
                milliseconds at most; None: for none.
            kept: gets the commits that the caller awaits before it reports; None: they are awaited here.

        Raises:
            EarlierVersionError: the query says `follow` or a span, which the partner doesn't know; it wasn't answered.
        """
        awaited = awaited or AwaitedAnswers([signed_query.query.answerer])
        exchange = _Exchange(self, call, signed_query, sink, awaited=awaited, awaited_later=kept)
        answer, more_before = await exchange.run(timeout_s, wait_ms)
        return PartnerEnd(answer, more_before, exchange.followed)

    def limit(self, partner: str) -> asyncio.Semaphore:
        return self._limits.setdefault(partner, asyncio.Semaphore(MOST_AT_ONCE))

    def streams(self, partner: str) -> bool:
        """Whether a partner knows QueryHistory alone, by what it said lately."""
        return asyncio.get_running_loop().time() < self._streams_until_s.get(partner, 0.0)

    def knows_spans(self, partner: str) -> bool:
        """Whether a partner hasn't refused a span lately."""
        return asyncio.get_running_loop().time() >= self._spanless_until_s.get(partner, 0.0)

    def refuses_spans(self, partner: str) -> None:
        """Notes that a partner doesn't know spans."""
        self._spanless_until_s[partner] = asyncio.get_running_loop().time() + STREAMS_S

    def answers_at_once(self, query: history_pb2.HistoryQuery) -> bool:
        """Whether the query is for AskHistory."""
        if self.streams(query.answerer):
            return False
        asked = (query.criteria, *query.alternatives)
        return query.follow or all(is_short(criteria, whole=query.whole) for criteria in asked)

    def only_streams(self, partner: str) -> None:
        """Notes that a partner doesn't know AskHistory."""
        self._streams_until_s[partner] = asyncio.get_running_loop().time() + STREAMS_S


def node_answer(node: str, status: history_pb2.AnswerStatus.ValueType, reason: str = "") -> history_pb2.NodeAnswer:
    """A node's end without figures."""
    return history_pb2.NodeAnswer(node=node, status=status, reason=reason[:2048])


def tell_unindexed(answer: history_pb2.NodeAnswer, unindexed: Unindexed) -> None:
    """Says in an answer that ended well what it lacks, since it isn't indexed yet."""
    answer.unindexed, answer.unindexed_or_more = unindexed
    if unindexed.records:
        answer.status = _PARTIAL
        answer.reason = "; ".join(filter(None, (answer.reason, unindexed.text)))


def tell_lost(answer: history_pb2.NodeAnswer, lost_before_ms: int) -> None:
    """Says in an answer that ended well that its node may have lost some of what was asked for."""
    if lost_before_ms:
        answer.lost_before.CopyFrom(to_timestamp(lost_before_ms))
        answer.status = _PARTIAL
        moment = datetime.fromtimestamp(lost_before_ms / 1000, UTC)
        lost = f"records made before {moment:%Y-%m-%d %H:%M} UTC may be lost"
        answer.reason = "; ".join(filter(None, (answer.reason, lost)))


class _Exchange:
    """One query to one partner."""

    def __init__(
        self,
        by: QueryClient,
        call: Call,
        signed_query: SignedQuery,
        sink: RecordSink,
        *,
        awaited: AwaitedAnswers,
        awaited_later: list[asyncio.Future[None]] | None,
    ) -> None:
        self._by = by
        self._call = call
        self._query = signed_query
        self._answer = AnswerVerifier(signed_query)
        self._sink = sink
        self._awaited = awaited
        self._awaited_later = awaited_later
        self._kept: list[asyncio.Future[None]] = []
        self._statement: Statement | None = None

    @property
    def followed(self) -> Sequence[history_pb2.SearchCriteria]:
        """Criteria of a right answer beside those of the query."""
        return self._answer.followed

    async def run(self, timeout_s: float, wait_ms: int) -> tuple[history_pb2.NodeAnswer, int]:
        node = self._query.query.answerer
        try:
            async with asyncio.timeout(timeout_s), self._by.limit(node):
                await self._receive(timeout_s, wait_ms)
            if self._statement is None:
                raise _WrongAnswer("its answer ended without a statement")
            ended, more_before = self._right(self._statement)
        except (TimeoutError, DeadlineExceededError):
            ended, more_before = self._ended("TIMED_OUT", f"{node} hasn't answered to the end in {timeout_s:g} s"), 0
        except _WrongAnswer as error:
            ended, more_before = self._wrong(str(error)), 0
        except (UnavailableError, DirectoryError) as error:
            reached = error.reason not in (UnavailableError.reason, DirectoryError.reason)
            ended, more_before = self._ended("FAILED" if reached else "UNREACHABLE", error.message), 0
        except GatewayError as error:
            if error.reason == MalformedError.reason and any(span_of(self._query.query)):
                self._by.refuses_spans(node)
                raise EarlierVersionError from error
            denied = error.kind in (Kind.PERMISSION_DENIED, Kind.UNAUTHENTICATED, Kind.INVALID_ARGUMENT)
            ended, more_before = self._ended("DENIED" if denied else "FAILED", f"{node}: {error.message}"), 0
        except asyncio.CancelledError:
            self._keep("cancelled", "the caller has left", wait=False, patient=True)
            raise
        return await self._durable(ended, more_before)

    async def _receive(self, timeout_s: float, wait_ms: int) -> None:
        stub = await self._by.peers.stub(self._query.query.answerer)
        if self._by.answers_at_once(self._query.query) and await self._received_at_once(stub, timeout_s, wait_ms):
            return
        request = exchange_service_pb2.QueryHistoryRequest(
            query=self._query.data,
            note=self._query.note,
            wait_indexed_ms=wait_ms,
            reads_unindexed=True,
            reads_lost=True,
            wants_proof=True,
        )
        responses = stub.QueryHistory(request, timeout=timeout_s)
        try:
            async for response in responses:
                await self._take(response)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            responses.cancel()

    async def _received_at_once(self, stub: ExchangeServiceStub, timeout_s: float, wait_ms: int) -> bool:
        """Whether the partner has given an answer in one message."""
        request = exchange_service_pb2.AskHistoryRequest(
            query=self._query.data,
            note=self._query.note,
            wait_indexed_ms=wait_ms,
            reads_unindexed=True,
            reads_lost=True,
            wants_proof=True,
        )
        try:
            response = await stub.AskHistory(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._by.only_streams(self._query.query.answerer)
                if self._query.query.follow:
                    raise EarlierVersionError from error
                return False
            raise from_rpc_error(error) from error
        if response.HasField("end"):
            await self._take(response)
        elif response.records.records:
            await self._taken(response.records)  # kept, and shown to nobody
        return response.HasField("end") or bool(response.records.records)

    async def _take(
        self, response: exchange_service_pb2.QueryHistoryResponse | exchange_service_pb2.AskHistoryResponse
    ) -> None:
        if self._statement is not None:
            raise _WrongAnswer("it goes on after its statement")
        if not response.records.records and not response.HasField("end"):
            raise _WrongAnswer("one of its messages is empty")
        try:
            message = await self._taken(response.records) if response.records.records else None
            if response.HasField("end"):
                directory, now = self._by.trust().directory, datetime.fromtimestamp(self._by.clock() / 1000, UTC)
                if response.end.HasField("proof"):  # some milliseconds a number
                    self._statement = await asyncio.to_thread(self._proven, response.end, directory, now)
                else:
                    self._statement = self._answer.end(response.end, directory, now)
            if message is not None:
                self._sink(message)
        except GatewayError as error:
            raise _WrongAnswer(error.message) from error

    def _proven(self, end: exchange_service_pb2.AnswerEnd, directory: Directory, now: datetime) -> Statement:
        statement = self._answer.end(end, directory, now)
        if self._answer.completeness is not None:
            self._by.heads.require_one_tree(self._answer.completeness.head)
        return statement

    async def _taken(self, came: exchange_service_pb2.AnswerRecords) -> history_service_pb2.SearchShipmentsResponse:
        """Records that came, while they are stored."""
        first = self._answer.count
        came.DiscardUnknownFields()  # the statement doesn't cover them
        query = self._query.query
        command = KeepRecordsCommand(query.query_id, first, came, query.answerer, self._by.quotas)
        self._kept.append(self._by.writer.submit(command, deferrable=True))
        few = len(came.records) <= FEW
        return self._answer.take(came) if few else await asyncio.to_thread(self._answer.take, came)

    def _right(self, statement: Statement) -> tuple[history_pb2.NodeAnswer, int]:
        ended = self._ended("COMPLETE" if statement.is_complete else "PARTIAL", "")
        ended.hit = bool(statement.hit)
        ended.withheld = statement.withheld
        ended.as_of_position = statement.as_of
        if statement.as_of_time is not None:
            ended.searched_until.FromDatetime(statement.as_of_time)
        if statement.hit is not None and self._query.query.mode != history_pb2.ANSWER_MODE_HIT:
            terms = self._query.terms
            why = terms.agreement.clause if terms.hit_only else "by an agreement that isn't in the directory here"
            ended.reason = f"only hit or no hit: {why}"
        tell_unindexed(ended, statement.unindexed)
        tell_lost(ended, statement.lost_before_ms)
        if (proven := self._answer.completeness) is not None:
            ended.proven_until.CopyFrom(to_timestamp(proven.head.until_ms))
            ended.untold = proven.untold
        return ended, statement.more_before

    def _wrong(self, why: str) -> history_pb2.NodeAnswer:
        query = self._query.query
        self._by.alarms.set(
            ANSWER_WRONG,
            query.answerer,
            f"the answer of {query.answerer} to query {query.query_id} isn't right: {why}; nothing of it counts, "
            "and what came is kept",
        )
        ended = self._ended("FAILED", f"the answer isn't right: {why}")
        ended.count = 0
        return ended

    def _ended(self, status: str, reason: str) -> history_pb2.NodeAnswer:
        ended = node_answer(
            self._query.query.answerer, history_pb2.AnswerStatus.Value(f"ANSWER_STATUS_{status}"), reason
        )
        ended.query_id = self._query.query.query_id
        ended.count = self._answer.count
        ended.statement = self._answer.statement_note
        return ended

    async def _durable(self, ended: history_pb2.NodeAnswer, more_before: int) -> tuple[history_pb2.NodeAnswer, int]:
        """The end once it is stored; an answer that can't be stored can't be proved, and fails."""
        outcome = history_pb2.AnswerStatus.Name(ended.status).removeprefix("ANSWER_STATUS_").lower()
        patient = self._awaited.came(ended.node) or self._awaited_later is not None
        try:
            last = self._keep(outcome, ended.reason, wait=self._statement is not None, patient=patient)
            kept = self._kept if last is None else [*self._kept, last]
            if self._awaited_later is not None:
                self._awaited_later.extend(kept)
                return ended, more_before
            await asyncio.gather(*kept)
        except GatewayError as error:
            log.error("the answer to %s isn't kept: %s", ended.query_id, error.message)
            if ended.status in (_COMPLETE, _PARTIAL):
                failed = self._ended("FAILED", f"the answer can't be kept as evidence: {error.message}")
                failed.count = 0
                return failed, 0
        return ended, more_before

    def _keep(self, outcome: str, reason: str, *, wait: bool, patient: bool) -> asyncio.Future[None] | None:
        row = asked_row(
            self._query,
            actor=self._call.principal.id,
            now_ms=self._by.clock(),
            keep_ms=self._by.keep_ms,
            outcome=outcome,
            reason=reason,
            answer=self._answer,
        )
        command = KeepAskedCommand(row, self._answer.proof_row)
        future: asyncio.Future[None] = self._by.writer.submit(command, deferrable=patient or not wait)
        if wait:
            return future
        for kept in [*self._kept, future]:
            forget(kept)
        return None


class _WrongAnswer(Exception):
    """The response is no answer to the query."""
