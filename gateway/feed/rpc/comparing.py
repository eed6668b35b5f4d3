"""Asks a partner about feeds: whether its copy and this database are one history, and for own entries that it holds.

A recipient that holds more than this database may hold more of the same history, or another one; its position alone
doesn't tell. Its checkpoint has this node's signature (`Outgoing.agree_on_position`), so:

1. The recipient proves that its tree begins with the entries here: then this database is behind.
2. Otherwise there are two histories, both signed here, and the largest size of which 1 holds is the last common one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import grpc.aio

from gateway.contract.ids import KEPT, URGENT_ALERTS, FeedOrigin
from gateway.contract.messages import to_ms
from gateway.errors import (
    EpochNeededError,
    FeedBehindError,
    FeedForkedError,
    GatewayError,
    InvalidRequestError,
    ProofInvalidError,
)
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.continuity.recovery import RecoverCommand
from gateway.feed.service.publisher_audit import PublisherAudit
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.states import ForceCommand, GiveUpCommand, StateCommand
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.plurals import counted
from gateway.rpc.calls import from_partner, from_rpc_error, write_to
from gateway.rpc.peers import Peers
from gateway.telemetry.metrics import Metrics
from gateway.tlog.proofs import verify_consistency
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import feed_pb2
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


async def fetch_all(peers: Peers, origin: FeedOrigin, first: int) -> AsyncIterator[feed_pb2.Batch]:
    """Fetches an own feed back from its recipient, from `first` on."""
    stub = await peers.stub(origin.recipient)
    call = stub.Fetch()
    try:
        opening = pb.FetchOpening(origin=origin.line, first_index=first, until_current=True)
        await write_to(call, pb.FetchRequest(open=opening))
        await call.done_writing()
        async for response in responses_of(call):
            if response.WhichOneof("message") == "batch":
                yield response.batch
    except grpc.aio.AioRpcError as error:
        raise from_partner(origin.recipient, error) from error
    finally:
        call.cancel()


async def position_at(peers: Peers, origin: FeedOrigin, partner: str) -> feed_pb2.FeedPosition:
    """A partner's claimed position in a feed."""
    stub = await peers.stub(partner)
    try:
        response: pb.GetCheckpointResponse = await stub.GetCheckpoint(pb.GetCheckpointRequest(origin=origin.line))
    except grpc.aio.AioRpcError as error:
        raise from_partner(partner, error) from error
    return response.position


async def responses_of(call: grpc.aio.StreamStreamCall[RequestT, ResponseT]) -> AsyncIterator[ResponseT]:
    """Messages of a stream; gRPC forbids iteration together with `write`."""
    while (response := await call.read()) is not grpc.aio.EOF:
        yield cast("ResponseT", response)


COMMON = "they are the same up to"
"""In the reason of a fork that was compared."""

PROOF_S = 10.0
"""Longest wait for a proof, in seconds."""


async def require_one_history(
    stub: ExchangeServiceStub, outgoing: Outgoing, origin: FeedOrigin, position: feed_pb2.FeedPosition
) -> None:
    """Blocks a feed as forked unless the recipient's entries and those here are one history; steps 1 and 2.

    Args:
        position: the recipient's, with this node's signature.

    Raises:
        FeedForkedError: there are two histories.
        grpc.aio.AioRpcError: no answer.
    """
    size = await asyncio.to_thread(outgoing.size, origin)
    common = await _last_common_size(stub, outgoing, origin, position, min(size, position.size))
    if common == min(size, position.size):
        return
    reason = (
        f"{origin.recipient} holds {counted(position.size, 'entry')} of this node's, and this database {size} others: "
        f"{COMMON} {common}"
    )
    await asyncio.to_thread(outgoing.block_as_forked, origin, reason)
    raise FeedForkedError(f"feed {origin}: {reason}", metadata={"origin": origin.line, "common_size": str(common)})


async def _last_common_size(
    stub: ExchangeServiceStub, outgoing: Outgoing, origin: FeedOrigin, position: feed_pb2.FeedPosition, most: int
) -> int:
    if await _begins_alike(stub, outgoing, origin, position, most):
        return most
    least = 0
    while least + 1 < most:
        middle = (least + most) // 2
        if await _begins_alike(stub, outgoing, origin, position, middle):
            least = middle
        else:
            most = middle
    return least


async def _begins_alike(
    stub: ExchangeServiceStub, outgoing: Outgoing, origin: FeedOrigin, position: feed_pb2.FeedPosition, size: int
) -> bool:
    """Step 1 for the first `size` entries."""
    root = await asyncio.to_thread(outgoing.root_at, origin, size)
    hashes: list[bytes] = []
    if 0 < size < position.size:
        request = pb.GetConsistencyProofRequest(origin=origin.line, old_size=size, new_size=position.size)
        hashes = list((await stub.GetConsistencyProof(request, timeout=PROOF_S)).hashes)
    try:
        verify_consistency(size, root, position.size, position.root, hashes)
    except ProofInvalidError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came of a recovery, in entries.

    Attributes:
        fetched: that came back.
        size: of the feed now.
        waiting: of both directions, that wait for more of the partner's.
        forced: applied without what they follow.
        lost: that were signed here, and that nobody holds.
    """

    fetched: int
    size: int
    waiting: int
    forced: int
    lost: int


class FeedRecovery:
    """Fetches own feeds back from their recipients, one at a time, as an operator asks for it.

    1. Fetch the entries that the recipient has beyond this database; each batch has this node's signature
       (RecoverCommand).
    2. Let what waits for entries that both sides have lost go on without these.
    3. Compare once more. A recipient with another history ends this: the feed is forked.
    4. What this node has signed and the recipient doesn't hold is given up: nobody has it. A local feed has no
       recipient. What may have left this node isn't: a recipient that holds it, and says that it doesn't, would get a
       second history. A recipient that claims less than its own receipt says proves that it lies, or has lost what it
       confirmed.
    """

    def __init__(
        self, *, peers: Peers, outgoing: Outgoing, writer: WriterClient, trust: Callable[[], TrustedDirectory]
    ) -> None:
        self._peers = peers
        self._outgoing = outgoing
        self._writer = writer
        self._trust = trust

    async def recover(self, origin: FeedOrigin) -> Recovered:
        """Steps 1 to 4.

        Raises:
            FeedForkedError: step 3.
            EpochNeededError: step 4; the feed stays blocked, and the reason says why.
            GatewayError: the recipient can't be reached, or sent what doesn't verify.
        """
        before = size = await asyncio.to_thread(self._outgoing.size, origin)
        forced = 0
        if origin.channel not in KEPT:
            await self._require_one_history(origin)
            async for batch in fetch_all(self._peers, origin, before):  # 1
                size = await self._writer.run(RecoverCommand(origin, batch, self._trust))
            if await self._nothing_more_comes(origin):
                forced = await self._writer.run(ForceCommand(origin))  # 2
        lost = await self._give_up(origin)
        waiting = sum([feed.waiting for feed in await self._related(origin)])
        return Recovered(size - before, size, waiting, forced, lost)

    async def _require_one_history(self, origin: FeedOrigin) -> feed_pb2.FeedPosition:
        """Step 3."""
        position = await position_at(self._peers, origin, origin.recipient)
        try:
            await asyncio.to_thread(self._outgoing.agree_on_position, origin, position)
        except FeedBehindError:
            stub = await self._peers.stub(origin.recipient)
            try:
                await require_one_history(stub, self._outgoing, origin, position)
            except grpc.aio.AioRpcError as error:
                raise from_partner(origin.recipient, error) from error
        return position

    async def _give_up(self, origin: FeedOrigin) -> int:
        """Step 4."""
        held = 0
        if origin.channel not in KEPT:
            held = (await self._require_one_history(origin)).size
        feed = await asyncio.to_thread(self._outgoing.made, origin)
        if feed.state is not FeedState.BEHIND or feed.waiting or held > feed.size:
            return 0
        try:
            lost = await self._writer.run(GiveUpCommand(origin))
        except EpochNeededError as error:
            await self._writer.run(StateCommand(origin, FeedState.BEHIND, error.message))
            raise
        return lost

    async def _related(self, origin: FeedOrigin) -> list[Feed]:
        related = () if origin.channel in KEPT else origin.related
        here = await asyncio.to_thread(lambda: [self._outgoing.feed(way) for way in related])
        return [feed for feed in here if feed is not None]

    async def _nothing_more_comes(self, origin: FeedOrigin) -> bool:
        """Whether entries wait although this node holds all of the partner's in each related feed."""
        if not any(feed.waiting for feed in await self._related(origin)):
            return False
        for way in origin.related:
            try:
                theirs = await position_at(self._peers, way, origin.recipient)
            except InvalidRequestError:
                if way.channel in URGENT_ALERTS:  # the partner doesn't know the channel
                    continue
                raise
            if theirs.size > await asyncio.to_thread(self._outgoing.size, way):
                return False
        return True


log = logging.getLogger(__name__)

ANSWER_S = 30.0
"""Longest wait for each of the two answers, in seconds; an audit delays nothing else."""


class PublisherAuditor:
    """Runs the steps of feed.service.publisher_audit over links' connections."""

    def __init__(
        self, audit: PublisherAudit, writer: WriterClient, metrics: Metrics, tell_time: Callable[[int], None]
    ) -> None:
        """`tell_time` takes a partner's time in milliseconds since 1970."""
        self._metrics = metrics
        self._tell_time = tell_time
        self._audit = audit
        self._writer = writer

    @asynccontextmanager
    async def during(self, stub: ExchangeServiceStub, origin: FeedOrigin) -> AsyncIterator[None]:
        """Audits a publisher beside the block, and stops with it."""
        running = asyncio.create_task(self._run(stub, origin))
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _run(self, stub: ExchangeServiceStub, origin: FeedOrigin) -> None:
        try:
            await self.audit(stub, origin)
        except GatewayError as error:
            log.warning("%s couldn't be audited: %s", origin, error.message)
        except grpc.aio.AioRpcError as error:
            log.info("%s couldn't be audited: %s", origin, from_rpc_error(error).message)

    async def audit(self, stub: ExchangeServiceStub, origin: FeedOrigin) -> None:
        """Audits once; quarantines the feed when the publisher has contradicted itself.

        Raises:
            MalformedError: step 2.
            grpc.aio.AioRpcError: no answer, or a refusal.
        """
        held = await asyncio.to_thread(self._audit.held, origin)  # 1
        if held is None:
            return
        answer = await stub.GetCheckpoint(pb.GetCheckpointRequest(origin=origin.line), timeout=ANSWER_S)
        self._tell_time(to_ms(answer.answered_at))
        shown = await asyncio.to_thread(self._audit.verify_shown, origin, answer.position)  # 2
        size = shown.checkpoint.size
        hashes: list[bytes] = []
        if size > held.head.size:
            request = pb.GetConsistencyProofRequest(origin=origin.line, old_size=held.head.size, new_size=size)
            hashes = list((await stub.GetConsistencyProof(request, timeout=ANSWER_S)).hashes)
        quarantine = await asyncio.to_thread(self._audit.compare, origin, held, shown, hashes)  # 3, 4
        if quarantine is not None:
            refusal = await self._writer.run(quarantine)  # 5
            if refusal is not None:
                self._metrics.quarantines.labels(origin.publisher, origin.channel.value, refusal.cause).inc()
