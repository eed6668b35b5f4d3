"""Serves metrics and health over HTTP, in threads of its own: the event loop never waits for it.

The port has no authentication, so what a stranger can make of it is bounded: few connections, short requests, GET only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder

from gateway.errors import ConfigurationError

log = logging.getLogger(__name__)

REQUEST_S: Final = 5.0
"""Seconds that a connection may be silent: a request has a few hundred bytes."""

MAX_CONNECTIONS: Final = 8
"""Most connections at once: a Prometheus or two, and probes. More are closed at once."""

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
            "/metrics": lambda accept: _metrics(registry, accept),
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


class _BoundedServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], pages: Mapping[str, Callable[[str], _Page]]) -> None:
        self.pages = pages
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        log.debug("a request to the metrics port failed", exc_info=True)  # instead of a traceback on standard error


class _Handler(BaseHTTPRequestHandler):
    server: _BoundedServer
    timeout = REQUEST_S
    server_version = "gateway"
    sys_version = ""
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self.send_error(HTTPStatus.NOT_FOUND, "There are /metrics, /livez and /readyz")
            return
        status, content_type, body = page(self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a probe each second isn't an event, and strangers would write into the log."""
