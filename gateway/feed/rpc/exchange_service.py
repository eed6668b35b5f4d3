"""gRPC handlers of ExchangeService, for partner gateways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any, Protocol, TypeAlias

import grpc
import grpc.aio

from gateway.contract.ids import FeedOrigin
from gateway.contract.limits import WINDOW_BATCHES
from gateway.contract.messages import to_timestamp
from gateway.contract.validation import validate
from gateway.errors import (
    FeedBehindError,
    FeedForkedError,
    GatewayError,
    InvalidRequestError,
    MalformedError,
    PermissionDeniedError,
    Violation,
)
from gateway.feed.rpc.directory_updates import DirectoryUpdates
from gateway.feed.rpc.links import MAX_ERROR_CHARS, LinkStatus
from gateway.feed.rpc.sending import SMALL_BATCH, FeedSender, Intake
from gateway.feed.rpc.writer_client import in_moments
from gateway.feed.service.partner_directories import PartnerDirectories, RecipientQuarantine
from gateway.feed.service.receiver import Receiver, Refusal, require_moving
from gateway.feed.service.sender import Outgoing
from gateway.rpc.calls import current_call
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import exchange_service_pb2_grpc, feed_pb2, maintenance_pb2

RECEIPT_S = 0.02
"""How long the receipt for a few entries waits for another one, in seconds: nobody waits for it."""

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

SendFile: TypeAlias = Callable[[AsyncIterator[pb.FetchFileRequest]], AsyncGenerator[pb.FetchFileResponse, None]]
"""Sends a file to a partner that asks for it."""

AnswerLicence: TypeAlias = Callable[[pb.AskLicenceRequest], Awaitable[pb.AskLicenceResponse]]
"""Answers, signed, whether a licence of this node covers a partner's goods."""

AnswerCheckpoint: TypeAlias = Callable[[pb.AddCheckpointRequest], Awaitable[pb.AddCheckpointResponse]]
"""Cosigns, as a witness, a checkpoint that a partner shows."""

KeepMaintenance: TypeAlias = Callable[[str, maintenance_pb2.MaintenanceWindow], Awaitable[None]]
"""Keeps the maintenance that a partner announces."""


class HistoryAnswers(Protocol):
    """Answers partners' queries for shipment history; may raise GatewayErrors."""

    def answer(self, request: pb.QueryHistoryRequest) -> AsyncGenerator[pb.QueryHistoryResponse, None]:
        """Records, then their statement."""

    async def answer_at_once(self, request: pb.AskHistoryRequest) -> pb.AskHistoryResponse:
        """All of it in one message; empty if it doesn't fit."""


class ExchangeServicer(exchange_service_pb2_grpc.ExchangeServiceServicer):
    """Handlers of ExchangeService."""

    def __init__(
        self,
        *,
        receiver: Receiver,
        outgoing: Outgoing,
        intake: Intake,
        sender: FeedSender,
        statuses: dict[FeedOrigin, LinkStatus],
        quarantine: RecipientQuarantine,
        directories: PartnerDirectories,
        clock: Callable[[], int],
        history: HistoryAnswers,
        answer_licence: AnswerLicence,
        send_file: SendFile,
        answer_checkpoint: AnswerCheckpoint,
        keep_maintenance: KeepMaintenance,
        updates: DirectoryUpdates,
    ) -> None:
        self._receiver = receiver
        self._outgoing = outgoing
        self._intake = intake
        self._sender = sender
        self._statuses = statuses
        self._quarantine = quarantine
        self._directories = directories
        self._clock = clock
        self._history = history
        self._answer_licence = answer_licence
        self._send_file = send_file
        self._answer_checkpoint = answer_checkpoint
        self._keep_maintenance = keep_maintenance
        self._updates = updates

    async def Replicate(
        self, request_iterator: AsyncIterator[pb.ReplicateRequest], context: Context
    ) -> AsyncIterator[pb.ReplicateResponse]:
        peer = current_call().principal.node
        opening = await anext(aiter(request_iterator), pb.ReplicateRequest())
        if opening.WhichOneof("message") != "open":
            raise _not_opened()
        origin = self._receiver.require_right_peer(peer, opening.open.origin)
        self._directories.note(peer, opening.open.directory)
        current_call().record(subject_ids=[origin.line], repeatable=True)  # receipts and positions show effects
        feed = await asyncio.to_thread(self._outgoing.feed, origin)
        if feed is not None:
            require_moving(feed)
        position = await asyncio.to_thread(self._outgoing.position, origin)
        current_call().require_current = self._directories.current()
        yield pb.ReplicateResponse(position=position, directory=self._directories.held())
        with self._connected(origin) as status:
            async for receipt in self._received(peer, origin, request_iterator):
                status.last_exchange_at = self._clock()
                yield pb.ReplicateResponse(receipt=receipt)

    async def _received(
        self, peer: str, origin: FeedOrigin, requests: AsyncIterator[pb.ReplicateRequest]
    ) -> AsyncIterator[feed_pb2.Receipt]:

        async def begin(request: pb.ReplicateRequest) -> Awaitable[feed_pb2.Receipt | Refusal]:
            if request.WhichOneof("message") != "batch" or request.batch.origin != origin.line:
                raise MalformedError(f"after the opening only batches of {origin} may follow")
            return await self._intake.submit(peer, request.batch)

        receipted = 0

        def wait_s(result: feed_pb2.Receipt | Refusal) -> float:
            return RECEIPT_S if isinstance(result, feed_pb2.Receipt) and result.size <= receipted + SMALL_BATCH else 0.0

        async with aclosing(in_moments(requests, begin, depth=WINDOW_BATCHES, wait_s=wait_s)) as moments:
            async for results in moments:
                receipts = [result for result in results if isinstance(result, feed_pb2.Receipt)]
                if receipts:  # the last one speaks of the entries before it too
                    receipted = receipts[-1].size
                    yield receipts[-1]
                for result in results:
                    if isinstance(result, Refusal):
                        raise result.error

    @contextmanager
    def _connected(self, origin: FeedOrigin) -> Iterator[LinkStatus]:
        """Shows a partner's open stream to operators; of one feed, the newest that is open."""
        before = self._statuses.get(origin)
        status = self._statuses[origin] = LinkStatus(connected=True, last_exchange_at=self._clock())
        try:
            yield status
        except GatewayError as error:
            status.last_error = f"{error.reason}: {error.message}"[:MAX_ERROR_CHARS]
            raise
        finally:
            status.connected = False
            if before is not None and before.connected and self._statuses[origin] is status:
                self._statuses[origin] = before

    async def Fetch(
        self, request_iterator: AsyncIterator[pb.FetchRequest], context: Context
    ) -> AsyncIterator[pb.FetchResponse]:
        opening = await anext(aiter(request_iterator), pb.FetchRequest())
        if opening.WhichOneof("message") != "open":
            raise _not_opened()
        origin = self._party_of(opening.open.origin)
        current_call().record(subject_ids=[origin.line], repeatable=True)  # receipts and positions show effects
        if self._sender.pace(current_call().principal.node).narrow:
            context.set_compression(grpc.Compression.Gzip)
        self._directories.note(current_call().principal.node, opening.open.directory)
        position = await asyncio.to_thread(self._outgoing.position, origin)
        require_current = self._directories.current()
        yield pb.FetchResponse(position=position, directory=self._directories.held())
        if opening.open.until_current or origin.recipient != current_call().principal.node:
            async for batch in self._stored(origin, opening.open.first_index):
                yield pb.FetchResponse(batch=batch)
            return
        _require_position(opening.open)
        if opening.open.quarantine:
            self._quarantine.note(origin, opening.open.quarantine)
            with suppress(FeedBehindError, FeedForkedError):  # the feed is blocked, which is an alarm of its own
                await asyncio.to_thread(self._outgoing.agree_on_position, origin, opening.open.position)
            return
        self._quarantine.ended(origin)
        current_call().require_current = require_current
        with self._connected(origin) as status:
            async for batch in self._following(origin, opening.open, request_iterator):
                status.last_exchange_at = self._clock()
                yield pb.FetchResponse(batch=batch)

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Context) -> pb.GetCheckpointResponse:
        origin = self._party_of(request.origin)
        position = await asyncio.to_thread(self._outgoing.position, origin)
        return pb.GetCheckpointResponse(position=position, answered_at=to_timestamp(self._clock()))

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, context: Context
    ) -> pb.GetConsistencyProofResponse:
        origin = self._party_of(request.origin)
        hashes = await asyncio.to_thread(self._outgoing.consistency, origin, request.old_size, request.new_size)
        return pb.GetConsistencyProofResponse(hashes=hashes)

    async def QueryHistory(
        self, request: pb.QueryHistoryRequest, context: Context
    ) -> AsyncIterator[pb.QueryHistoryResponse]:
        current_call().brings(request.query)
        validate(request)
        async with aclosing(self._history.answer(request)) as messages:
            async for message in messages:
                yield message

    async def AskHistory(self, request: pb.AskHistoryRequest, context: Context) -> pb.AskHistoryResponse:
        current_call().brings(request.query)
        validate(request)
        return await self._history.answer_at_once(request)

    async def AskLicence(self, request: pb.AskLicenceRequest, context: Context) -> pb.AskLicenceResponse:
        current_call().brings(request.query)
        validate(request)
        return await self._answer_licence(request)

    async def FetchFile(
        self, request_iterator: AsyncIterator[pb.FetchFileRequest], context: Context
    ) -> AsyncIterator[pb.FetchFileResponse]:
        async with aclosing(self._send_file(aiter(request_iterator))) as messages:
            async for message in messages:
                yield message

    async def AnnounceMaintenance(
        self, request: pb.AnnounceMaintenanceRequest, context: Context
    ) -> pb.AnnounceMaintenanceResponse:
        validate(request)
        call = current_call()
        call.record(reason=request.window.reason)
        await self._keep_maintenance(call.principal.node, request.window)
        return pb.AnnounceMaintenanceResponse()

    async def GetNextDirectory(
        self, request: pb.GetNextDirectoryRequest, context: Context
    ) -> pb.GetNextDirectoryResponse:
        validate(request)
        return self._updates.next_after(request.after_version, known=request.known_revocations)

    async def OfferDirectory(self, request: pb.OfferDirectoryRequest, context: Context) -> pb.OfferDirectoryResponse:
        validate(request)
        current_call().record(repeatable=True)
        return await self._updates.take_offer(current_call().principal.node, request.note, request.revocations)

    async def AddCheckpoint(self, request: pb.AddCheckpointRequest, context: Context) -> pb.AddCheckpointResponse:
        return await self._answer_checkpoint(request)

    def _party_of(self, origin_line: str) -> FeedOrigin:
        """The feed, when its two nodes are the caller and this one."""
        peer = current_call().principal.node
        origin = FeedOrigin.of_request(origin_line)
        parties = {origin.publisher, origin.recipient}
        if origin.federation != self._receiver.federation or parties != {peer, self._receiver.node}:
            raise PermissionDeniedError(f"{peer} is no party to {origin}")
        return origin

    async def _stored(self, origin: FeedOrigin, first: int) -> AsyncIterator[feed_pb2.Batch]:
        feed = await asyncio.to_thread(self._outgoing.feed, origin)
        while feed is not None:
            batch = await asyncio.to_thread(self._outgoing.read_batch, feed, first)
            if batch is None:
                return
            first += len(batch.entries)
            yield batch

    async def _following(
        self, origin: FeedOrigin, opening: pb.FetchOpening, requests: AsyncIterator[pb.FetchRequest]
    ) -> AsyncIterator[feed_pb2.Batch]:
        self._receiver.require_present_epoch(origin)
        first = opening.first_index
        feed = await asyncio.to_thread(self._outgoing.agree_on_position, origin, opening.position)
        require_moving(feed)
        batches: asyncio.Queue[feed_pb2.Batch] = asyncio.Queue(1)
        running = asyncio.create_task(
            self._sender.run(feed, position=first, write=batches.put, receipts=_receipts(requests))
        )
        try:
            while True:
                getting = asyncio.create_task(batches.get())
                done, _ = await asyncio.wait({getting, running}, return_when=asyncio.FIRST_COMPLETED)
                if getting in done:
                    yield getting.result()
                else:
                    getting.cancel()
                    running.result()
                    return
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _receipts(requests: AsyncIterator[pb.FetchRequest]) -> AsyncIterator[feed_pb2.Receipt]:
    async for request in requests:
        if request.WhichOneof("message") != "receipt":
            raise MalformedError("after the opening only receipts may follow")
        yield request.receipt


def _require_position(opening: pb.FetchOpening) -> None:
    if not opening.HasField("position") or opening.position.size != opening.first_index:
        raise InvalidRequestError(
            [Violation("open.position", "fetch.position", "must say where the recipient stands: at first_index")]
        )


def _not_opened() -> InvalidRequestError:
    return InvalidRequestError([Violation("message", "stream.opening", "a stream begins with `open`")])
