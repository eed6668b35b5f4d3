"""Client for figures and publication sheets (`client.figures`)."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.client.connection import Connection
from gateway.v1 import figure_service_pb2 as service
from gateway.v1.figures_pb2 import FigureDirection


class FigureClient:
    """FigureService: analysts, supervisors and auditors, where the node's settings turn figures on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(
        self,
        *,
        first_day: str = "",
        last_day: str = "",
        partner: str = "",
        direction: FigureDirection.ValueType = FigureDirection.FIGURE_DIRECTION_UNSPECIFIED,
        least_count: int = 0,
    ) -> service.GetFiguresResponse:
        """Figures of a period.

        Args:
            first_day, last_day: inclusive, ISO 8601 by the authority's clock; empty for the last twelve months.
            partner: node of one partner; empty for all.
            least_count: numbers below this are withheld, for what leaves the authority; 0 for none.
        """
        request = service.GetFiguresRequest(
            first_day=first_day, last_day=last_day, partner=partner, direction=direction, least_count=least_count
        )
        method = self._connection.stubs.figures.GetFigures
        return await self._connection.unary(method, request, service.GetFiguresResponse)

    async def publication_sheet(
        self, alert_id: str, *, disclose: Iterable[str] = (), reason: str = ""
    ) -> service.GetPublicationSheetResponse:
        """The publication sheet of an own closed alert.

        Args:
            disclose: paths of INVESTIGATIVE fields that a supervisor decides to publish, of the answer's `decidable`.
            reason: why; mandatory with `disclose`.
        """
        request = service.GetPublicationSheetRequest(alert_id=alert_id, disclose=disclose, reason=reason)
        method = self._connection.stubs.figures.GetPublicationSheet
        return await self._connection.unary(method, request, service.GetPublicationSheetResponse)
