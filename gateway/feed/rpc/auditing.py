"""Audits a publisher when a connection to it opens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc.aio

from gateway.contract.ids import FeedOrigin
from gateway.contract.timestamps import to_ms
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.publisher_audit import PublisherAudit
from gateway.rpc.calls import from_rpc_error
from gateway.telemetry.metrics import Metrics
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub

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
