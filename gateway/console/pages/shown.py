"""Shows again a page that a form has led to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.console.page import console_of, page_route, session
from gateway.console.server.security import STREAMED
from gateway.console.shown import HTML, PREFIX
from gateway.errors import NotFoundError
from gateway.translation.messages import gettext as _


async def show(request: Request) -> Response:
    """The page, as far as it has come."""
    page = console_of(request).shown.get(request.path_params["token"], session(request).token)
    if page is None:
        raise NotFoundError(_("This page isn't kept any more. Go back to the form and send it again."))
    content = page.content(request.state.nonce)
    return StreamingResponse(
        content, status_code=page.status, media_type=HTML, headers={} if page.is_whole else STREAMED
    )


routes = [page_route(f"{PREFIX}/{{token}}", show)]
