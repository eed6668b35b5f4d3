"""Puts the console together: one Starlette application, for one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.client import GatewayClient
from gateway.console.live import Live
from gateway.console.page import ConsoleParts, page_route, show_problem
from gateway.console.pages import NAVIGATION, ROUTES, SOURCES
from gateway.console.problems import missing_page
from gateway.console.server.admission import Admission
from gateway.console.server.security import HEALTH, UPLOAD_SUFFIX, SecurityMiddleware
from gateway.console.server.static_files import StaticFiles
from gateway.console.session import Cookies, Sessions
from gateway.console.settings import ConsoleSettings
from gateway.console.spool import PartialFiles, Spool
from gateway.console.templating import new_environment
from gateway.errors import GatewayError

MIN_COMPRESSED_BYTES = 1_024
"""Shorter pages aren't worth the header."""

HEALTH_S = 1.0
"""Seconds for which an answer about the gateway holds."""


def create_console(settings: ConsoleSettings) -> Starlette:
    """The application; `app.state.console` is what it is made from.

    Raises:
        ConfigurationError: certificates or keys aren't right.
    """
    gateway = settings.gateway
    client = GatewayClient.connect(gateway.address, ca=gateway.ca, certificate=gateway.certificate, key=gateway.key)
    static = StaticFiles(emblem=settings.emblem)
    sessions = Sessions(client)
    live = Live(sessions, settings.limits, SOURCES)
    console = ConsoleParts(
        settings=settings,
        client=client,
        sessions=sessions,
        cookies=Cookies(client.node_name),
        environment=new_environment(static.url, emblem=static.emblem),
        live=live,
        navigation=NAVIGATION,
        spool=Spool(),
        coming=PartialFiles(),
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            live.stop()
            console.spool.close()
            console.coming.close()
            console.shown.close()
            await client.close()

    uploads = [route for route in ROUTES if route.path.endswith(UPLOAD_SUFFIX)]
    app = Starlette(
        routes=[
            static.route(),
            Route(HEALTH, _Health()),
            *ROUTES,
            page_route("/{path:path}", _no_such_page, methods=("GET", "POST"), public=True),
        ],
        middleware=[
            Middleware(
                SecurityMiddleware,
                origin=settings.public_origin,
                limits=settings.limits,
                admission=Admission(settings.limits.requests, sessions.is_session, sessions.is_known),
                token_of=console.cookies.session_token,
                takes_file=lambda path: any(route.path_regex.match(path) for route in uploads),
            ),
            Middleware(GZipMiddleware, minimum_size=MIN_COMPRESSED_BYTES, compresslevel=5),
        ],
        lifespan=lifespan,
    )
    app.state.console = console
    return app


async def _no_such_page(request: Request) -> Response:
    """The answer to an address without a page."""
    return show_problem(request, missing_page())


class _Health:
    """200 while the console can ask its gateway; for probes, without anything about either.

    However many ask, the gateway is asked once a second.
    """

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._is_well = False
        self._until_s = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        console: ConsoleParts = scope["app"].state.console
        async with self._asking:
            if time.monotonic() >= self._until_s:
                try:
                    await console.client.persons.sign_in_methods()
                    self._is_well = True
                except GatewayError:
                    self._is_well = False
                self._until_s = time.monotonic() + HEALTH_S
        text, status = ("ok\n", 200) if self._is_well else ("the gateway doesn't answer\n", 503)
        await PlainTextResponse(text, status_code=status)(scope, receive, send)
