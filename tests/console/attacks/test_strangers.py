"""Strangers fill what is theirs: persons' pages and uploads go on, and nothing of a stranger gets onto a disk."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.console.trial import ConsoleTrial, Office
from tests.support.console.visitor import HOME, Visitor
from tests.support.waiting import eventually

FORMS = 70
"""Forms of sign-in at once: more than a console answers at once."""

PAGES = 45
UPLOADS = 40
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def mo(trial: ConsoleTrial) -> Office:
    return trial["mo"]


@pytest.fixture
def officer(trial: ConsoleTrial, mo: Office) -> Visitor:
    return Visitor.with_session(mo, trial.session("mo", "officer"))


@contextmanager
def signing_in(office: Office, count: int = FORMS) -> Iterator[list[int]]:
    """Strangers who send the form of sign-in again and again, each in a thread; their answers' statuses."""
    token_of = Visitor(office)
    token = token_of.csrf("/sign-in")
    statuses: list[int] = []
    done = threading.Event()

    def go_on(number: int) -> None:
        visitor = Visitor(office, dict(token_of.cookies))
        while not done.is_set():
            form = {"csrf": token, "person": f"nobody-{number}", "password": "wrong"}
            statuses.append(visitor.post("/sign-in", form).status)

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(statuses) >= count // 4, within_s=60)
        yield statuses
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_forms_of_sign_in_take_no_persons_page(mo: Office, officer: Visitor) -> None:
    assert officer.get(HOME).status == 200
    with signing_in(mo):
        answers = [officer.get(HOME).status for _ in range(PAGES)]
        assert mo.get("/healthz") == 200
    assert answers == [200] * PAGES


def test_who_signs_in_among_many_waits_and_isnt_sent_away(trial: ConsoleTrial, mo: Office) -> None:
    """A morning: everybody's form comes at once, and each is answered."""
    trial.session("mo", "officer")
    with signing_in(mo, 24) as statuses:
        assert Visitor(mo).sign_in("officer", mo.passwords["officer"]).status == 303
    assert set(statuses) == {401}


def head(office: Office, path: str, length: int, *more: str) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {office.host}:{office.port}",
        f"Origin: {office.origin}",
        "Sec-Fetch-Site: same-origin",
        "Content-Type: multipart/form-data; boundary=x",
        f"Content-Length: {length}",
        *more,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'


def temporary_bytes(office: Office) -> int:
    """Of files without a name that the console has open."""
    total = 0
    for descriptor in os.listdir(f"/proc/{office.pid}/fd"):
        path = f"/proc/{office.pid}/fd/{descriptor}"
        try:
            if re.search(r"^/(?!memfd|dev).*\(deleted\)$", os.readlink(path)):
                total += os.stat(path).st_size
        except FileNotFoundError:
            continue
    return total


def answer_of(one: socket.socket) -> bytes:
    one.settimeout(30)
    try:
        return one.recv(4096)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/watchlists/import/upload", b"401"),
        ("/files/upload", b"401"),
        ("/alerts/new/upload", b"401"),
        ("/none/upload", b"413"),
    ],
)
@pytest.mark.parametrize("cookie", ["", "Cookie: {name}=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_an_upload_without_a_session_is_refused_before_its_body(
    mo: Office, officer: Visitor, path: str, status: bytes, cookie: str
) -> None:
    before = temporary_bytes(mo)
    lines = [cookie.format(name=mo.cookie)] if cookie else []
    with ExitStack() as stack:
        strangers = [
            stack.enter_context(socket.create_connection(("127.0.0.1", mo.port), timeout=30)) for _ in range(UPLOADS)
        ]
        for one in strangers:
            one.sendall(head(mo, path, 60 * MEGABYTE, *lines))
        for one in strangers:
            assert answer_of(one).split(b" ")[1:2] == [status]
        assert temporary_bytes(mo) == before
        assert officer.post("/watchlists/import/upload", {"csrf": "x"}).status == 403  # read, and refused for its token


def test_a_token_in_the_header_that_isnt_the_sessions_is_refused_before_the_body(
    trial: ConsoleTrial, mo: Office
) -> None:
    cookie = f"Cookie: {mo.cookie}={trial.session('mo', 'officer')}"
    with socket.create_connection(("127.0.0.1", mo.port), timeout=30) as one:
        one.sendall(head(mo, "/files/upload", 60 * MEGABYTE, cookie, "X-CSRF-Token: wrong"))
        assert answer_of(one).split(b" ")[1:2] == [b"403"]


def test_an_upload_from_another_site_is_refused_before_the_body(trial: ConsoleTrial, mo: Office) -> None:
    cookie = f"Cookie: {mo.cookie}={trial.session('mo', 'officer')}"
    with socket.create_connection(("127.0.0.1", mo.port), timeout=30) as one:
        one.sendall(
            head(mo, "/watchlists/import/upload", 60 * MEGABYTE, cookie).replace(
                f"Origin: {mo.origin}".encode(), b"Origin: https://evil.example"
            )
        )
        assert answer_of(one).split(b" ")[1:2] == [b"403"]


def test_one_session_holds_a_few_uploads_alone(trial: ConsoleTrial, mo: Office) -> None:
    cookie = f"Cookie: {mo.cookie}={trial.session('mo', 'officer')}"
    other = Visitor.with_session(mo, trial.session("mo", "analyst"))
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(("127.0.0.1", mo.port), timeout=30)) for _ in range(20)]
        for one in slow:
            one.sendall(head(mo, "/watchlists/import/upload", 60 * MEGABYTE, cookie) + PART + b"a")
        eventually(lambda: sum(_has_answer(one) for one in slow) >= 16, within_s=30)
        assert other.post("/watchlists/import/upload", {"csrf": "x"}).status == 403


def _has_answer(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return bool(one.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
