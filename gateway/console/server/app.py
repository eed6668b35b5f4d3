"""Puts the console together: one Starlette application, for one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.client import GatewayClient
from gateway.console.live import Live
from gateway.console.page import ConsoleParts, no_such_page, page_route
from gateway.console.pages import NAVIGATION, ROUTES, SOURCES
from gateway.console.server.security import SecurityMiddleware
from gateway.console.server.static_files import StaticFiles
from gateway.console.session import Cookies, Sessions
from gateway.console.settings import ConsoleSettings
from gateway.console.spool import Spool
from gateway.console.templating import new_environment
from gateway.errors import GatewayError

MIN_COMPRESSED_BYTES = 1_024
"""Shorter pages aren't worth the header."""


def create_console(settings: ConsoleSettings) -> Starlette:
    """The application; `app.state.console` is what it is made from.

    Raises:
        ConfigurationError: certificates or keys aren't right.
    """
    gateway = settings.gateway
    client = GatewayClient.connect(gateway.address, ca=gateway.ca, certificate=gateway.certificate, key=gateway.key)
    static = StaticFiles()
    sessions = Sessions(client)
    live = Live(sessions, settings.limits, SOURCES)
    console = ConsoleParts(
        settings=settings,
        client=client,
        sessions=sessions,
        cookies=Cookies(client.node_name),
        environment=new_environment(static.url),
        live=live,
        navigation=NAVIGATION,
        spool=Spool(),
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            live.stop()
            console.spool.close()
            await client.close()

    app = Starlette(
        routes=[
            static.route(),
            Route("/healthz", _health),
            *ROUTES,
            page_route("/{path:path}", no_such_page, methods=("GET", "POST"), public=True),
        ],
        middleware=[
            Middleware(SecurityMiddleware, origin=settings.public_origin, limits=settings.limits),
            Middleware(GZipMiddleware, minimum_size=MIN_COMPRESSED_BYTES, compresslevel=5),
        ],
        lifespan=lifespan,
    )
    app.state.console = console
    return app


async def _health(request: Request) -> Response:
    """200 while the console can ask its gateway; for probes, without anything about either."""
    console: ConsoleParts = request.app.state.console
    try:
        await console.client.persons.sign_in_methods()
    except GatewayError:
        return PlainTextResponse("the gateway doesn't answer\n", status_code=503)
    return PlainTextResponse("ok\n")
