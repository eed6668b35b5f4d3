"""Puts link analysis together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.db.database import Database
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient
from gateway.link_analysis.rpc import LinkAnalysisServicer, LinkFollower, LinkNames
from gateway.link_analysis.service.records import RecordLookup
from gateway.link_analysis.service.shown import is_behind
from gateway.node.assembly.capabilities import Capability
from gateway.node.assembly.history import History
from gateway.node.assembly.watchlists import Watchlists
from gateway.node.settings import Settings


def link_analysis(
    settings: Settings,
    *,
    database: Database,
    history: History,
    watchlists: Watchlists,
    writer: WriterClient,
    notifier: ChangeNotifier,
    clock: Callable[[], int],
) -> Capability | None:
    """Link graphs; None where they are off."""
    if not settings.link_analysis.enabled:
        return None
    hub_records = settings.link_analysis.hub_records
    lookup = RecordLookup(
        database,
        search=history.search,
        alert_names=LinkNames(history.names_process).find,
        hub_records=hub_records,
    )
    servicer = LinkAnalysisServicer(
        database=database,
        lookup=lookup,
        lists=watchlists.queries,
        screening=watchlists.screening,
        visibility=watchlists.visibility,
        hub_records=hub_records,
        clock=clock,
    )
    follower = LinkFollower(history.names_process, writer, notifier, partial(is_behind, database))
    return Capability({"gateway.v1.LinkAnalysisService": servicer.register}, {"links": follower.run})
