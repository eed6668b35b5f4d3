"""The start: leads to the first page of the person's menu."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.navigation import shown_entries
from gateway.console.page import console_of, page_route, redirect, session


async def show(request: Request) -> Response:
    """Goes on to the first entry; to the person's account where the roles have none."""
    entries = shown_entries(console_of(request).navigation, session(request).roles)
    return redirect(entries[0].path if entries else "/account")


routes = [page_route("/", show)]
