"""An alert: everything it says, how it stands, and what can be done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.listing import list_query, neighbours
from gateway.console.page import client, console_of, page_route, render, session
from gateway.console.pages.alert.live import live_alert, live_alerts
from gateway.console.pages.alert.path import reference
from gateway.console.pages.alert.sections import loaded_sections
from gateway.console.views.alerts.alert import AlertView, alert_view
from gateway.console.views.alerts.allowed import allowed_steps, further_links, may_answer
from gateway.console.views.alerts.hits import hit_rows
from gateway.files import stored_zip
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

DONE: Final = {
    "acknowledge": N_("The publisher is told that you have read it."),
    "flag": N_("The publisher is told that its request can't be met."),
    "ask": N_("Your question is on its way."),
    "answer": N_("Your answer is on its way."),
    "finding": N_("Your finding is on its way."),
    "correct-finding": N_("Your correction is on its way."),
    "withdraw-finding": N_("The withdrawal of your finding is on its way."),
    "close": N_("The alert is closed."),
    "withdraw": N_("The alert is withdrawn."),
    "amend": N_("The alert is amended."),
    "undone": N_("Undone: no acknowledgement leaves."),
}
"""What is said after a step, by its name."""


async def alert_of(request: Request) -> AlertView:
    """The alert that a path names, as it is now."""
    response = await client(request).get_alert(reference(request))
    return alert_view(response, console_of(request).client.node_name)


async def show(request: Request) -> Response:
    """The page."""
    view, around = await asyncio.gather(
        alert_of(request), neighbours(client(request), request.query_params, reference(request))
    )
    done = request.query_params.get("done", "")
    return render(
        request,
        "alert/show.html",
        title=f"{view.title}, {view.alert.publisher.upper()} {view.alert.content.case_reference}",
        done=_(DONE[done]) if done in DONE else "",
        around=around,
        **await _body_of(request, view),
    )


async def body(request: Request) -> Response:
    """What changes on the page, for live pages."""
    return render(request, "alert/body.html", title="", **await _body_of(request, await alert_of(request)))


async def _body_of(request: Request, view: AlertView) -> dict[str, Any]:
    return {
        "view": view,
        "own_href": request.url.path.removesuffix("/body") + list_query(request.query_params),
        "list_query": list_query(request.query_params),
        "node": console_of(request).client.node_name,
        "steps": allowed_steps(view, session(request).roles),
        "may_answer": may_answer(session(request).roles),
        "hits": hit_rows(view.response.hits),
        "further_links": partial(further_links, roles=session(request).roles),
        "sections": await loaded_sections(request, view),
    }


async def evidence(request: Request) -> Response:
    """The evidence bundle of one copy as `gateway evidence verify` takes it."""
    key, recipient = reference(request), request.query_params.get("recipient", "")
    name = "-".join(filter(None, ("evidence", key.publisher, key.alert_id, recipient)))
    parts = client(request).evidence.export_parts(key, recipient=recipient)
    packed = packed_evidence(name, [{file.name: file.content for file in files} async for files in parts])
    headers = {"content-disposition": f'attachment; filename="{name}.zip"'}
    return Response(packed, media_type="application/zip", headers=headers)


def packed_evidence(name: str, bundles: Sequence[Mapping[str, bytes]]) -> bytes:
    """The .zip file of a bundle; of several, one with the .zip file of each, which verifies alone."""
    packed = [stored_zip(files) for files in bundles]
    if len(packed) == 1:
        return packed[0]
    return stored_zip({f"{name}-part-{number:03}.zip": part for number, part in enumerate(packed, 1)})


routes = [
    page_route("/live/alerts", live_alerts),
    page_route("/live/alerts/{publisher}/{alert_id}", live_alert),
    page_route("/alerts/{publisher}/{alert_id}", show),
    page_route("/alerts/{publisher}/{alert_id}/body", body),
    page_route("/alerts/{publisher}/{alert_id}/evidence", evidence),
]
