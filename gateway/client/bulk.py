"""Publishing many alerts over one stream: batches, a window, and the same alert once whatever happens to the stream.

Owns the order of results and what is sent again after an interruption: every batch without an answer, with the request
ids it had. Doesn't own the connection.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from gateway.client.connection import Backoff, Connection, may_pass
from gateway.errors import GatewayError, Kind, MalformedError, TooLargeError
from gateway.model.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.transport.status import DOMAIN, from_status
from gateway.v1.alert_pb2 import AlertContent
from gateway.v1.alert_service_pb2 import (
    ItemError,
    PublishAlertRequest,
    PublishAlertResponse,
    PublishAlertsRequest,
    PublishAlertsResponse,
)
from gateway.wire.limits import BATCH_BYTES, MAX_STREAM_ITEMS, WINDOW_BATCHES

DEFAULT_BATCH = 200
"""Alerts in one message: past a hundred the cost per message no longer shows."""

DEFAULT_PATIENCE_S = 60.0
"""Seconds without any answer after which a stream that keeps failing is given up."""


def new_request_id() -> str:
    """A new UUIDv7: ids made later sort later, which the gateway stores fastest."""
    return uuid7(time.time_ns() // 1_000_000, secrets.token_bytes(UUID7_RANDOM_BYTES))


def new_alert(content: AlertContent, recipients: Iterable[str], request_id: str | None = None) -> PublishAlertRequest:
    """A request to publish one alert.

    Args:
        content: what it says; copied.
        recipients: nodes it is for, e.g. `["hk"]`.
        request_id: a UUID; the same id never publishes twice. None makes a new one.
    """
    return PublishAlertRequest(request_id=request_id or new_request_id(), recipients=recipients, content=content)


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What became of one alert: exactly one of `published` and `refused` is set.

    Attributes:
        request: what was asked, with its request id.
        published: the gateway's answer; the alert is durable.
        refused: why not; nothing of it is kept.
    """

    request: PublishAlertRequest
    published: PublishAlertResponse | None = None
    refused: GatewayError | None = None

    def result(self) -> PublishAlertResponse:
        """The gateway's answer; raises `refused` when there is none."""
        if self.refused is not None:
            raise self.refused
        assert self.published is not None  # noqa: S101  # exactly one of them is set
        return self.published


@dataclass(slots=True)
class _Batch:
    """Alerts of one message; those too large for any message are refused here and not sent."""

    requests: list[PublishAlertRequest] = field(default_factory=list)
    refused: dict[int, GatewayError] = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def sent(self) -> list[PublishAlertRequest]:
        if not self.refused:
            return self.requests
        return [request for index, request in enumerate(self.requests) if index not in self.refused]

    def outcomes(self, response: PublishAlertsResponse) -> list[PublishOutcome]:
        """Pairs requests with results.

        Raises:
            MalformedError: there are more or fewer results than alerts.
        """
        if len(response.results) != len(self.sent):
            raise MalformedError(f"the gateway answered {len(self.sent)} alerts with {len(response.results)} results")
        results = iter(response.results)
        outcomes = []
        for index, request in enumerate(self.requests):
            if index in self.refused:
                outcomes.append(PublishOutcome(request, refused=self.refused[index]))
                continue
            result = next(results)
            if result.WhichOneof("result") == "published":
                outcomes.append(PublishOutcome(request, published=result.published))
            else:
                outcomes.append(PublishOutcome(request, refused=_item_error(result.refused)))
        return outcomes


class BulkPublisher:
    """One run of `GatewayClient.publish_many`."""

    def __init__(
        self,
        connection: Connection,
        alerts: Iterable[PublishAlertRequest] | AsyncIterable[PublishAlertRequest],
        *,
        batch: int,
        patience_s: float,
    ) -> None:
        if not 1 <= batch <= MAX_STREAM_ITEMS:
            raise ValueError(f"batch must be 1 to {MAX_STREAM_ITEMS}, not {batch}")
        self._connection = connection
        self._alerts = alerts
        self._batch_size = batch
        self._patience_s = patience_s
        self._waiting: asyncio.Queue[PublishAlertRequest | None] = asyncio.Queue(2 * batch)
        self._carried: PublishAlertRequest | None = None
        self._source_ended = False
        self._source_error: Exception | None = None
        self._unanswered: deque[_Batch] = deque()
        self._window = asyncio.Semaphore(WINDOW_BATCHES)
        self._answered_at_s = time.monotonic()

    async def run(self) -> AsyncGenerator[PublishOutcome, None]:
        """Results in the order of the alerts."""
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
                    if not may_pass(error) or time.monotonic() - self._answered_at_s > self._patience_s:
                        raise error from None
                    await backoff.pause(error)
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump
        if self._source_error is not None:
            raise self._source_error

    async def _one_stream(self, backoff: Backoff) -> AsyncGenerator[PublishOutcome, None]:
        call = self._connection.stubs.alerts.PublishAlerts()
        writer = asyncio.create_task(self._write(call, [batch for batch in self._unanswered if batch.sent]))
        try:
            async for response in call:
                backoff.reset()
                self._answered_at_s = time.monotonic()
                for outcome in self._unsent():
                    yield outcome
                batch = self._unanswered.popleft()
                self._window.release()
                for outcome in batch.outcomes(response):
                    yield outcome
        finally:
            call.cancel()
            writer.cancel()
            # It takes from the source: it must have ended before another one begins to.
            await asyncio.gather(writer, return_exceptions=True)
        for outcome in self._unsent():
            yield outcome
        if self._unanswered:
            raise MalformedError(f"the gateway ended the stream with {len(self._unanswered)} messages unanswered")

    def _unsent(self) -> list[PublishOutcome]:
        """Outcomes of batches at the front of which nothing was sent."""
        outcomes: list[PublishOutcome] = []
        while self._unanswered and not self._unanswered[0].sent:
            outcomes += self._unanswered.popleft().outcomes(PublishAlertsResponse())
            self._window.release()
        return outcomes

    async def _write(self, call: Any, resent: list[_Batch]) -> None:
        for batch in resent:
            await call.write(PublishAlertsRequest(alerts=batch.sent))
        while not self._source_ended:
            next_batch = await self._take_batch()
            if next_batch is not None and next_batch.sent:
                await call.write(PublishAlertsRequest(alerts=next_batch.sent))
        await call.done_writing()

    async def _take_batch(self) -> _Batch | None:
        """The next batch, from now on among the unanswered; None at the end. Nothing is taken when it is cancelled."""
        await self._window.acquire()
        try:
            batch = await self._next_batch()
        except asyncio.CancelledError:
            self._window.release()
            raise
        if not batch.requests:
            self._window.release()
            return None
        self._unanswered.append(batch)
        return batch

    async def _next_batch(self) -> _Batch:
        """What is there, up to a batch: a slow source isn't made to wait until a batch is full."""
        batch = _Batch()
        request = self._carried or await self._waiting.get()
        self._carried = None
        while request is not None:
            size = request.ByteSize()
            if size > BATCH_BYTES:
                batch.refused[len(batch.requests)] = TooLargeError(
                    f"the alert has {size} bytes; more than {BATCH_BYTES} don't fit into a message"
                )
            elif batch.size_bytes + size > BATCH_BYTES:
                self._carried = request
                return batch
            else:
                batch.size_bytes += size
            batch.requests.append(request)
            if len(batch.requests) == self._batch_size or self._waiting.empty():
                return batch
            request = self._waiting.get_nowait()
        self._source_ended = True
        return batch

    async def _pump(self) -> None:
        try:
            if isinstance(self._alerts, AsyncIterable):
                async for request in self._alerts:
                    await self._waiting.put(request)
            else:
                for request in self._alerts:
                    await self._waiting.put(request)
        except Exception as error:  # the caller's own; raised to it once what went before has its results
            self._source_error = error
        await self._waiting.put(None)


def _item_error(item: ItemError) -> GatewayError:
    info, bad = ErrorInfo(reason=item.reason, domain=DOMAIN), BadRequest()
    for violation in item.violations:
        bad.field_violations.add(field=violation.field, reason=violation.rule, description=violation.message)
    status = Status(code=Kind.INVALID_ARGUMENT.value, message=item.message)
    status.details.add().Pack(info)
    status.details.add().Pack(bad)
    return from_status(status)
