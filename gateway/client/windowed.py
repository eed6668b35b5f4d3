"""Sends many items over one stream, in batches with a window of unanswered ones."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import grpc.aio
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from gateway.client.connection import Backoff, Connection, Stubs, is_transient
from gateway.contract.limits import BATCH_BYTES, MAX_STREAM_ITEMS, WINDOW_BATCHES
from gateway.contract.status import DOMAIN, from_status
from gateway.errors import GatewayError, Kind, MalformedError, TooLargeError
from gateway.v1.alert_service_pb2 import ItemError

DEFAULT_PATIENCE_S = 60.0
"""Seconds without an answer after which a failing stream is given up."""

ItemT = TypeVar("ItemT", bound=Message)
RequestT_contra = TypeVar("RequestT_contra", bound=Message, contravariant=True)
OutcomeT = TypeVar("OutcomeT")


class StreamMethod(Protocol[RequestT_contra, OutcomeT]):
    """The messages of one method. Sending a batch twice must have its effect once."""

    noun: str
    """Name of an item in errors."""

    def open(self, stubs: Stubs) -> Any: ...

    def message(self, items: Sequence[RequestT_contra]) -> Message: ...

    def outcomes(
        self,
        items: Sequence[RequestT_contra],
        unsent: Mapping[int, GatewayError],
        response: Any | None,
        *,
        resent: bool,
    ) -> list[OutcomeT]:
        """Results of a batch's items.

        Args:
            items: of the batch.
            unsent: reasons by index.
            response: to the sent items; None if there are none.
            resent: whether they were sent before in this run, so that the gateway may have had them already.

        Raises:
            MalformedError: the response doesn't fit the items.
        """
        ...


@dataclass(slots=True)
class _Batch(Generic[ItemT]):
    """Items of one message; those too large for it are refused and not sent."""

    items: list[ItemT] = field(default_factory=list)
    refused: dict[int, GatewayError] = field(default_factory=dict)
    size_bytes: int = 0
    resent: bool = False

    @property
    def sent(self) -> list[ItemT]:
        if not self.refused:
            return self.items
        return [item for index, item in enumerate(self.items) if index not in self.refused]


def _defect_of(writer: asyncio.Task[None]) -> BaseException | None:
    """Why nothing more is sent, where that isn't the call's own end: an item that is no request of the method."""
    if not writer.done() or writer.cancelled():
        return None
    error = writer.exception()
    return None if isinstance(error, grpc.aio.AioRpcError | asyncio.InvalidStateError) else error


class WindowedStream(Generic[ItemT, OutcomeT]):
    """One run of a streaming method."""

    def __init__(
        self,
        connection: Connection,
        method: StreamMethod[ItemT, OutcomeT],
        items: Iterable[ItemT] | AsyncIterable[ItemT],
        *,
        batch: int,
        patience_s: float,
    ) -> None:
        if not 1 <= batch <= MAX_STREAM_ITEMS:
            raise ValueError(f"batch must be 1 to {MAX_STREAM_ITEMS}, not {batch}")
        self._connection = connection
        self._method = method
        self._items = items
        self._batch_size = batch
        self._patience_s = patience_s
        self._waiting: asyncio.Queue[ItemT | None] = asyncio.Queue(2 * batch)
        self._carried: ItemT | None = None
        self._source_ended = False
        self._source_error: Exception | None = None
        self._unanswered: deque[_Batch[ItemT]] = deque()
        self._window = asyncio.Semaphore(WINDOW_BATCHES)
        self._answered_at_s = time.monotonic()

    async def run(self) -> AsyncGenerator[OutcomeT, None]:
        """Results in the order of the items."""
        pump = asyncio.create_task(self._pump())
        backoff = Backoff()
        try:
            while True:
                try:
                    async with aclosing(self._one_stream(backoff)) as outcomes:
                        async for outcome in outcomes:
                            yield outcome
                    break
                except grpc.aio.AioRpcError as rpc_error:
                    error = self._connection.error(rpc_error)
                    if not is_transient(error) or time.monotonic() - self._answered_at_s > self._patience_s:
                        raise error from None
                    await backoff.pause(error)
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump
        if self._source_error is not None:
            raise self._source_error

    async def _one_stream(self, backoff: Backoff) -> AsyncGenerator[OutcomeT, None]:
        call = self._method.open(self._connection.stubs)
        writer = asyncio.create_task(self._write(call, [batch for batch in self._unanswered if batch.sent]))
        writer.add_done_callback(lambda ended: call.cancel() if _defect_of(ended) else None)
        try:
            async for response in call:
                backoff.reset()
                self._answered_at_s = time.monotonic()
                for outcome in self._unsent():
                    yield outcome
                if not self._unanswered:
                    raise MalformedError("the gateway answered more messages than were sent")
                batch = self._unanswered.popleft()
                self._window.release()
                for outcome in self._method.outcomes(batch.items, batch.refused, response, resent=batch.resent):
                    yield outcome
        except asyncio.CancelledError:
            if defect := _defect_of(writer):
                raise defect from None
            raise
        finally:
            call.cancel()
            writer.cancel()
            # The writer reads the source, so it must end before another begins.
            await asyncio.gather(writer, return_exceptions=True)
        for outcome in self._unsent():
            yield outcome
        if self._unanswered:
            raise MalformedError(f"the gateway ended the stream with {len(self._unanswered)} messages unanswered")

    def _unsent(self) -> list[OutcomeT]:
        """Outcomes of the first batches, as far as nothing of them was sent."""
        outcomes: list[OutcomeT] = []
        while self._unanswered and not self._unanswered[0].sent:
            batch = self._unanswered.popleft()
            outcomes += self._method.outcomes(batch.items, batch.refused, None, resent=batch.resent)
            self._window.release()
        return outcomes

    async def _write(self, call: Any, resent: list[_Batch[ItemT]]) -> None:
        for batch in resent:
            batch.resent = True
            await call.write(self._method.message(batch.sent))
        while not self._source_ended:
            next_batch = await self._take_batch()
            if next_batch is not None and next_batch.sent:
                await call.write(self._method.message(next_batch.sent))
        await call.done_writing()

    async def _take_batch(self) -> _Batch[ItemT] | None:
        """The next batch, moved to the unanswered; None at the end. Cancellation loses no item."""
        await self._window.acquire()
        try:
            batch = await self._next_batch()
        except asyncio.CancelledError:
            self._window.release()
            raise
        if not batch.items:
            self._window.release()
            return None
        self._unanswered.append(batch)
        return batch

    async def _next_batch(self) -> _Batch[ItemT]:
        """The items that are ready, up to a batch; a slow source doesn't delay them."""
        batch: _Batch[ItemT] = _Batch()
        item = self._carried or await self._waiting.get()
        self._carried = None
        while item is not None:
            size = item.ByteSize()
            if size > BATCH_BYTES:
                batch.refused[len(batch.items)] = TooLargeError(
                    f"the {self._method.noun} has {size} bytes; more than {BATCH_BYTES} don't fit into a message"
                )
            elif batch.size_bytes + size > BATCH_BYTES:
                self._carried = item
                return batch
            else:
                batch.size_bytes += size
            batch.items.append(item)
            if len(batch.items) == self._batch_size or self._waiting.empty():
                return batch
            item = self._waiting.get_nowait()
        self._source_ended = True
        return batch

    async def _pump(self) -> None:
        try:
            if isinstance(self._items, AsyncIterable):
                async for item in self._items:
                    await self._waiting.put(item)
            else:
                for item in self._items:
                    await self._waiting.put(item)
        except Exception as error:  # the source's; raised after the results of earlier items
            self._source_error = error
        await self._waiting.put(None)


def item_error(item: ItemError) -> GatewayError:
    """The reason for which an item was refused."""
    info, bad = ErrorInfo(reason=item.reason, domain=DOMAIN), BadRequest()
    for violation in item.violations:
        bad.field_violations.add(field=violation.field, reason=violation.rule, description=violation.message)
    status = Status(code=Kind.INVALID_ARGUMENT.value, message=item.message)
    status.details.add().Pack(info)
    status.details.add().Pack(bad)
    return from_status(status)
