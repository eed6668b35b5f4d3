"""Slow, silent, endless and oversized: a console goes on answering those who come with an ordinary request."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest

from tests.support.console.trial import ConsoleTrial, Office
from tests.support.console.visitor import Visitor

CONNECTIONS = 200
QUICK_S = 5.0
"""Seconds for a page while the console is attacked, on a machine that does other things; 0.02 s are usual."""

MOST_MB = 200
"""By how many MB the console may grow."""


@pytest.fixture
def mo(trial: ConsoleTrial) -> Office:
    return trial["mo"]


@contextmanager
def connections(office: Office, count: int = CONNECTIONS, first: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connections that have sent these bytes."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(socket.create_connection(("127.0.0.1", office.port), timeout=30)) for _ in range(count)
        ]
        for one in made:
            one.sendall(first)
        yield made


def rss_mb(office: Office) -> float:
    return float(psutil.Process(office.pid).memory_info().rss) / 1e6


def assert_answers(office: Office) -> None:
    began = time.monotonic()
    assert Visitor(office).get("/sign-in").status == 200
    assert time.monotonic() - began < QUICK_S


def head(office: Office, rest: str, path: str = "/sign-in") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: {office.host}:{office.port}\r\nOrigin: {office.origin}\r\n{rest}".encode()


def test_silent_connections_dont_stop_it(mo: Office) -> None:
    before = rss_mb(mo)
    with connections(mo):
        assert_answers(mo)
        assert rss_mb(mo) - before < MOST_MB


def test_headers_that_dont_end_dont_stop_it(mo: Office) -> None:
    with connections(mo, first=b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ") as slow:
        assert_answers(mo)
        for one in slow:
            one.sendall(b"a")
        assert_answers(mo)


def test_bodies_that_dont_end_dont_stop_it(mo: Office) -> None:
    form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ncsrf="
    with connections(mo, first=head(mo, form)) as slow:
        for _ in range(3):
            assert_answers(mo)
            for one in slow:
                with suppress(ConnectionError):  # those beyond the places of strangers were refused
                    one.sendall(b"a")


def test_a_body_that_is_said_to_be_too_large_is_refused_unread(mo: Office) -> None:
    with connections(mo, 1, head(mo, "Content-Length: 10000000000\r\n\r\n")) as [one]:
        assert b" 413 " in one.recv(4096)
    assert_answers(mo)


@pytest.mark.parametrize("length", ["-1", "1e9", "abc", "9" * 400, "0x10", "5, 6"])
def test_a_length_that_is_no_number_is_refused(mo: Office, length: str) -> None:
    with connections(mo, 1, head(mo, f"Content-Length: {length}\r\n\r\nhello")) as [one]:
        answer = one.recv(4096)
        assert answer.split(b" ")[1] in (b"400", b"413")
    assert_answers(mo)


def test_a_body_without_a_length_is_cut_off(mo: Office) -> None:
    before = rss_mb(mo)
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    form = "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connections(mo, 1, head(mo, form)) as [one]:
        try:
            for _ in range(2_000):  # 130 MB
                one.sendall(chunk)
        except OSError:
            pass
        else:
            pytest.fail("the console read 130 MB of a form")
    assert rss_mb(mo) - before < MOST_MB
    assert_answers(mo)


def test_forms_of_many_fields_and_files_are_refused(mo: Office) -> None:
    many = "&".join(f"f{number}=1" for number in range(20_000))
    visitor = Visitor(mo)
    sent = visitor.send(
        "POST",
        "/sign-in",
        many.encode(),
        Origin=mo.origin,
        Content_Type="application/x-www-form-urlencoded",
    )
    assert sent.status in (400, 403, 413)
    part = '--x\r\nContent-Disposition: form-data; name="f"; filename="../../{}"\r\n\r\na\r\n'
    files = "".join(part.format(number) for number in range(2_000)) + "--x--\r\n"
    sent = visitor.send(
        "POST", "/sign-in", files.encode(), Origin=mo.origin, Content_Type="multipart/form-data; boundary=x"
    )
    assert sent.status in (400, 403, 413)
    assert_answers(mo)


def test_large_headers_are_refused(mo: Office) -> None:
    with connections(mo, 1, b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 200_000) as [one]:
        assert one.recv(4096).split(b" ")[1] in (b"400", b"431")
    assert_answers(mo)
