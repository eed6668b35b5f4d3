"""The process that prepares recorded shipments, as the node's loops use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.db.database import Database
from gateway.errors import UnavailableError
from gateway.history.codec.batches import decode_names
from gateway.history.service.segment_filters import next_segment
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.rpc.worker_process import WorkerProcess
from gateway.v1 import history_pb2

MODULE = "gateway.node.workers.history"

INDEX, JUDGE, FILTER, NAMES = b"I", b"J", b"F", b"N"
"""Questions: for the next items to make findable, for the next ones to judge by the rules, for the next filter of the
index, and for recorded names."""

WHAT = "the process that prepares records"

NAMES_TIMEOUT_S = 20.0
"""How long the process may take to find names, its start included, in seconds."""

_RETRY_AFTER_S = 2.0


class Preparing:
    """Asks the process; used in one event loop."""

    def __init__(self, database: Database, *, settings: Mapping[str, Any]) -> None:
        """Starts nothing.

        Args:
            database: to see whether there is anything to prepare.
            settings: what the process is told.
        """
        self._database = database
        self._settings = settings
        self._process: WorkerProcess | None = None
        self._starting = asyncio.Lock()
        self._loop = asyncio.get_running_loop()

    async def ask(self, question: bytes) -> bytes:
        """What is next, as history.codec.batches has it; empty when there is nothing.

        Raises:
            UnavailableError: the process has just ended.
            GatewayError: it couldn't prepare it; its log says why.
            StoreUnavailableError: the database can't be read.
        """
        if not await asyncio.to_thread(self._is_behind, question):
            return b""
        return await self._ask(question)

    def names(self, asked: Sequence[str]) -> dict[int, history_pb2.NameMatch]:
        """Recorded names that may be meant by some names, by their keys; for threads other than the loop's.

        Raises:
            InvalidRequestError: a name may be too many.
            UnavailableError: as `ask`, or there was no answer in time.
        """
        question = NAMES + json.dumps(list(asked)).encode()
        future = asyncio.run_coroutine_threadsafe(self._ask(question), self._loop)
        try:
            return decode_names(future.result(NAMES_TIMEOUT_S))
        except TimeoutError as error:
            future.cancel()
            raise UnavailableError(f"{WHAT} hasn't answered in time", retry_after_s=_RETRY_AFTER_S) from error

    async def _ask(self, question: bytes) -> bytes:
        try:
            return await (await self._started()).ask(question)
        except (OSError, asyncio.IncompleteReadError) as error:
            await self._end()
            raise UnavailableError(f"{WHAT}: {error}", retry_after_s=_RETRY_AFTER_S) from error

    async def run(self) -> None:
        """Ends the process when it is cancelled itself."""
        try:
            await asyncio.Event().wait()
        finally:
            await self._end()

    def _is_behind(self, question: bytes) -> bool:
        with self._database.read() as conn:
            findable = record_progress.indexed(conn)
            if question == INDEX:
                return findable < shipments.last_position(conn)
            if question == FILTER:
                return next_segment(conn) is not None
            return record_progress.evaluated(conn) < findable

    async def _started(self) -> WorkerProcess:
        async with self._starting:
            if self._process is None:
                process = await WorkerProcess.start(MODULE, self._settings, what=WHAT)
                self._process = process
                await process.ready()
            return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end()
