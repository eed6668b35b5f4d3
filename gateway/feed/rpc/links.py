"""Maintains this node's connections for the exchange of feeds."""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import grpc
import grpc.aio

from gateway.contract.ids import URGENT_ALERTS, Channel, FeedOrigin
from gateway.contract.limits import WINDOW_BATCHES
from gateway.errors import (
    DeadlineExceededError,
    FeedBehindError,
    FeedForkedError,
    GatewayError,
    InvalidRequestError,
    LinkSuspendedError,
    MalformedError,
    MisbehaviourError,
    PermissionDeniedError,
    QuarantinedError,
    UnauthenticatedError,
    UnavailableError,
)
from gateway.feed.rpc.comparing import ANSWER_S, COMMON, PublisherAuditor, require_one_history, responses_of
from gateway.feed.rpc.sending import FeedSender, Intake
from gateway.feed.rpc.writer_client import in_order, set_within
from gateway.feed.rules import Outbound
from gateway.feed.service.partner_directories import MAX_REASON_CHARS, PartnerDirectories, RecipientQuarantine
from gateway.feed.service.receiver import Refusal, require_moving
from gateway.feed.service.sender import Outgoing
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.rpc.calls import from_rpc_error, write_to
from gateway.rpc.peers import Peers, Reconnection
from gateway.telemetry.metrics import Metrics
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1 import feed_pb2
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.05
"""Wait after the first failure, in seconds."""

MAX_BACKOFF_S = 0.8
"""Longest wait, in seconds: links resume within a second."""

BLOCKED_BACKOFF_S = 2.0
"""Wait in states that only people can change, in seconds."""

DECLINED_BACKOFF_S = 30.0
"""Wait, in seconds, where the partner's gateway doesn't know the feed's channel; its restart ends it."""

FULL_BACKOFF_S = 60.0
"""Longest wait, in seconds, where the partner says how long: its quota or disk is full, but its operator may help."""

MAX_ERROR_CHARS = 1_024
"""Longest error kept of a link, in characters: partners write them."""

_NEEDS_PEOPLE = (
    FeedBehindError,
    FeedForkedError,
    LinkSuspendedError,
    MisbehaviourError,
    PermissionDeniedError,
    QuarantinedError,
    UnauthenticatedError,
)

_NOBODY_ANSWERS = (UnavailableError, DeadlineExceededError)


@dataclass(slots=True)
class LinkStatus:
    """A link's status; times in milliseconds since 1970, 0 for never.

    Attributes:
        unreachable_since: the first of the failures in which the partner's gateway didn't answer at all.
    """

    connected: bool = False
    last_error: str = ""
    last_exchange_at: int = 0
    unreachable_since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkParts:
    """What all links of a node use; `clock` gives milliseconds since 1970."""

    peers: Peers
    outgoing: Outgoing
    intake: Intake
    sender: FeedSender
    auditor: PublisherAuditor
    quarantine: RecipientQuarantine
    directories: PartnerDirectories
    clock: Callable[[], int]
    metrics: Metrics


class Link(ABC):
    """Exchanges one feed; `run` records every failure and retries."""

    def __init__(
        self,
        origin: FeedOrigin,
        parts: LinkParts,
        *,
        partner: str,
        on_open: Callable[[Link], None],
        reconnection: Reconnection,
    ) -> None:
        """`reconnection`: shared by all links to the partner."""
        self.origin = origin
        self.partner = partner
        self.status = LinkStatus()
        self._parts = parts
        self._direction = "out" if partner == origin.recipient else "in"
        self._on_open = on_open
        self._reconnection = reconnection
        self._kick = asyncio.Event()
        self._pausing = False
        self._progressed = False

    def kick(self) -> None:
        """Restarts the link at once, e.g. after a suspension."""
        self._kick.set()

    def hurry(self) -> None:
        """Ends a pause that a new connection to the partner may make needless."""
        if self._pausing:
            self._kick.set()

    async def run(self) -> None:
        backoff = FIRST_BACKOFF_S
        while True:
            self._kick.clear()
            self._progressed = False
            try:
                await self._attempt()
                backoff = FIRST_BACKOFF_S
            except GatewayError as error:
                backoff = await self._failed(error, backoff)
            except Exception:
                log.exception("link %s failed unexpectedly", self.origin)
                self.status.last_error = "unexpected failure; see the log"
                backoff = BLOCKED_BACKOFF_S
            finally:
                self.status.connected = False
            await self._wait(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_S)

    async def _attempt(self) -> None:
        streaming, kicked = asyncio.create_task(self._stream()), asyncio.create_task(self._kick.wait())
        try:
            await asyncio.wait({streaming, kicked}, return_when=asyncio.FIRST_COMPLETED)
            if streaming.done() and not streaming.cancelled():  # or another link to this partner made a new channel
                streaming.result()
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            kicked.cancel()
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)

    @abstractmethod
    async def _stream(self) -> None:
        """Connects and exchanges until a failure."""

    def _opened(self) -> None:
        if self.status.last_error and not self.status.unreachable_since:
            log.info("link %s is up again", self.origin)
        self._reconnection.regained()
        self._parts.peers.reached(self.partner)
        self.status.connected = True
        self.status.last_error = ""
        self.status.unreachable_since = 0
        self.status.last_exchange_at = self._parts.clock()
        self._on_open(self)

    def reset(self) -> None:
        """Forgets the status: another replica knows it now."""
        self.status = LinkStatus()

    def _exchanged(self) -> None:
        """Notes a receipt: another failure isn't one in a row."""
        self._progressed = True
        self.status.last_exchange_at = self._parts.clock()

    def _note_failure(self, error: GatewayError) -> None:
        self._parts.metrics.link_failures.labels(
            self.partner, self.origin.channel.value, self._direction, error.reason
        ).inc()
        if isinstance(error, _NOBODY_ANSWERS):
            self.status.unreachable_since = self.status.unreachable_since or self._parts.clock()
        else:
            self.status.unreachable_since = 0

    async def _failed(self, error: GatewayError, backoff: float) -> float:
        self._note_failure(error)
        if await self._is_declined(error):
            self.status.last_error = (
                f"the gateway of {self.partner} doesn't know this feed yet; its alerts are in "
                f"{replace(self.origin, channel=Channel.ALERTS)}"
            )
            return DECLINED_BACKOFF_S
        text = f"{error.reason}: {error.message}"[:MAX_ERROR_CHARS]
        if self.status.unreachable_since:
            self._reconnection.lost(text)
        elif text != self.status.last_error:
            log.warning("link %s: %s", self.origin, text)
        self.status.last_error = text
        if isinstance(error, _NEEDS_PEOPLE):
            return BLOCKED_BACKOFF_S
        if error.retry_after_s is not None:
            return max(backoff, min(error.retry_after_s, FULL_BACKOFF_S))
        if isinstance(error, UnavailableError):
            await self._parts.peers.renew(self.partner)
        return FIRST_BACKOFF_S if self._progressed else backoff

    async def _is_declined(self, error: GatewayError) -> bool:
        """Whether the partner's gateway doesn't know the channel: an older one refuses the feed's name."""
        refused = isinstance(error, PermissionDeniedError | InvalidRequestError)
        if self.origin.channel not in URGENT_ALERTS or not refused:
            return False
        feed = await asyncio.to_thread(self._parts.outgoing.feed, self.origin)
        return feed is None or not (feed.accepted_at or feed.size)

    async def _wait(self, backoff: float) -> None:
        self._pausing = backoff < BLOCKED_BACKOFF_S or backoff == DECLINED_BACKOFF_S
        kicked = await set_within(self._kick, backoff * random.uniform(0.8, 1.2))  # noqa: S311  jitter
        if self.status.unreachable_since and not kicked:
            await self._reconnection.wait(self._kick)
        self._pausing = False


class PushLink(Link):
    """Pushes an own feed to its recipient."""

    def __init__(
        self, origin: FeedOrigin, parts: LinkParts, *, on_open: Callable[[Link], None], reconnection: Reconnection
    ) -> None:
        super().__init__(origin, parts, partner=origin.recipient, on_open=on_open, reconnection=reconnection)

    def reset(self) -> None:
        super().reset()
        self._parts.quarantine.ended(self.origin)

    async def _stream(self) -> None:
        try:
            await self._push()
        except grpc.aio.AioRpcError as failed:
            if self._parts.quarantine.refused(self.origin, from_rpc_error(failed)):
                await self._compare()
            raise

    async def _compare(self) -> None:
        """Compares histories with a recipient that has the feed in quarantine: two of them stop it here as well."""
        stub = await self._parts.peers.stub(self.partner)
        try:
            answer = await stub.GetCheckpoint(pb.GetCheckpointRequest(origin=self.origin.line), timeout=ANSWER_S)
            await self._agreed(stub, answer.position)
        except grpc.aio.AioRpcError as error:
            log.warning("link %s: not compared: %s", self.origin, from_rpc_error(error).message)

    async def _push(self) -> None:
        feed = await asyncio.to_thread(self._parts.outgoing.feed, self.origin)
        if feed is not None and feed.state is FeedState.CLOSED:
            self._parts.quarantine.ended(self.origin)
            raise LinkSuspendedError(f"{self.origin} is closed: {feed.state_reason}")
        if feed is not None and feed.suspended:
            raise LinkSuspendedError(f"{self.origin} is suspended here")
        stub = await self._parts.peers.stub(self.partner)
        pace = self._parts.sender.pace(self.partner)
        compressed = pace.narrow
        call = stub.Replicate(compression=grpc.Compression.Gzip if compressed else None)
        try:
            opening = pb.FeedOpening(origin=self.origin.line, directory=self._parts.directories.held())
            await write_to(call, pb.ReplicateRequest(open=opening))
            responses = responses_of(call)
            first = await anext(responses, pb.ReplicateResponse())
            if first.WhichOneof("message") != "position":
                raise MalformedError(f"{self.partner} didn't answer the opening with its position")
            self._parts.directories.note(self.partner, first.directory)
            feed = await self._agreed(stub, first.position)
            self._opened()
            self._parts.quarantine.ended(self.origin)

            async def write(batch: feed_pb2.Batch) -> None:
                await write_to(call, pb.ReplicateRequest(batch=batch))

            def progressed(_: Outbound) -> None:
                self._exchanged()
                if pace.narrow and not compressed:
                    self.kick()  # the next stream is compressed

            async with self._parts.auditor.during(stub, self.origin.reverse):
                await self._parts.sender.run(
                    feed,
                    position=first.position.size,
                    write=write,
                    receipts=self._receipts(responses),
                    on_progress=progressed,
                )
        finally:
            call.cancel()

    async def _agreed(self, stub: ExchangeServiceStub, position: feed_pb2.FeedPosition) -> Feed:
        """The feed, at a position of the recipient on which it goes on."""
        try:
            return await asyncio.to_thread(self._parts.outgoing.agree_on_position, self.origin, position)
        except (FeedBehindError, FeedForkedError) as error:
            if COMMON not in error.message:  # not compared yet: what looks behind may be forked
                await require_one_history(stub, self._parts.outgoing, self.origin, position)
            raise

    async def _receipts(self, responses: AsyncIterator[pb.ReplicateResponse]) -> AsyncIterator[feed_pb2.Receipt]:
        async for response in responses:
            if response.WhichOneof("message") != "receipt":
                raise MalformedError(f"{self.partner} sent something else than a receipt")
            yield response.receipt


class PullLink(Link):
    """Fetches a partner's feed."""

    def __init__(
        self, origin: FeedOrigin, parts: LinkParts, *, on_open: Callable[[Link], None], reconnection: Reconnection
    ) -> None:
        super().__init__(origin, parts, partner=origin.publisher, on_open=on_open, reconnection=reconnection)

    async def _stream(self) -> None:
        feed = await asyncio.to_thread(self._parts.outgoing.made, self.origin)
        if feed.state is FeedState.QUARANTINED:
            await self._tell_of_quarantine(feed)
        require_moving(feed)
        opening = await self._opening()
        stub = await self._parts.peers.stub(self.partner)
        call = stub.Fetch()
        try:
            await write_to(call, pb.FetchRequest(open=opening))
            async with self._parts.auditor.during(stub, self.origin):
                async for receipt in in_order(self._batches(call), self._begin, depth=WINDOW_BATCHES):
                    if isinstance(receipt, Refusal):
                        raise receipt.error
                    await write_to(call, pb.FetchRequest(receipt=receipt))
                    self._exchanged()
        finally:
            call.cancel()

    async def _opening(self, *, quarantine: str = "") -> pb.FetchOpening:
        position = await asyncio.to_thread(self._parts.outgoing.position, self.origin)
        return pb.FetchOpening(
            origin=self.origin.line,
            first_index=position.size,
            position=position,
            quarantine=quarantine,
            directory=self._parts.directories.held(),
        )

    async def _tell_of_quarantine(self, feed: Feed) -> None:
        """Tells the publisher, who has no connection to this node on which it would learn of it."""
        opening = await self._opening(quarantine=feed.state_reason[:MAX_REASON_CHARS] or "in quarantine")
        stub = await self._parts.peers.stub(self.partner)
        call = stub.Fetch(timeout=ANSWER_S)
        try:
            await write_to(call, pb.FetchRequest(open=opening))
            async for response in responses_of(call):
                if response.WhichOneof("message") == "batch":  # a publisher that doesn't know the field goes on
                    return
        finally:
            call.cancel()

    async def _begin(self, batch: feed_pb2.Batch) -> asyncio.Future[feed_pb2.Receipt | Refusal]:
        return await self._parts.intake.submit(self.partner, batch)

    async def _batches(
        self, call: grpc.aio.StreamStreamCall[pb.FetchRequest, pb.FetchResponse]
    ) -> AsyncIterator[feed_pb2.Batch]:
        async for response in responses_of(call):
            if response.WhichOneof("message") == "batch":
                yield response.batch
            else:
                self._parts.directories.note(self.partner, response.directory)
                self._opened()
