"""Runs a console as a process: logging, TLS, signals, an orderly stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import uvicorn

from gateway.console.page import ConsoleParts
from gateway.console.server.app import create_console
from gateway.console.server.connections import limit_to
from gateway.console.settings import ConsoleSettings
from gateway.errors import ConfigurationError
from gateway.logs import configure_logging

log = logging.getLogger(__name__)

MAX_HEADER_BYTES = 32 * 1024
"""Most bytes of a request's headers: a session's cookies and a browser's own have some 2 kB."""

KEEP_ALIVE_S = 20
"""Seconds for which a silent connection stays open."""

BACKLOG = 128

UMASK = 0o077


def run_console(settings: ConsoleSettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """Serves until SIGTERM or SIGINT; calls `ready` once connections are taken.

    Raises:
        ConfigurationError: it can't start; the message says why.
    """
    configure_logging(settings.log_format, settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # its start and stop are told below
    os.umask(UMASK)
    asyncio.run(serve(settings, ready=ready))


async def serve(settings: ConsoleSettings, *, ready: Callable[[], None] = lambda: None) -> None:
    """The same within an event loop."""
    app = create_console(settings)
    listener = _listener(settings)
    context = _tls(settings)
    config = uvicorn.Config(
        app,
        http=limit_to(settings.limits.head_s, settings.limits.connections),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=settings.limits.connections + 1,  # beyond, where no connection waits, an answer of 503
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.stop_grace)),
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        ssl_context_factory=(lambda *_: context) if context else None,
    )
    log.info("the console serves", extra={"origin": settings.public_origin, "gateway": settings.gateway.address})
    await _Server(config, app.state.console, ready).serve([listener])
    log.info("the console has stopped")


TICK_S = 1.0
"""Seconds between two looks at the time for answers' dates; uvicorn's own loop wakes ten times as often."""


class _Server(uvicorn.Server):
    """Ends live pages before it waits for running requests: these never end by themselves."""

    def __init__(self, config: uvicorn.Config, console: ConsoleParts, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._console = console
        self._ready = ready
        self._loop = asyncio.get_running_loop()
        self._exiting = asyncio.Event()

    async def main_loop(self) -> None:
        """Ends with a signal."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._exiting.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._exiting.set)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stops at SIGTERM and SIGINT; uvicorn's own would raise the signal again after the stop, and the exit code
        of an orderly stop wouldn't be 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._console.live.stop()
        await super().shutdown(sockets)


def _listener(settings: ConsoleSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        problem = f"bind {settings.bind}: {error.strerror}"
        raise ConfigurationError(problem, way_out="Choose another port or end what uses it.") from error
    listener.setblocking(False)
    return listener


def _tls(settings: ConsoleSettings) -> ssl.SSLContext | None:
    """TLS 1.3 for browsers; None for a console behind a proxy or on this machine."""
    if settings.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(settings.tls.certificate, settings.tls.key)
    except (OSError, ssl.SSLError) as error:
        problem = f"tls: {settings.tls.certificate} or {settings.tls.key}: {error.strerror or error}"
        raise ConfigurationError(
            problem, way_out="Give a certificate in PEM and the key that belongs to it."
        ) from error
    return context
