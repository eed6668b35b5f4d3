"""Puts figures together."""

from __future__ import annotations

from collections.abc import Callable

from gateway.alerts.service import AlertQueries
from gateway.db.database import Database
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient
from gateway.figures.rpc import FigureServicer, follow_alerts
from gateway.figures.service.counting import FigureCounter
from gateway.figures.service.publication import PublicationSheets
from gateway.figures.service.queries import FigureQueries
from gateway.node.assembly.capabilities import Capability
from gateway.node.settings import Settings
from gateway.watchlists.rules.visibility import ListVisibility


def figures(
    settings: Settings,
    *,
    database: Database,
    alerts: AlertQueries,
    visibility: ListVisibility,
    writer: WriterClient,
    notifier: ChangeNotifier,
    clock: Callable[[], int],
) -> Capability | None:
    """Figures and publication sheets; None where they are off."""
    if not settings.figures.enabled:
        return None
    offset = settings.figures.utc_offset_minutes
    counter = FigureCounter(database, node=settings.node, utc_offset_minutes=offset)
    servicer = FigureServicer(
        queries=FigureQueries(database, utc_offset_minutes=offset, clock=clock),
        sheets=PublicationSheets(alerts, node=settings.node, utc_offset_minutes=offset, clock=clock),
        visibility=visibility,
    )
    return Capability(
        {"gateway.v1.FigureService": servicer.register},
        {"figures": lambda: follow_alerts(counter, writer, notifier)},
    )
