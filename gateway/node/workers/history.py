"""Prepares recorded shipments in a process of its own: `python -m gateway.node.workers.history`, started by the node.

Reading a record anew, its keys and names, and the rules on it take ten times as long as recording it. In the node's own
process every alert would have to wait for the interpreter meanwhile; here it can't. The process reads the database and
writes nothing: what it prepares goes to the node (rpc.worker_process has the frames), which writes it. It ends
when the node does.

Questions: I, the next items to make findable; J, the next ones to judge by the rules; both are answered with a batch of
history.codec.batches, or with nothing when there is none. F, the next filter of the index, likewise. N, with names in
JSON: which recorded names they may mean, answered with records of history.codec.batches too.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable

from gateway.db.database import Database
from gateway.history.codec.batches import IndexBatch, RiskBatch, encode_names
from gateway.history.rpc.index_process import FILTER, INDEX, JUDGE, NAMES
from gateway.history.service.indexer import HistoryIndexer
from gateway.history.service.names import NameSearch
from gateway.history.service.risk import RiskScreening
from gateway.history.service.segment_filters import SegmentFilter, SegmentFilters
from gateway.node.history_rules import rules_of
from gateway.node.settings import HistorySettings
from gateway.node.workers.process import serve, told

log = logging.getLogger("gateway.history")

NICENESS = 10
"""Added to the process's niceness: whatever the node does goes first, and a tenth of a busy core is left for this."""


class Worker:
    """Answers the node, one question after the other."""

    def __init__(
        self, indexer: HistoryIndexer, screening: RiskScreening, filters: SegmentFilters, names: NameSearch
    ) -> None:
        self._next: dict[bytes, Callable[[], IndexBatch | RiskBatch | SegmentFilter | None]] = {
            INDEX: indexer.next,
            JUDGE: screening.next,
            FILTER: filters.next,
        }
        self._names = names

    def answer(self, kind: bytes, body: bytes) -> bytes:
        """Gives what a question asks for; empty where there is nothing.

        Raises:
            InvalidRequestError: a name may be too many.
        """
        if kind == NAMES:
            return encode_names(self._names.find(json.loads(body)))
        batch = self._next[kind]()
        return b"" if batch is None else batch.encode()


def main() -> None:
    """Reads what to do from the first frame, and serves."""
    os.nice(NICENESS)
    todo = told()
    if todo is None:
        return
    settings = HistorySettings.model_validate(todo["settings"])
    database = Database(todo["database_url"])
    try:
        screening = RiskScreening(database, rules=rules_of(settings))
        worker = Worker(HistoryIndexer(database), screening, SegmentFilters(database), NameSearch(database))
        serve(worker.answer, log=log, failed="records couldn't be prepared")
    finally:
        database.close()


if __name__ == "__main__":
    main()
