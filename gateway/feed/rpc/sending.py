"""Moves batches: sends a feed over one stream, whichever side opened it, and hands partners' batches to the writer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from gateway.contract.ids import BETWEEN_NODES, Channel, FeedOrigin
from gateway.errors import GatewayError, MalformedError
from gateway.feed.rpc.committed_entries import TracedEntries, end_all
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.rules import Outbound, Pace
from gateway.feed.service.alarms import Alarms
from gateway.feed.service.receiver import ReceiveCommand, Receiver, Refusal
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.writing.command_queue import urgency_of
from gateway.feed.tables.feeds import Feed
from gateway.rpc.peers import LineTimes
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.traces import TraceSpan
from gateway.v1 import feed_pb2

URGENT_OPENS_S = 1.0
"""How long an opened feed waits for a more urgent one with a backlog to open, in seconds."""

YIELD_S = 0.02
"""Interval at which a feed checks whether a more urgent one has been sent, or the link takes more, in seconds."""

Write = Callable[[feed_pb2.Batch], Awaitable[None]]


@dataclass(slots=True)
class _Stream:
    """An open stream.

    Attributes:
        sent_at: when batches without a receipt were sent, in milliseconds since 1970, by size.
        checkpoints: those of these batches, by size.
    """

    outbound: Outbound
    feed_id: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    sent_at: dict[int, int] = field(default_factory=dict)
    checkpoints: dict[int, bytes] = field(default_factory=dict)
    spans: dict[int, list[TraceSpan]] = field(default_factory=dict)

    def take_sent_at(self, size: int) -> int:
        """When the batch that ends at a size was sent; 0 if it wasn't on this stream. Forgets it and those before."""
        at = self.sent_at.get(size, 0)
        for done in [done for done in self.sent_at if done <= size]:
            del self.sent_at[done], self.checkpoints[done]
        return at

    def end_spans(self, size: int | None = None) -> None:
        """Ends the spans of what is receipted, or of all."""
        for done in [done for done in self.spans if size is None or done <= size]:
            end_all(self.spans.pop(done))


class FeedSender:
    """Streams of batches and their receipts; used in one event loop, but for `sent_size`."""

    def __init__(
        self,
        *,
        outgoing: Outgoing,
        writer: WriterClient,
        notifier: ChangeNotifier,
        alarms: Alarms,
        metrics: Metrics,
        traced: TracedEntries,
    ) -> None:
        self._metrics = metrics
        self._traced = traced
        self._outgoing = outgoing
        self._writer = writer
        self._notifier = notifier
        self._alarms = alarms
        self._open: dict[FeedOrigin, Outbound] = {}
        self._paces: dict[str, Pace] = {}

    def sent_size(self, origin: FeedOrigin) -> int:
        """Size up to which a feed was sent on its open stream; 0 without one. From any thread."""
        outbound = self._open.get(origin)
        return 0 if outbound is None else outbound.sent_size

    def pace(self, partner: str) -> Pace:
        """What may be on the way to a partner; kept from one connection to the next."""
        return self._paces.setdefault(partner, Pace())

    def line(self, partner: str) -> LineTimes:
        """What is to be expected of the line to a partner."""
        pace = self.pace(partner)
        return LineTimes(silence_s=pace.silence_s, connect_s=pace.connect_s)

    async def run(
        self,
        feed: Feed,
        *,
        position: int,
        write: Write,
        receipts: AsyncIterator[feed_pb2.Receipt],
        on_progress: Callable[[Outbound], None] = lambda _: None,
    ) -> None:
        """Sends from `position` on as the feed grows, until the receipts end or something fails."""
        loop, pace = asyncio.get_running_loop(), self.pace(feed.origin.recipient)
        if feed.origin in self._open:  # of a connection whose end wasn't noticed yet
            pace.ended(self._open[feed.origin], failed=True, now_s=loop.time())
        outbound = self._open[feed.origin] = Outbound(position=position, head=feed.size)
        stream = _Stream(outbound, feed.id)
        end_subscription = self._notifier.subscribe(feed.origin, stream.wake)
        self._notifier.fresh.follow(feed.origin)
        receiving = asyncio.create_task(self._take_receipts(feed.origin, stream, receipts, on_progress))
        sending = asyncio.create_task(self._send(feed, stream, write))
        failed = False
        try:
            done, _ = await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except Exception:
            failed = True
            raise
        finally:
            pace.ended(outbound, failed=failed, now_s=loop.time())
            if self._open.get(feed.origin) is outbound:
                del self._open[feed.origin]
                self._notifier.fresh.leave(feed.origin)
            end_subscription()
            stream.end_spans()
            for task in (receiving, sending):
                task.cancel()
            await asyncio.gather(receiving, sending, return_exceptions=True)

    async def _send(self, feed: Feed, stream: _Stream, write: Write) -> None:
        outbound, wake = stream.outbound, stream.wake
        loop, pace, rank = asyncio.get_running_loop(), self.pace(feed.origin.recipient), _rank(feed.origin)
        opened_at = loop.time()
        urgent = await asyncio.to_thread(self._outgoing.with_backlog, _more_urgent(feed.origin))
        while self._open.get(feed.origin) is outbound:
            wake.clear()
            outbound.head_moved(self._notifier.size(feed.origin))
            following = outbound.next_range()
            if following is None:
                await wake.wait()
                continue
            opening = loop.time() < opened_at + URGENT_OPENS_S and not urgent <= self._open.keys()
            if opening or self._must_yield(feed.origin) or not pace.has_room(rank):
                await set_within(wake, YIELD_S)
                continue
            batch = self._notifier.fresh.batch(feed.origin, following.first, pace.batch_bytes)
            if batch is None:
                batch = await asyncio.to_thread(
                    self._outgoing.read_batch, feed, following.first, most_bytes=pace.batch_bytes
                )
                if self._must_yield(feed.origin):  # a more urgent feed has opened meanwhile
                    continue
            if batch is None:
                await wake.wait()
                continue
            size = batch.first_index + len(batch.entries)
            self._outgoing.note_release(feed.origin, size)
            outbound.sent(size)
            pace.sent(outbound, rank, end=size, size=batch.ByteSize(), now_s=loop.time())
            stream.sent_at[size], stream.checkpoints[size] = self._alarms.time_ms(), batch.checkpoint
            if spans := self._traced.sending(feed.origin, batch):
                stream.spans[size] = spans
            await write(batch)

    def _must_yield(self, origin: FeedOrigin) -> bool:
        """Whether a more urgent feed to the same partner has unsent entries."""
        for urgent in _more_urgent(origin):
            outbound = self._open.get(urgent)
            if outbound is not None:
                outbound.head_moved(self._notifier.size(urgent))
                if outbound.unsent:
                    return True
        return False

    async def _take_receipts(
        self,
        origin: FeedOrigin,
        stream: _Stream,
        receipts: AsyncIterator[feed_pb2.Receipt],
        on_progress: Callable[[Outbound], None],
    ) -> None:
        kept: asyncio.Future[int] | None = None
        async for receipt in receipts:
            sent = stream.checkpoints.get(receipt.size)
            if sent is None:
                raise MalformedError(f"a receipt speaks of {receipt.origin} at {receipt.size}, which wasn't sent")
            command = self._outgoing.verified_receipt(origin, receipt, stream.feed_id, sent)
            stream.outbound.receipt(receipt.size)
            self.pace(origin.recipient).receipted(stream.outbound, receipt.size, asyncio.get_running_loop().time())
            self._alarms.compare_clocks(
                origin.recipient, command.receipted_at, not_before_ms=stream.take_sent_at(receipt.size)
            )
            stream.end_spans(receipt.size)
            self._metrics.receipts.labels(origin.recipient, origin.channel.value, "out").inc()
            if command.receipted_at:
                ahead_s = (command.receipted_at - self._alarms.time_ms()) / 1000
                self._metrics.clock_ahead.set(ahead_s, origin.recipient)
            stream.wake.set()
            if kept is not None:
                await kept
            kept = self._writer.submit(command, deferrable=True)
            on_progress(stream.outbound)


def _more_urgent(origin: FeedOrigin) -> list[FeedOrigin]:
    """Feeds to the same recipient that go first."""
    return [replace(origin, channel=channel) for channel in BETWEEN_NODES[: _rank(origin)]]


def _rank(origin: FeedOrigin) -> int:
    return BETWEEN_NODES.index(origin.channel)


SMALL_BATCH = 10
"""Entries that are hashed faster than handed to another thread, and that make no backlog."""

MOST_UNPROJECTED_URGENT = 2_000
MOST_UNPROJECTED = 500
"""Entries that may be stored and not yet projected when the next batch of a channel is stored.

So an alert of priority A is projected after one or two batches of others, and a partner that gives all its alerts
priority A doesn't delay those of others by more than a few batches.
"""

UNKNOWN_CHANNEL = "-"
"""Channel of a batch that is refused before its feed's name counts for anything."""

LONGEST_WAIT_S = 5.0
"""Longest wait for projections, in seconds: a defect there must not stop the exchange."""


class Intake:
    """Checks batches and submits them to the writer; for one event loop."""

    def __init__(
        self,
        *,
        receiver: Receiver,
        outgoing: Outgoing,
        writer: WriterClient,
        notifier: ChangeNotifier,
        metrics: Metrics,
        traced: TracedEntries,
    ) -> None:
        self._metrics = metrics
        self._traced = traced
        self._receiver = receiver
        self._outgoing = outgoing
        self._writer = writer
        self._notifier = notifier
        self._under_way = 0  # entries between admission and commit
        self._of_feed: Counter[FeedOrigin] = Counter()  # commands between admission and commit

    async def submit(self, peer: str, batch: feed_pb2.Batch) -> asyncio.Future[feed_pb2.Receipt | Refusal]:
        """Returns when the batch is in the writer's queue; raises as `Receiver.open_batch` does."""
        try:
            if len(batch.entries) <= SMALL_BATCH:
                command = self._receiver.open_batch(peer, batch)
            else:
                command = await asyncio.to_thread(self._receiver.open_batch, peer, batch)
        except GatewayError as error:
            self._metrics.refusals.labels(peer, UNKNOWN_CHANNEL, error.reason).inc()
            raise
        if len(batch.entries) > SMALL_BATCH:
            urgent = command.origin.channel is Channel.ALERTS_A
            await self._room(MOST_UNPROJECTED_URGENT if urgent else MOST_UNPROJECTED)
        return self._submit(command)

    def _submit(self, command: ReceiveCommand) -> asyncio.Future[feed_pb2.Receipt | Refusal]:
        spans = self._traced.received(command.origin, command.batch)
        # Nobody waits for answers. Commands of one feed keep their order: a deferred one comes before those after it.
        alone = not self._of_feed[command.origin]
        submitted = self._writer.submit(
            command, urgency=urgency_of(command.origin.channel), deferrable=command.answers and alone
        )
        self._of_feed[command.origin] += 1
        self._under_way += command.weight
        submitted.add_done_callback(lambda done: self._ended(command, done, spans))
        return submitted

    def _ended(
        self, command: ReceiveCommand, done: asyncio.Future[feed_pb2.Receipt | Refusal], spans: Sequence[TraceSpan]
    ) -> None:
        self._under_way -= command.weight
        self._of_feed[command.origin] -= 1
        if done.cancelled():
            end_all(spans)
            return
        origin, error = command.origin, done.exception()
        end_all(spans, error)
        labels = origin.publisher, origin.channel.value
        if isinstance(error, GatewayError):
            self._metrics.refusals.labels(*labels, error.reason).inc()
        elif error is None:
            result = done.result()
            if isinstance(result, Refusal):
                self._metrics.quarantines.labels(*labels, result.cause).inc()
            else:
                self._metrics.receipts.labels(*labels, "in").inc()

    async def _room(self, most: int) -> None:
        """Waits until few entries wait for their projection."""
        moved = asyncio.Event()
        end_subscription = self._notifier.subscribe(ChangeNotifier.PROJECTED, moved)
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_WAIT_S
        try:
            while await asyncio.to_thread(self._outgoing.unprojected) + self._under_way > most:
                if not await set_within(moved, until - loop.time()):
                    return
                moved.clear()
        finally:
            end_subscription()
