"""A console's connections end when they send no request, and make room for each other."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.console.server.connections import limit_to

HEAD_S = 0.4
MOST = 5
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def _hello(request: Request) -> PlainTextResponse:
    await asyncio.sleep(float(request.query_params.get("wait", "0")))
    time.sleep(float(request.query_params.get("block", "0")))  # noqa: ASYNC251  # the loop stands still
    return PlainTextResponse("hello")


@contextmanager
def serving() -> Iterator[int]:
    config = uvicorn.Config(
        Starlette(routes=[Route("/", _hello)]),
        http=limit_to(HEAD_S, MOST),
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=30,
        limit_concurrency=MOST + 1,
        timeout_graceful_shutdown=1,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


def connect(port: int, first: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=5)
    made.sendall(first)
    return made


def has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(4096) == b""
    except ConnectionResetError:
        return True


def answer(connection: socket.socket) -> bytes:
    """A whole answer; what there is when the connection ended before."""
    got = b""
    while not got.endswith(b"hello") and (more := connection.recv(4096)):
        got += more
    return got


def still_takes(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("first", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nX: "], ids=["silent", "line", "header"])
def test_one_that_sends_no_request_ends(port: int, first: bytes) -> None:
    with connect(port, first) as silent:
        began = time.monotonic()
        assert has_ended(silent)
        assert time.monotonic() - began < 3


def test_bytes_now_and_then_dont_prolong_it(port: int) -> None:
    with connect(port, REQUEST) as slow:
        assert answer(slow).endswith(b"hello")
        began = time.monotonic()
        while time.monotonic() - began < 5 and still_takes(slow, b"G"):
            time.sleep(0.05)
        assert time.monotonic() - began < 3


def test_a_request_and_the_pause_after_it_have_no_such_end(port: int) -> None:
    with connect(port, REQUEST.replace(b"/ ", b"/?wait=1 ")) as patient:
        assert answer(patient).endswith(b"hello")
        time.sleep(2 * HEAD_S)
        patient.sendall(REQUEST)
        assert answer(patient).endswith(b"hello")


def test_a_new_one_takes_the_place_of_the_oldest_that_waits(port: int) -> None:
    waiting = [connect(port) for _ in range(MOST)]
    with connect(port, REQUEST) as new:
        assert answer(new).endswith(b"hello")
    assert has_ended(waiting[0])
    for one in waiting:
        one.close()


def test_one_that_is_answered_isnt_ended_for_a_new_one(port: int) -> None:
    with connect(port, REQUEST.replace(b"/ ", b"/?wait=1 ")) as answered:
        time.sleep(0.1)
        others = [connect(port) for _ in range(2 * MOST)]
        assert answer(answered).endswith(b"hello")
    for one in others:
        one.close()


def test_many_at_once_leave_room_for_one_that_asks(port: int) -> None:
    """Each new one ends another, also where all come before the console looks at any."""
    with connect(port, REQUEST.replace(b"/ ", b"/?block=0.5 ")) as blocking:
        time.sleep(0.1)
        others = [connect(port) for _ in range(4 * MOST)]
        with connect(port, REQUEST) as asking:
            assert answer(asking).endswith(b"hello")
        assert answer(blocking).endswith(b"hello")
    for one in others:
        one.close()
