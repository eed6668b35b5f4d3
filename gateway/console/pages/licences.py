"""Licences with what is left of them, and one licence with its balance as a picture."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, page_route, render
from gateway.console.views.licences import (
    balance_picture,
    balance_rows,
    breach_rows,
    content_rows,
    licence_rows,
    report_rows,
)
from gateway.translation.messages import gettext as _
from gateway.v1.licence_pb2 import LicenceReference

PAGE_SIZE: Final = 50
READING: Final = frozenset({"publisher", "officer", "analyst", "supervisor", "auditor"})
"""Roles that may see licences."""


async def show_all(request: Request) -> Response:
    """A page of licences; all, or those with breaches."""
    breached, token = request.query_params.get("breached") == "yes", request.query_params.get("page", "")
    page = await client(request).licences.page(
        filter="breached = yes" if breached else "", page_size=PAGE_SIZE, page_token=token
    )
    kept = {"breached": "yes"} if breached else {}
    following = urlencode({**kept, "page": page.next_page_token}) if page.next_page_token else ""
    return render(
        request,
        "licences/list.html",
        title=_("Licences"),
        rows=licence_rows(page.licences),
        breached=breached,
        next_href=f"/licences?{following}" if following else "",
        first_href="/licences?" + urlencode(kept) if token else "",
    )


async def show(request: Request) -> Response:
    """One licence."""
    reference = LicenceReference(issuer=request.path_params["issuer"], number=request.path_params["number"])
    response = await client(request).licences.get(reference)
    return render(
        request,
        "licences/show.html",
        title=_("Licence {name}", name=reference.number),
        response=response,
        content=content_rows(response.licence.newest.content),
        picture=balance_picture(response),
        balance=balance_rows(response),
        breaches=breach_rows(response),
        reports=report_rows(response),
    )


routes = [page_route("/licences", show_all), page_route("/licences/{issuer}/{number:path}", show)]
navigation = NavigationEntry(path="/licences", title=lambda: _("Licences"), icon="seal", order=35, roles=READING)
