"""Prepares recorded shipments in a process of its own: `python -m gateway.node.history_worker`, started by the node.

Reading a record anew, its keys and names, and the rules on it take ten times as long as recording it. In the node's own
process every alert would have to wait for the interpreter meanwhile; here it can't. The process reads the database and
writes nothing: what it prepares goes to the node (transport.worker_process has the frames), which writes it. It ends
when the node does.

Questions: I, the next items to make findable; J, the next ones to judge by the rules; both are answered with a batch of
wire.history_batches, or with nothing when there is none. F, the next filter of the index, likewise. N, with names in
JSON: which recorded names they may mean, answered with records of wire.history_batches too.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import BinaryIO

from gateway.errors import InvalidRequestError
from gateway.node.history_rules import rules_of
from gateway.node.settings import HistorySettings
from gateway.services.history_filters import SegmentFilter, SegmentFilters
from gateway.services.history_names import NameSearch
from gateway.services.history_prepare import HistoryIndexer
from gateway.services.history_risk import RiskScreening
from gateway.store.database import Database
from gateway.transport.history_process import FILTER, INDEX, JUDGE, NAMES
from gateway.transport.worker_process import DONE, FAILED, READY, frame, read_frame, refusal
from gateway.wire.history_batches import IndexBatch, Judged, encode_names

log = logging.getLogger("gateway.history")

NICENESS = 10
"""Added to the process's niceness: whatever the node does goes first, and a tenth of a busy core is left for this."""


class Worker:
    """Answers the node, one question after the other."""

    def __init__(
        self, indexer: HistoryIndexer, screening: RiskScreening, filters: SegmentFilters, names: NameSearch
    ) -> None:
        self._next: dict[bytes, Callable[[], IndexBatch | Judged | SegmentFilter | None]] = {
            INDEX: indexer.next,
            JUDGE: screening.next,
            FILTER: filters.next,
        }
        self._names = names

    def run(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        """Serves until the node closes its end."""
        _write(outgoing, READY)
        while (asked := read_frame(incoming.read)) is not None:
            _write(outgoing, asked[:1] + self._answer(asked[:1], asked[1:]))

    def _answer(self, kind: bytes, body: bytes) -> bytes:
        try:
            if kind == NAMES:
                return DONE + encode_names(self._names.find(json.loads(body)))
            batch = self._next[kind]()
        except InvalidRequestError as error:
            return refusal(error)
        except Exception as error:
            log.exception("records couldn't be prepared")
            return FAILED + f"{type(error).__name__}: {error}".encode()
        return DONE + (b"" if batch is None else batch.encode())


def _write(outgoing: BinaryIO, body: bytes) -> None:
    outgoing.write(frame(body))
    outgoing.flush()


def main() -> None:
    """Reads what to do from the first frame, and serves."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s [%(levelname)s] %(message)s [%(name)s]"
    )
    os.nice(NICENESS)
    first = read_frame(sys.stdin.buffer.read)
    if first is None:
        return
    told = json.loads(first)
    settings = HistorySettings.model_validate(told["settings"])
    database = Database(told["database_url"])
    try:
        screening = RiskScreening(database, rules=rules_of(settings))
        worker = Worker(HistoryIndexer(database), screening, SegmentFilters(database), NameSearch(database))
        worker.run(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        pass  # the node is gone
    finally:
        database.close()


if __name__ == "__main__":
    main()
