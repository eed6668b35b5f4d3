"""Puts figures together."""

from __future__ import annotations

from gateway.alerts.service import AlertQueries
from gateway.figures.rpc import FigureServicer
from gateway.figures.service.counting import FigureCounter
from gateway.figures.service.publication import PublicationSheets
from gateway.figures.service.queries import FigureQueries
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.watchlists.rules.visibility import ListVisibility


def figures(parts: NodeParts, *, alerts: AlertQueries, visibility: ListVisibility) -> Capability | None:
    """Figures and publication sheets; None where they are off."""
    settings, database = parts.settings, parts.database
    if not settings.figures.enabled:
        return None
    offset = settings.figures.utc_offset_minutes
    counter = FigureCounter(node=settings.node, utc_offset_minutes=offset)
    servicer = FigureServicer(
        queries=FigureQueries(database, utc_offset_minutes=offset, clock=parts.clock),
        sheets=PublicationSheets(alerts, node=settings.node, utc_offset_minutes=offset, clock=parts.clock),
        visibility=visibility,
    )
    return Capability({"gateway.v1.FigureService": servicer.register}, followers=[counter])
