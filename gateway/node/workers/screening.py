"""Opens the handlers of the screening process, and of those that read entries' names for it.

Name vocabularies take half a second to load: only the processes import them, not the node, which imports this module.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.db.database import Database
from gateway.errors import GatewayError, StoreUnavailableError
from gateway.rpc.workers.worker_main import Handlers
from gateway.rpc.workers.worker_process import WorkerProcess, ordered_calls
from gateway.watchlists.service.screening_handlers import ESTIMATE, FOLLOW, SCREEN, SCREEN_FEW

if TYPE_CHECKING:
    from gateway.watchlists.service.index_ranges import ChangeRange, RangeReader, ReadRange
    from gateway.watchlists.service.screening import Screener

log = logging.getLogger(__name__)

SCREENING_NICENESS = 5
"""Added niceness: a third of a busy core."""

SCREENING_SWITCH_S = 0.0005
"""Seconds before a thread of the screening process yields the interpreter: what an officer waits for beside a batch."""

READ_RANGE = "read range"
"""Handler of the processes that read entries' names; argument: a range of list changes."""

DATABASE_RETRY_S = 1.0
"""Seconds before the index is read again from a database that couldn't be read."""

RANGE_S = 1_800.0
"""Most seconds for a range, of 10,000 entries as a rule: a hundred times what it takes on a machine of its own."""

MIN_RANGES = 3
"""Ranges for each process: a process takes a second of processor time to start."""


@contextmanager
def range_handlers(database_url: str) -> Iterator[Handlers]:
    """Opens the handler of a process that reads entries' names for the screening process."""
    from gateway.screening.index.index import GC_THRESHOLD  # noqa: PLC0415
    from gateway.watchlists.service.index_ranges import read_range_to_send  # noqa: PLC0415

    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    with closing(Database(database_url)) as database:
        yield {READ_RANGE: partial(read_range_to_send, database)}


def ranges_in_processes(database: Database, database_url: str) -> RangeReader:
    """A process for each core reads ranges, if there are enough; what a process can't read is read here."""
    from gateway.watchlists.service.index_ranges import read_range  # noqa: PLC0415

    def read(ranges: Sequence[ChangeRange]) -> Iterator[ReadRange | None]:
        processes = min(len(os.sched_getaffinity(0)), len(ranges) // MIN_RANGES)
        if processes < 2:
            yield from map(partial(read_range, database), ranges)
            return
        workers = [
            WorkerProcess(
                f"screening index {number}", range_handlers, (database_url,), deadlines_s={READ_RANGE: RANGE_S}
            )
            for number in range(processes)
        ]
        answers = ordered_calls(workers, READ_RANGE, ((span,) for span in ranges))
        for span, answer in zip(ranges, answers, strict=True):
            try:
                made = answer.result()
            except GatewayError as error:
                log.warning("list changes %d to %d are indexed here: %s", span.after + 1, span.upto, error.message)
                made = read_range(database, span)
            yield made

    return read


def _started(make: Callable[[], Screener]) -> tuple[Screener, bool]:
    """A screener that has its index, and whether that is the one of before; waits for a database that can't be read."""
    while True:
        screener = make()
        try:
            return screener, screener.start()
        except StoreUnavailableError as error:
            log.warning("the screening index waits for the database: %s", error.message)
            time.sleep(DATABASE_RETRY_S)


@contextmanager
def screening_handlers(
    database_url: str, index: Path, thresholds: Mapping[str, tuple[float, float]]
) -> Iterator[Handlers]:
    """Opens the handlers of watchlists.service.screening_handlers with the index in that file.

    They only read the database and write the index.
    """
    from gateway.screening.index.index import GC_THRESHOLD  # noqa: PLC0415
    from gateway.screening.result import Thresholds  # noqa: PLC0415
    from gateway.watchlists.service.match_search import MatchSearch  # noqa: PLC0415
    from gateway.watchlists.service.screening import Screener  # noqa: PLC0415
    from gateway.watchlists.service.screening_worker import ScreeningWorker  # noqa: PLC0415

    os.nice(SCREENING_NICENESS)
    sys.setswitchinterval(SCREENING_SWITCH_S)
    with closing(Database(database_url)) as database:
        scores = {name: Thresholds(*pair) for name, pair in thresholds.items()}
        screener, taken = _started(
            lambda: Screener(
                database, index, thresholds=scores, read_ranges=ranges_in_processes(database, database_url)
            )
        )
        gc.freeze()  # collections can skip a long list's million objects
        gc.set_threshold(GC_THRESHOLD)
        log.info("screening against %d entries%s", screener.entries, "" if taken else ", indexed anew")
        worker = ScreeningWorker(screener, MatchSearch(database, screener))
        yield {
            SCREEN: worker.screen,
            SCREEN_FEW: worker.screen,
            FOLLOW: worker.follow,
            ESTIMATE: worker.estimate,
        }
