"""Hands partners' batches to the writer, so that an urgent alert is stored and projected behind few others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import GatewayError
from gateway.feed.rpc.traced_entries import TracedEntries, end_all
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.service.receiver import ReceiveCommand, Receiver, Refusal
from gateway.feed.service.sender import Outgoing
from gateway.feed.service.writing.command_queue import urgency_of
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.traces import TraceSpan
from gateway.v1 import feed_pb2

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
