"""An alert: everything it says, how it stands, and what can be done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.listing import MOST_CHARS, list_query, neighbours
from gateway.console.page import client, console_of, page_route, render, session
from gateway.console.pages.alert.live import live_alert, live_alerts
from gateway.console.pages.alert.path import reference
from gateway.console.pages.alert.sections import CASE, loaded_case, loaded_sections
from gateway.console.views.alerts.alert import AlertView, alert_view
from gateway.console.views.alerts.allowed import allowed_steps, further_links, may_answer
from gateway.console.views.alerts.case import CaseView
from gateway.console.views.alerts.hits import hit_rows
from gateway.console.views.inbox_query import LIST
from gateway.evidence.page.writer import evidence_page
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


async def glance(request: Request) -> Response:
    """A quick look at an alert beside the list: what is asked, by whom, until when, and about what."""
    view = await alert_of(request)
    case = await loaded_case(request, view)
    in_list = request.query_params.get(LIST, "")[:MOST_CHARS]
    shown = _verdict_of(request, view, "/glance", case) | {"after_step": f"/inbox?{in_list}".rstrip("?")}
    return render(request, "alert/glance.html", title="", **shown)


async def _body_of(request: Request, view: AlertView) -> dict[str, Any]:
    sections = await loaded_sections(request, view)
    case = next((one.value for one in sections[True] if one.section is CASE), None)
    return {
        **_verdict_of(request, view, "/body", case),
        "node": console_of(request).client.node_name,
        "may_answer": may_answer(session(request).roles),
        "hits": hit_rows(view.response.hits),
        "further_links": partial(further_links, roles=session(request).roles),
        "sections": sections,
    }


def _verdict_of(request: Request, view: AlertView, part: str, case: CaseView | None) -> dict[str, Any]:
    """What stands above everything, on the page and in a quick look; `part`: how a part's own path ends."""
    steps = allowed_steps(view, session(request).roles)
    scheduled = case.acknowledgement if case is not None else None
    waits = scheduled is not None and not scheduled.is_unsent
    own_href = request.url.path.removesuffix(part) + list_query(request.query_params)
    return {
        "view": view,
        "own_href": own_href,
        "after_step": own_href,
        "list_query": list_query(request.query_params),
        "steps": steps,
        "case": case,
        "scheduled": scheduled,
        "at_once": case is not None and not waits and any(step.name == "acknowledge" for step in steps),
    }


async def evidence(request: Request) -> Response:
    """The evidence bundle of one copy as `gateway evidence verify` takes it."""
    name, bundles = await _exported(request)
    return _download(f"{name}.zip", packed_evidence(name, bundles), "application/zip")


async def evidence_document(request: Request) -> Response:
    """The same as a page that verifies it, in the reader's language; of several bundles, a .zip file of their pages."""
    name, bundles = await _exported(request)
    pages = [await asyncio.to_thread(evidence_page, files) for files in bundles]
    if len(pages) == 1:
        return _download(f"{name}.html", pages[0], "text/html")
    packed = stored_zip({f"{name}-part-{number:03}.html": page for number, page in enumerate(pages, 1)})
    return _download(f"{name}.zip", packed, "application/zip")


async def _exported(request: Request) -> tuple[str, list[dict[str, bytes]]]:
    """A name for the evidence of one copy, and its bundles."""
    key, recipient = reference(request), request.query_params.get("recipient", "")
    name = "-".join(filter(None, ("evidence", key.publisher, key.alert_id, recipient)))
    parts = client(request).evidence.export_parts(key, recipient=recipient)
    return name, [{file.name: file.content for file in files} async for files in parts]


def _download(name: str, content: bytes, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers={"content-disposition": f'attachment; filename="{name}"'})


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
    page_route("/alerts/{publisher}/{alert_id}/glance", glance),
    page_route("/alerts/{publisher}/{alert_id}/evidence", evidence),
    page_route("/alerts/{publisher}/{alert_id}/evidence/page", evidence_document),
]
