"""The process that reads recorded shipments again: for the index, for the rules, and for names in searches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.db.database import Database
from gateway.errors import UnavailableError
from gateway.history.service.segment_filters import next_segment
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.rpc.worker_main import Opener
from gateway.rpc.worker_process import WorkerProcess
from gateway.v1 import history_pb2

INDEX, EVALUATE, FILTER, NAMES = "index", "evaluate", "filter", "names"
"""Handlers. INDEX gives the next IndexBatch, EVALUATE the next RiskBatch, FILTER the next SegmentFilter; each of these
gives None when there is none. NAMES gives the recorded names that some names may mean, by their keys."""

BATCH_TIMEOUT_S = 300.0
"""How long the process may take for a batch, in seconds: it takes seconds where a processor is free, and comes after
everything else where none is."""

NAMES_TIMEOUT_S = 20.0
"""How long the process may take to start for a search, and then to find names, in seconds."""

_RETRY_AFTER_S = 2.0


class IndexProcess:
    """The process of one node, started when it is needed."""

    def __init__(self, database: Database, opener: Opener, arguments: tuple[Any, ...]) -> None:
        """Starts nothing.

        Args:
            database: shows whether there is anything to do.
            opener: opens the handlers in the process.
            arguments: for `opener`.
        """
        self._database = database
        self._process = WorkerProcess(
            "history",
            opener,
            arguments,
            deadlines_s=dict.fromkeys((INDEX, EVALUATE, FILTER), BATCH_TIMEOUT_S) | {NAMES: NAMES_TIMEOUT_S},
        )

    async def next(self, handler: str) -> Any:
        """The next batch of INDEX, EVALUATE or FILTER; None when there is nothing to do.

        Raises:
            UnavailableError: the process has just ended.
            GatewayError: the process failed to make it; its log says why.
            StoreUnavailableError: the database can't be read.
        """
        if not await asyncio.to_thread(self._is_behind, handler):
            return None
        await asyncio.wrap_future(await asyncio.to_thread(self._process.start))
        return await asyncio.wrap_future(self._process.call(handler, caller=handler))

    def names(self, texts: Sequence[str]) -> dict[int, history_pb2.NameMatch]:
        """Recorded names that some names may mean, by their keys; not for the event loop's thread.

        Raises:
            InvalidRequestError: a name may mean too many.
            UnavailableError: as `next`, or there was no answer in time.
        """
        try:
            self._process.start().result(NAMES_TIMEOUT_S)
            found: dict[int, history_pb2.NameMatch]
            found = self._process.call(NAMES, list(texts), caller=NAMES).result(NAMES_TIMEOUT_S)
            return found
        except TimeoutError as error:
            message = "the history process hasn't answered in time"
            raise UnavailableError(message, retry_after_s=_RETRY_AFTER_S) from error

    async def run(self) -> None:
        """Ends the process when it is cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self._process.stop)

    def _is_behind(self, handler: str) -> bool:
        with self._database.read() as conn:
            indexed = record_progress.indexed(conn)
            if handler == INDEX:
                return indexed < shipments.last_position(conn)
            if handler == FILTER:
                return next_segment(conn) is not None
            return record_progress.evaluated(conn) < indexed
