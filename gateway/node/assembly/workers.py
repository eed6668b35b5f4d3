"""Opens the handlers in each worker process.

Name vocabularies take seconds to load: only the processes import them, not the node.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.alerts.commands.following import AlertFollower, FollowedBatch, prepare_batch
from gateway.casework.rpc.names_process import MATCH_NAMES, PLAN_SEARCH
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.history.commands.record import check
from gateway.history.rpc.index_process import EVALUATE, FILTER, INDEX, NAMES
from gateway.history.rpc.recording_process import CHECK
from gateway.link_analysis.rpc import LINK_NAMES
from gateway.node.assembly.history_rules import rules_of
from gateway.node.capabilities.alert_following import FOLLOW_ALERTS, LINK_INDEX, SEARCH_INDEX, TEXTS_AT_ONCE
from gateway.node.settings import HistorySettings
from gateway.rpc.workers.ordered_calls import ordered_calls
from gateway.rpc.workers.worker_main import Handlers
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.watchlists.rpc.screening import FOLLOW, SCREEN, SCREEN_FEW

if TYPE_CHECKING:
    from gateway.watchlists.service.index_ranges import ChangeRange, RangeBuilder, RangePart

log = logging.getLogger(__name__)

HISTORY_NICENESS = 10
"""Added niceness: the node goes first, and leaves a tenth of a busy core."""

SCREENING_NICENESS = 5
"""Likewise: a third of a busy core."""

SCREENING_SWITCH_S = 0.0005
"""Seconds before a thread of the screening process yields the interpreter: what an officer waits for beside a batch."""

BUILD_RANGE = "build range"
"""Handler of the processes that read entries' names; argument: a range of list changes."""

RANGE_S = 1_800.0
"""Most seconds for a range, of 10,000 entries as a rule: a hundred times what it takes on a machine of its own."""

MIN_RANGES = 3
"""Ranges for each process: a process takes two seconds of processor time to start."""

CHECKS_GC_THRESHOLD = 50_000
"""New objects before a garbage collection: a recorded message makes many, all short-lived."""


@contextmanager
def history_handlers(database_url: str, settings: HistorySettings) -> Iterator[Handlers]:
    """Opens the handlers of history.rpc.index_process and casework.rpc.names_process, which only read."""
    from gateway.casework.service.indexer import AlertIndexer  # noqa: PLC0415
    from gateway.casework.service.search_planner import AlertSearchPlanner  # noqa: PLC0415
    from gateway.history.service.indexer import HistoryIndexer  # noqa: PLC0415
    from gateway.history.service.names import NameSearch  # noqa: PLC0415
    from gateway.history.service.risk import RiskScreening  # noqa: PLC0415
    from gateway.history.service.segment_filters import SegmentFilters  # noqa: PLC0415
    from gateway.link_analysis.service.indexer import LinkIndexer  # noqa: PLC0415
    from gateway.link_analysis.tables import terms  # noqa: PLC0415

    os.nice(HISTORY_NICENESS)
    with closing(Database(database_url)) as database:
        planner = AlertSearchPlanner(database)
        yield {
            FOLLOW_ALERTS: partial(_prepare_texts, database, {SEARCH_INDEX: AlertIndexer(), LINK_INDEX: LinkIndexer()}),
            PLAN_SEARCH: planner.plan,
            MATCH_NAMES: planner.matching,
            INDEX: HistoryIndexer(database).next,
            EVALUATE: RiskScreening(database, rules=rules_of(settings)).next,
            FILTER: SegmentFilters(database).next,
            NAMES: NameSearch(database).find,
            LINK_NAMES: NameSearch(database, terms).find,
        }


def _prepare_texts(database: Database, followers: Mapping[str, AlertFollower], names: Collection[str]) -> FollowedBatch:
    return prepare_batch(database, [followers[name] for name in names], limit=TEXTS_AT_ONCE)


@contextmanager
def recording_handlers(retention_classes: Collection[str]) -> Iterator[Handlers]:
    """Opens the handler of history.rpc.recording_process; it is stateless."""
    gc.freeze()
    gc.set_threshold(CHECKS_GC_THRESHOLD)
    yield {CHECK: partial(check, retention_classes=frozenset(retention_classes).__contains__)}


@contextmanager
def range_handlers(database_url: str) -> Iterator[Handlers]:
    """Opens the handler of a process that reads entries' names for the screening process."""
    from gateway.screening.index.index import GC_THRESHOLD  # noqa: PLC0415
    from gateway.watchlists.service.index_ranges import build_range_to_send  # noqa: PLC0415

    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    with closing(Database(database_url)) as database:
        yield {BUILD_RANGE: partial(build_range_to_send, database)}


def ranges_in_processes(database: Database, database_url: str) -> RangeBuilder:
    """A process for each core reads ranges, if there are enough; what a process can't read is read here."""
    from gateway.watchlists.service.index_ranges import build_range  # noqa: PLC0415

    def build(ranges: Sequence[ChangeRange]) -> Iterator[RangePart | None]:
        processes = min(len(os.sched_getaffinity(0)), len(ranges) // MIN_RANGES)
        if processes < 2:
            yield from map(partial(build_range, database), ranges)
            return
        workers = [
            WorkerProcess(
                f"screening index {number}", range_handlers, (database_url,), deadlines_s={BUILD_RANGE: RANGE_S}
            )
            for number in range(processes)
        ]
        answers = ordered_calls(workers, BUILD_RANGE, ((span,) for span in ranges))
        for span, answer in zip(ranges, answers, strict=True):
            try:
                made = answer.result()
            except GatewayError as error:
                log.warning("list changes %d to %d are indexed here: %s", span.after + 1, span.upto, error.message)
                made = build_range(database, span)
            yield made

    return build


@contextmanager
def screening_handlers(
    database_url: str, snapshot: Path, thresholds: Mapping[str, tuple[float, float]]
) -> Iterator[Handlers]:
    """Opens the handlers of watchlists.rpc.screening with the loaded index; saves it at the end.

    They only read the database and write the snapshot.
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
        screener = Screener(
            database, snapshot, thresholds=scores, build_ranges=ranges_in_processes(database, database_url)
        )
        taken = screener.start()
        gc.freeze()  # collections can skip a long list's million objects
        gc.set_threshold(GC_THRESHOLD)
        log.info("screening against %d entries%s", screener.entries, ", from the snapshot" if taken else "")
        worker = ScreeningWorker(screener, MatchSearch(database, screener))
        with worker.upkeep(save_at_once=not taken):
            yield {SCREEN: worker.screen, SCREEN_FEW: worker.screen, FOLLOW: worker.follow}
