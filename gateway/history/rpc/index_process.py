"""The worker process that reads recorded shipments for the index, the rules, and names in searches."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.db.database import Database
from gateway.errors import UnavailableError
from gateway.history.service.key_tree_builder import KeyTreeBatch
from gateway.history.tables import key_tree, shipments
from gateway.history.tables import progress as record_progress
from gateway.history.tables.progress import RecordProgress
from gateway.rpc.calls import current_caller
from gateway.rpc.workers.worker_main import Opener
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.v1 import history_pb2

INDEX, EVALUATE, NAMES, KEY_TREE = "index", "evaluate", "names", "key tree"
"""Handlers; results: IndexBatch, RiskBatch (None: nothing to do); recorded names by key; KeyTreeBatch or None."""

BATCH_TIMEOUT_S = 300.0
"""A batch takes seconds, and has the lowest priority on a busy processor."""

MOST_UNINDEXED = 1_000
MOST_UNEVALUATED = 100_000
"""Items not indexed from which on the index goes first, and items not evaluated from which on it no longer does: a
search waits for the index, and both share the process's one core.
"""

NAMES_TIMEOUT_S = 20.0
"""To start for a search, and again to match names."""

_RETRY_AFTER_S = 2.0


class IndexProcess:
    """A node's process, started on demand."""

    def __init__(
        self, database: Database, opener: Opener, arguments: tuple[Any, ...], *, further: Mapping[str, float]
    ) -> None:
        """`further`: handlers of others in the process, with the seconds for a call."""
        self._database = database
        own_s = dict.fromkeys((INDEX, EVALUATE, KEY_TREE), BATCH_TIMEOUT_S) | {NAMES: NAMES_TIMEOUT_S}
        self.process = WorkerProcess(
            "history",
            opener,
            arguments,
            deadlines_s={**own_s, **further},
        )

    async def next(self, handler: str, after: int | None = None, *, most: int) -> Any:
        """The next batch of INDEX or EVALUATE, if any.

        Args:
            after: position that the batch before ends at, if it isn't written yet.
            most: items.

        Raises:
            UnavailableError: the process has just ended.
            GatewayError: it failed; its log says why.
            StoreUnavailableError: the database can't be read.
        """
        if not await asyncio.to_thread(self._is_behind, handler, after):
            return None
        if not self.process.is_ready:
            await asyncio.wrap_future(await asyncio.to_thread(self.process.start))
        return await asyncio.wrap_future(self.process.call(handler, after, most, caller=handler))

    async def next_key_tree(self) -> KeyTreeBatch | None:
        """The tree's next state, if it lacks something and the index isn't far behind; raises as `next`."""
        if not await asyncio.to_thread(self._lacks_keys):
            return None
        if not self.process.is_ready:
            await asyncio.wrap_future(await asyncio.to_thread(self.process.start))
        batch: KeyTreeBatch | None = await asyncio.wrap_future(self.process.call(KEY_TREE, caller=KEY_TREE))
        return batch

    def _lacks_keys(self) -> bool:
        with self._database.read() as conn:
            indexed = record_progress.indexed(conn)
            if shipments.last_position(conn) - indexed >= MOST_UNINDEXED:
                return False
            return key_tree.state(conn).position < indexed or bool(key_tree.erasures(conn, 1))

    def names(self, texts: Sequence[str]) -> dict[int, history_pb2.NameMatch]:
        """Matching recorded names by key; not for the event loop's thread.

        Raises:
            InvalidRequestError: a name matches too many.
            UnavailableError: the process ended, or took too long.
        """
        try:
            self.process.start().result(NAMES_TIMEOUT_S)
            found: dict[int, history_pb2.NameMatch]
            found = self.process.call(NAMES, list(texts), caller=current_caller()).result(NAMES_TIMEOUT_S)
            return found
        except TimeoutError as error:
            message = "the history process hasn't answered in time"
            raise UnavailableError(message, retry_after_s=_RETRY_AFTER_S) from error

    async def run(self) -> None:
        """Ends the process on cancellation."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self.process.stop)

    def _is_behind(self, handler: str, after: int | None) -> bool:
        with self._database.read() as conn:
            done, last = record_progress.both(conn), shipments.last_position(conn)
        return is_behind(handler, done, last, after)


def is_behind(handler: str, done: RecordProgress, last: int, after: int | None = None) -> bool:
    """Whether INDEX or EVALUATE has something to do.

    Args:
        last: last position in the log.
        after: where its work ends that isn't written yet.
    """
    if handler == INDEX:
        return (done.indexed_position if after is None else after) < last
    unindexed, unevaluated = last - done.indexed_position, done.indexed_position - done.evaluated_position
    if unindexed >= MOST_UNINDEXED and unevaluated < MOST_UNEVALUATED:
        return False
    return (done.evaluated_position if after is None else after) < done.indexed_position
