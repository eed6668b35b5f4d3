"""Puts link analysis together."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.history.service.terms import askable_partners
from gateway.link_analysis.rpc import LinkAnalysisServicer, LinkNames
from gateway.link_analysis.service.records import RecordLookup
from gateway.link_analysis.service.shown import is_behind
from gateway.node.assembly.history import History
from gateway.node.assembly.watchlists import Watchlists
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.node.workers.history import LINK_INDEX


def link_analysis(parts: NodeParts, *, history: History, watchlists: Watchlists) -> Capability | None:
    """Link graphs; None where they are off."""
    settings, database = parts.settings, parts.database
    if not settings.link_analysis.enabled:
        return None
    hub_records = settings.link_analysis.hub_records
    lookup = RecordLookup(
        database,
        search=history.search,
        alert_names=LinkNames(history.names_process).find,
        hub_records=hub_records,
    )

    def partners(purpose: str) -> list[str]:
        at = datetime.fromtimestamp(parts.clock() / 1000, UTC)
        return askable_partners(parts.directory(), settings.node, purpose, at)

    servicer = LinkAnalysisServicer(
        database=database,
        lookup=lookup,
        lists=watchlists.queries,
        screening=watchlists.screening,
        visibility=watchlists.visibility,
        hub_records=hub_records,
        partners=partners,
        clock=parts.clock,
    )
    return Capability({"gateway.v1.LinkAnalysisService": servicer.register}, text_followers={LINK_INDEX: is_behind})
