"""Opens the handlers of the process that reads records and names: index, rules, searches, alerts' texts.

Name vocabularies take half a second to load: only the process imports them, not the node, which imports this module.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial

from gateway.alerts.commands.following import AlertFollower, FollowedBatch, prepare_batch
from gateway.casework.rpc.names_process import MATCH_NAMES, PLAN_SEARCH
from gateway.db.database import Database
from gateway.history.rpc.index_process import EVALUATE, INDEX, KEY_TREE, NAMES
from gateway.link_analysis.service.records import LINK_NAMES
from gateway.node.assembly.history_rules import RuleSources, load_rules
from gateway.node.workers.collection import collect_seldom
from gateway.risk_profiles.rpc.trial_process import TRY_PROFILE
from gateway.rpc.workers.worker_main import Handlers

FOLLOW_ALERTS = "alerts"
"""Handler of the history process; arguments: names of followers, most steps; its result: a FollowedBatch."""

SEARCH_INDEX, LINK_INDEX = "search index", "link index"
"""Followers there."""

TEXTS_DEADLINE_S = 300.0
"""Seconds for one batch of it: it has the lowest priority on a busy processor."""

HISTORY_NICENESS = 10
"""Added niceness: the node goes first, and leaves a tenth of a busy core."""


@contextmanager
def history_handlers(database_url: str, rules: RuleSources) -> Iterator[Handlers]:
    """Opens the handlers of history.rpc.index_process and casework.rpc.names_process, which only read."""
    from gateway.casework.service.indexer import AlertIndexer  # noqa: PLC0415
    from gateway.casework.service.search_planner import AlertSearchPlanner  # noqa: PLC0415
    from gateway.history.service.indexer import HistoryIndexer  # noqa: PLC0415
    from gateway.history.service.key_tree_builder import KeyTreeBuilder  # noqa: PLC0415
    from gateway.history.service.names import NameSearch  # noqa: PLC0415
    from gateway.history.service.risk import RiskScreening  # noqa: PLC0415
    from gateway.link_analysis.service.indexer import LinkIndexer  # noqa: PLC0415
    from gateway.link_analysis.tables import terms  # noqa: PLC0415
    from gateway.risk_profiles.service.state import adopted_rules  # noqa: PLC0415
    from gateway.risk_profiles.service.trial import ProfileTrial  # noqa: PLC0415

    os.nice(HISTORY_NICENESS)
    with closing(Database(database_url)) as database:
        planner = AlertSearchPlanner(database)
        engine = load_rules(rules)
        collect_seldom()
        yield {
            FOLLOW_ALERTS: partial(_prepare_texts, database, {SEARCH_INDEX: AlertIndexer(), LINK_INDEX: LinkIndexer()}),
            PLAN_SEARCH: planner.plan,
            MATCH_NAMES: planner.matching,
            INDEX: HistoryIndexer(database).next,
            EVALUATE: RiskScreening(database, rules=engine, adopted=adopted_rules).next,
            KEY_TREE: KeyTreeBuilder(database).next,
            TRY_PROFILE: ProfileTrial(database, rules=engine).slice,
            NAMES: NameSearch(database).find,
            LINK_NAMES: NameSearch(database, terms).find,
        }


def _prepare_texts(
    database: Database, followers: Mapping[str, AlertFollower], names: Collection[str], limit: int
) -> FollowedBatch:
    return prepare_batch(database, [followers[name] for name in names], limit=limit)
