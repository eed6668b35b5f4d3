"""Answers partners' queries for shipment history, over a stream or in one message."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

from gateway.contract.limits import ANSWER_MESSAGE_BYTES
from gateway.errors import GatewayError, UnavailableError
from gateway.feed.rpc.writer_client import WriterClient, forget
from gateway.history.codec.signed_texts import in_messages
from gateway.history.rpc.index_wait import MAX_PARTNER_WAIT_S, IndexWait
from gateway.history.service.answers import KeepAnsweredCommand, QueryService, SignedAnswer, VerifiedQuery, answered_row
from gateway.rpc.calls import Call, current_call
from gateway.v1 import exchange_service_pb2 as pb

log = logging.getLogger(__name__)

_RETRY_AFTER_S = 1.0

AnswerPart: TypeAlias = tuple[list[bytes], bytes]
"""Records, and the statement after the last."""

Question: TypeAlias = pb.QueryHistoryRequest | pb.AskHistoryRequest

_ACCEPTED = "QUESTION_ACCEPTED"


class QueryHandler:
    """Handles QueryHistory and AskHistory."""

    def __init__(
        self,
        queries: QueryService,
        *,
        index: IndexWait,
        writer: WriterClient,
        clock: Callable[[], int],
        keep_ms: int,
    ) -> None:
        self._queries = queries
        self._index = index
        self._writer = writer
        self._clock = clock
        self._keep_ms = keep_ms

    async def answer(self, request: pb.QueryHistoryRequest) -> AsyncGenerator[pb.QueryHistoryResponse]:
        """Records, then their statement.

        Raises:
            GatewayError: see history.service.answers.
        """
        call = current_call()
        verified, answer, first = await self._begun(call, request, at_once=False)
        call.record(reason=_ACCEPTED)  # before any record leaves
        async with aclosing(self._messages(call, verified, answer, first)) as messages:
            async for message in messages:
                yield message

    async def answer_at_once(self, request: pb.AskHistoryRequest) -> pb.AskHistoryResponse:
        """The records with their statement, in one message; nothing if they don't fit, and nothing of it is kept.

        Raises:
            GatewayError: as for `answer`.
        """
        call = current_call()
        verified, answer, (records, statement) = await self._begun(call, request, at_once=True)
        if not statement:
            return pb.AskHistoryResponse()
        call.record(reason=_ACCEPTED)
        kept = self._keep_answered(call, verified, answer, statement)
        try:
            await kept
        except asyncio.CancelledError:
            self._cancelled(verified, call, answer)
            raise
        response = pb.AskHistoryResponse(end=_end(answer, statement))
        if records:
            response.records.records.extend(records)
        return response

    async def _begun(
        self, call: Call, request: Question, *, at_once: bool
    ) -> tuple[VerifiedQuery, SignedAnswer, AnswerPart]:
        """The query, its answer, and the first part of that; `at_once` all of it, without a statement if too large."""
        verified, begun, part = await asyncio.to_thread(self._begin, call.principal.node, request, at_once=at_once)
        grounds = verified.query.grounds
        call.concerns(
            purpose=grounds.purpose,
            case_reference=grounds.case_reference,
            legal_basis=grounds.legal_basis,
            subject_ids=[verified.query.query_id],
        )
        if isinstance(begun, GatewayError):
            raise begun  # the audit log has the question's digest; nothing of it is kept
        if part is not None:
            return verified, begun, part
        answer = await self._indexed(verified, request, begun)
        if answer.search().records and not request.reads_unindexed:
            raise UnavailableError(
                "what was recorded just now isn't indexed yet; ask again", retry_after_s=_RETRY_AFTER_S
            )
        return verified, answer, await asyncio.to_thread(_part, answer, at_once=at_once)

    def _begin(
        self, peer: str, request: Question, *, at_once: bool
    ) -> tuple[VerifiedQuery, SignedAnswer | GatewayError, AnswerPart | None]:
        """The query, and its answer, or the refusal; the part unless something that may match isn't indexed.

        All in one turn of a thread: each further one costs as much as a look-up.
        """
        verified = self._queries.verify(peer, request.query, request.note)
        try:
            answer = self._searching(verified, request)
            return verified, answer, None if answer.search().records else _part(answer, at_once=at_once)
        except GatewayError as error:
            return verified, error, None

    def _searching(self, verified: VerifiedQuery, request: Question) -> SignedAnswer:
        answer = self._queries.begin(verified)
        answer.reads_lost, answer.wants_proof = request.reads_lost, request.wants_proof
        answer.search()
        return answer

    async def _indexed(self, verified: VerifiedQuery, request: Question, answer: SignedAnswer) -> SignedAnswer:
        """The answer, begun anew after the wait for what it would lack."""
        wait_s = min(request.wait_indexed_ms / 1000, MAX_PARTNER_WAIT_S)
        lag = answer.search()
        if not lag.records or not wait_s or verified.query.before:
            return answer
        await self._index.reached(lag, wait_s)
        return await asyncio.to_thread(self._searching, verified, request)

    async def _messages(
        self, call: Call, verified: VerifiedQuery, answer: SignedAnswer, part: AnswerPart
    ) -> AsyncGenerator[pb.QueryHistoryResponse]:
        try:
            # A part is one read, which a cancelled call still pays for.
            while True:
                records, statement = part
                messages = [_message(some) for some in in_messages(records)]
                if statement:
                    break
                for message in messages:
                    yield message
                part = await asyncio.to_thread(answer.next_part)
            kept = self._keep_answered(call, verified, answer, statement)
            *earlier, last = messages or [pb.QueryHistoryResponse()]
            for message in earlier:
                yield message
            await kept
        except GatewayError as error:
            if answer.count:  # records have left
                self._keep(verified, call, outcome="failed", reason=error.message, count=answer.count)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            self._cancelled(verified, call, answer)
            raise
        last.end.CopyFrom(_end(answer, statement))
        yield last

    def _keep_answered(
        self, call: Call, verified: VerifiedQuery, answer: SignedAnswer, statement: bytes
    ) -> asyncio.Future[None]:
        """Begins to store the answer; its statement leaves after that commit."""
        call.record(reason="ANSWERED", counts={"records": answer.count, "withheld": answer.removed})
        row = answered_row(
            verified,
            actor=call.principal.id,
            now_ms=self._clock(),
            keep_ms=self._keep_ms,
            outcome="answered",
            count=answer.count,
            statement=statement,
        )
        kept = self._writer.submit(KeepAnsweredCommand(row, answer.next_page))
        forget(kept)  # a cancelled call doesn't await it
        return kept

    def _cancelled(self, verified: VerifiedQuery, call: Call, answer: SignedAnswer) -> None:
        log.info("the answer to %s was cancelled after %d records", verified.query.query_id, answer.count)
        try:
            call.record(reason="CANCELLED", counts={"records": answer.count, "withheld": answer.removed})
        except GatewayError as error:
            log.error("a cancelled answer isn't in the audit log: %s", error.message)
        self._keep(verified, call, outcome="cancelled", count=answer.count)

    def _keep(self, verified: VerifiedQuery, call: Call, *, outcome: str, reason: str = "", count: int = 0) -> None:
        row = answered_row(
            verified,
            actor=call.principal.id,
            now_ms=self._clock(),
            keep_ms=self._keep_ms,
            outcome=outcome,
            reason=reason,
            count=count,
        )
        try:
            forget(self._writer.submit(KeepAnsweredCommand(row), deferrable=True))
        except GatewayError as error:
            log.error("query %s isn't kept: %s", row.query_id, error.message)


def _part(answer: SignedAnswer, *, at_once: bool) -> AnswerPart:
    """The next part, or all that is left if it fits into a message; without a statement if it doesn't."""
    records, statement = answer.next_part()
    while at_once and not statement and sum(map(len, records)) <= ANSWER_MESSAGE_BYTES:
        further, statement = answer.next_part()
        records += further
    if at_once and sum(map(len, records)) > ANSWER_MESSAGE_BYTES:
        return [], b""
    return records, statement


def _end(answer: SignedAnswer, statement: bytes) -> pb.AnswerEnd:
    return pb.AnswerEnd(statement=statement, followed=answer.followed, proof=answer.proof)


def _message(records: list[bytes]) -> pb.QueryHistoryResponse:
    return pb.QueryHistoryResponse(records=pb.AnswerRecords(records=records))
