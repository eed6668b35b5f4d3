"""Makes rules and search of shipment history from settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gateway.db.database import Database
from gateway.db.standby import Reads
from gateway.history.commands.legal_holds import holds_on
from gateway.history.service.following import NextCriteria
from gateway.history.service.losses import lost_before
from gateway.history.service.search import HistorySearch, MatchNames
from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import RuleSetting

if TYPE_CHECKING:
    from gateway.node.settings import HistorySettings  # a worker process needs none of them

log = logging.getLogger(__name__)

RuleSources = Mapping[str, Any]
"""Arguments of `RuleEngine.load`, to be passed to a worker process."""


def rule_sources(settings: HistorySettings) -> RuleSources:
    """What the settings say of rules and their tables."""
    return {
        "rules": settings.rules_file,
        "controlled_goods": settings.controlled_goods,
        "announcements": settings.announcements,
        "listed_entities": settings.listed_entities,
        "physical_data": settings.physical_data,
        "terms": settings.goods_terms,
        "settings": {
            rule_id: RuleSetting(enabled=one.enabled, thresholds=one.thresholds, lists=one.lists)
            for rule_id, one in settings.rules.items()
        },
    }


def load_rules(sources: RuleSources) -> RuleEngine:
    """Raises ConfigurationError with the name of a wrong file or setting."""
    return RuleEngine.load(**sources, failed=_rule_failed)


def search_of(
    settings: HistorySettings,
    database: Database,
    node: str,
    *,
    names: MatchNames,
    links: Callable[[], NextCriteria],
    reads: Reads | None = None,
) -> HistorySearch:
    """Builds the search of a node's own records.

    Args:
        links: what is followed where a question asks for that.
        reads: a standby to read instead of the database.
    """
    goods = load_controlled_goods(settings.controlled_goods, settings.announcements)
    with database.read() as conn:
        lost_before_ms = lost_before(conn)
    return HistorySearch(
        database,
        node=node,
        substances=goods,
        names=names,
        holds_on=holds_on,
        links=links,
        reads=reads,
        lost_before_ms=lost_before_ms,
    )


def _rule_failed(rule_id: str, why: str) -> None:
    log.warning("rule %s couldn't be evaluated: %s", rule_id, why)
