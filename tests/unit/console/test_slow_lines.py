"""Downloads reach who takes them slowly, and end where nobody takes them; uploads end after a time of their own."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from gateway.console.pages.files import slices
from gateway.console.server.admission import Admission
from gateway.console.server.security import SecurityMiddleware
from gateway.console.settings import LimitSection

BODY_S = 2.0
UPLOAD_S = 4.0
CHUNKS = (b"a" * (1 << 20), b"b" * (1 << 17))
"""As the gateway sends a file."""

BUFFER_BYTES = 16 * 1024
OFFICER = "officer"
PIECE_BYTES, PAUSE_S = 20_000, 0.1
"""200 kB/s: five seconds for the first chunk."""


async def _chunks() -> AsyncGenerator[bytes, None]:
    for chunk in CHUNKS:
        yield chunk


async def _download(request: Request) -> StreamingResponse:
    return StreamingResponse(slices(_chunks()))


async def _upload(request: Request) -> PlainTextResponse:
    count = 0
    try:
        async for chunk in request.stream():
            count += len(chunk)
    except ClientDisconnect:
        return PlainTextResponse("cut off")
    return PlainTextResponse(f"whole: {count}")


async def _is_session(token: str, background: bool) -> bool:
    return token == OFFICER


@contextmanager
def serving() -> Iterator[int]:
    """A server whose sockets hold little, as on a slow line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        port = listener.getsockname()[1]
        security = Middleware(
            SecurityMiddleware,
            origin=f"http://127.0.0.1:{port}",
            limits=LimitSection(body_s=BODY_S, upload_s=UPLOAD_S),
            admission=Admission(4, _is_session, lambda _: False),
            token_of=lambda request: request.headers.get("cookie", ""),
            takes_file=lambda path: path == "/upload",
        )
        routes = [Route("/", _download), Route("/upload", _upload, methods=["POST"])]
        app = Starlette(routes=routes, middleware=[security])
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


def uploaded(port: int, count: int) -> tuple[bytes, float]:
    """The answer to an officer's form that comes in so many pieces, none of them late, and when it began."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        host = f"127.0.0.1:{port}"
        lines = ("POST /upload HTTP/1.1", f"Host: {host}", f"Origin: http://{host}", f"Cookie: {OFFICER}")
        one.sendall("\r\n".join((*lines, f"Content-Length: {count}", "Connection: close", "", "")).encode())
        began = time.monotonic()
        for _ in range(count):
            one.sendall(b"a")
            if select.select([one], [], [], PAUSE_S)[0]:
                break
        answer = one.makefile("rb")
        return answer.readline() and answer.read(), time.monotonic() - began


def test_an_upload_that_trickles_ends_at_its_time_though_it_never_pauses(port: int) -> None:
    answer, took_s = uploaded(port, 300)
    assert answer.endswith(b"cut off")
    assert took_s > max(UPLOAD_S, BODY_S) - PAUSE_S


def test_an_upload_that_is_whole_in_its_time_is_taken(port: int) -> None:
    answer, took_s = uploaded(port, 10)
    assert answer.endswith(b"whole: 10")
    assert took_s < UPLOAD_S
