"""The page of figures, and its tables as CSV."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.agreed import agreed, nodes_of
from gateway.console.form import Form
from gateway.console.page import client, render
from gateway.console.problems import problem_of
from gateway.console.views.figures import as_csv, figure_tables, problems_of
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.figure_service_pb2 import GetFiguresResponse
from gateway.v1.figures_pb2 import FigureDirection

FILTERS: Final = ("first_day", "last_day", "partner", "direction", "least_count")
LEAST_SHARED: Final = 5
"""Least number in figures that leave the authority, as many statistical offices have it."""

CLOSED_SHOWN: Final = 10
_CLOSED: Final = "status = closed AND direction = out"

_DIRECTIONS: Final = {
    "sent": FigureDirection.FIGURE_DIRECTION_SENT,
    "received": FigureDirection.FIGURE_DIRECTION_RECEIVED,
}


async def show(request: Request) -> Response:
    """Figures of the period that the address names; of the last twelve months without one."""
    asked = Form.with_values({name: request.query_params[name] for name in FILTERS if name in request.query_params})
    try:
        figures = await _figures(request, asked)
    except InvalidRequestError as error:
        asked.add_violations(error, {name: name for name in FILTERS})
        figures = await client(request).figures.get()
    filters = {name: asked.text(name) for name in FILTERS if asked.text(name)}
    closed = await client(request).list_alerts_page(filter=_CLOSED, page_size=CLOSED_SHOWN)
    return render(
        request,
        "figures/show.html",
        title=_("Figures"),
        status=200 if asked.is_good else 422,
        form=asked,
        partners=(await agreed(request)).partner_options(nodes_of(asked, "partner")),
        figures=figures,
        tables=figure_tables(figures),
        problems=list(problems_of(figures)),
        download=lambda name: "/figures/download?" + urlencode({"table": name, **filters}),
        closed=closed.alerts,
        least_shared=LEAST_SHARED,
    )


async def download(request: Request) -> Response:
    """One table as CSV."""
    asked = Form.with_values({name: request.query_params[name] for name in FILTERS if name in request.query_params})
    name = request.query_params.get("table", "")
    try:
        figures = await _figures(request, asked)
    except InvalidRequestError as error:
        return render(request, "problem.html", title=_("Figures"), status=422, problem=problem_of(error))
    table = next((table for table in figure_tables(figures) if table.name == name), None)
    if table is None:
        raise NotFoundError("there is no such table")
    file = f"{table.name}-{figures.first_day}-{figures.last_day}.csv"
    headers = {"content-disposition": f'attachment; filename="{file}"'}
    return Response(as_csv(table), media_type="text/csv; charset=utf-8", headers=headers)


async def _figures(request: Request, asked: Form) -> GetFiguresResponse:
    least = asked.text("least_count")
    return await client(request).figures.get(
        first_day=asked.text("first_day"),
        last_day=asked.text("last_day"),
        partner=asked.text("partner"),
        direction=_DIRECTIONS.get(asked.text("direction"), FigureDirection.FIGURE_DIRECTION_UNSPECIFIED),
        least_count=int(least) if least.isascii() and least.isdecimal() and len(least) < 4 else 0,
    )
