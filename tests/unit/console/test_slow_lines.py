"""Downloads reach who takes them slowly, and end where nobody takes them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from gateway.console.pages.files import slices
from gateway.console.server.admission import Admission
from gateway.console.server.security import SecurityMiddleware
from gateway.console.settings import LimitSection

BODY_S = 2.0
CHUNKS = (b"a" * (1 << 20), b"b" * (1 << 17))
"""As the gateway sends a file."""

BUFFER_BYTES = 16 * 1024
PIECE_BYTES, PAUSE_S = 20_000, 0.1
"""200 kB/s: five seconds for the first chunk."""


async def _chunks() -> AsyncGenerator[bytes, None]:
    for chunk in CHUNKS:
        yield chunk


async def _download(request: Request) -> StreamingResponse:
    return StreamingResponse(slices(_chunks()))


async def _no_session(token: str, background: bool) -> bool:
    return False


@contextmanager
def serving() -> Iterator[int]:
    """A server whose sockets hold little, as on a slow line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        port = listener.getsockname()[1]
        security = Middleware(
            SecurityMiddleware,
            origin=f"http://127.0.0.1:{port}",
            limits=LimitSection(body_s=BODY_S),
            admission=Admission(4, _no_session, lambda _: False),
            token_of=lambda _: "",
            takes_file=lambda _: False,
        )
        app = Starlette(routes=[Route("/", _download)], middleware=[security])
        config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


@contextmanager
def download(port: int) -> Iterator[socket.socket]:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        one.settimeout(30)
        one.connect(("127.0.0.1", port))
        one.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        yield one


def taken(one: socket.socket, pause_s: float) -> bytes:
    received = b""
    while more := one.recv(PIECE_BYTES):
        received += more
        time.sleep(pause_s)
    return received


def test_a_slow_line_gets_the_whole_file(port: int) -> None:
    with download(port) as one:
        received = taken(one, PAUSE_S)
    assert received.count(b"a") >= len(CHUNKS[0])
    assert received.endswith(b"\r\n0\r\n\r\n"), "the download broke"


def test_a_download_that_nobody_takes_ends(port: int) -> None:
    with download(port) as one:
        time.sleep(3 * BODY_S)
        received = taken(one, 0)
    assert not received.endswith(b"\r\n0\r\n\r\n")
