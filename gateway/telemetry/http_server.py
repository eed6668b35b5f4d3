"""Serves metrics and health over HTTP, in threads of its own: the event loop never waits for it.

The port has no authentication, so what a stranger can make of it is bounded: few connections, short requests, GET only.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder

from gateway.errors import ConfigurationError

log = logging.getLogger(__name__)

REQUEST_S: Final = 5.0
"""Seconds for a connection, from its begin to the end of its answer: a request has a few hundred bytes."""

MAX_CONNECTIONS: Final = 8
"""Most connections at once: a Prometheus or two, and probes. A further one takes the place of the oldest that hasn't
sent its request."""

MAX_SCRAPES: Final = 4
"""Most answers with metrics at once, which a client may take slowly: the other places are left for health."""

PLACE_S: Final = 1.0
"""Seconds for a connection that was ended to give its place up."""

METRICS: Final = "/metrics"

LOOPBACK: Final = "127.0.0.1"
"""Where the port is bound when only its number is given."""

Problems = Mapping[str, str]
"""By dependency what is wrong with it, empty when it works."""


def parse_bind(bind: str) -> tuple[str, int]:
    """`host:port`, or a port of the loopback address. The number's range is the caller's to check."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]") or LOOPBACK, int(port)


class MetricsServer:
    """The HTTP server; bound on construction, serves from `start` to `stop`.

    Args:
        live, ready: the problems of each dependency, read at each request, from any thread.

    Raises:
        ConfigurationError: the address can't be bound.
    """

    def __init__(
        self, bind: str, registry: CollectorRegistry, *, live: Callable[[], Problems], ready: Callable[[], Problems]
    ) -> None:
        host, port = parse_bind(bind)
        pages: dict[str, Callable[[str], _Page]] = {
            METRICS: lambda accept: _metrics(registry, accept),
            "/livez": lambda _: _health(live()),
            "/readyz": lambda _: _health(ready()),
        }
        try:
            self._server = _BoundedServer((host, port), pages)
        except OSError as error:
            way_out = "Set metrics_bind to a free port, or stop what listens there."
            raise ConfigurationError(f"can't serve metrics on {bind}: {error.strerror}", way_out=way_out) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stops serving; a request that runs may end."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


_Page = tuple[HTTPStatus, str, bytes]


def _metrics(registry: CollectorRegistry, accept: str) -> _Page:
    encoder, content_type = choose_encoder(accept)
    return HTTPStatus.OK, content_type or CONTENT_TYPE_LATEST, encoder(registry)


def _health(problems: Problems) -> _Page:
    """One line for each dependency. Reasons are in the log and the alarms: strangers may read this page."""
    lines = "".join(f"{name}: {'failed' if problem else 'ok'}\n" for name, problem in problems.items())
    status = HTTPStatus.SERVICE_UNAVAILABLE if any(problems.values()) else HTTPStatus.OK
    return status, "text/plain; charset=utf-8", lines.encode()


@dataclass(slots=True, eq=False)
class _Connection:
    """A connection that has a place."""

    socket: socket
    began_s: float
    is_read: bool = False
    """Its request has come."""

    def end(self) -> None:
        """Wakes its thread, which then closes it."""
        with suppress(OSError):
            self.socket.shutdown(SHUT_RDWR)


class _BoundedServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Callable[[str], _Page]]) -> None:
        self.pages = pages
        self.scrapes = threading.BoundedSemaphore(MAX_SCRAPES)
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._connections: dict[int, _Connection] = {}
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self._end_oldest()
            if not self._places.acquire(timeout=PLACE_S):
                self.shutdown_request(request)
                return
        self._connections[id(request)] = _Connection(request, time.monotonic())
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._leave(request)
            raise

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(request)

    def service_actions(self) -> None:
        """Ends connections beyond their time; called twice a second and after each new one."""
        for connection in list(self._connections.values()):
            if time.monotonic() - connection.began_s > REQUEST_S:
                connection.end()

    def note_read(self, request: object) -> None:
        """The request of a connection has come."""
        self._connections[id(request)].is_read = True

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        log.debug("a request to the metrics port failed", exc_info=True)  # instead of a traceback on standard error

    def _end_oldest(self) -> None:
        waiting = [each for each in list(self._connections.values()) if not each.is_read]
        if waiting:
            min(waiting, key=lambda each: each.began_s).end()

    def _leave(self, request: object) -> None:
        del self._connections[id(request)]
        self._places.release()


class _Handler(BaseHTTPRequestHandler):
    server: _BoundedServer
    timeout = REQUEST_S
    server_version = "gateway"
    sys_version = ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        self.server.note_read(self.request)
        name = self.path.partition("?")[0]
        page = self.server.pages.get(name)
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND, "There are /metrics, /livez and /readyz")
        elif name != METRICS:
            self._send(*page(self.headers.get("Accept", "")))
        elif self.server.scrapes.acquire(blocking=False):
            try:
                self._send(*page(self.headers.get("Accept", "")))
            finally:
                self.server.scrapes.release()
        else:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_SCRAPES} others are reading the metrics")

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a probe each second isn't an event, and strangers would write into the log."""
