"""Strangers fill what is theirs: persons' pages and uploads go on, and nothing of a stranger gets onto a disk."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import pytest

from gateway.console.server.admission import (
    STRANGER_BODY_S,
    STRANGERS,
    STRANGERS_RECEIVING,
    STRANGERS_WAIT_S,
    UPLOADS_OF_A_SESSION,
)
from gateway.console.server.security import MAX_STRANGERS_BYTES, csrf_token
from gateway.console.session import REUSED_S
from tests.support.console.trial import ConsoleTrial, Office
from tests.support.console.visitor import HOME, Answer, Visitor
from tests.support.node_processes import SLOW_PASSWORDS
from tests.support.waiting import eventually

REQUESTS = 16
"""Requests of persons that this console answers at once; 64 are usual, and each form takes a tenth of a second."""

FORMS = REQUESTS + 6
"""Forms of sign-in at once: more than a console answers at once."""

PAGES = 5
UPLOADS = 40
MEGABYTE = 1 << 20

HALF_SENT = 1_100
"""Forms at once of which nothing comes: more than a console has connections."""

LARGE_FORMS = 140
LARGE_FORM_BYTES = 511 * 1024
"""Together more than the forms of all that are received at once."""


@pytest.fixture(scope="module")
def mo(trial: ConsoleTrial) -> Iterator[Office]:
    """mo's console with few places, so that few forms fill them, at a node where each takes its time."""
    node = trial["mo"].node
    node.stop()
    node.start(**{SLOW_PASSWORDS: "1"})
    with restarted(trial["mo"], f"limits.requests = {REQUESTS}") as office:
        yield office
    node.stop()
    node.start()
    trial["mo"].wait_ready()


@contextmanager
def restarted(office: Office, extra: str) -> Iterator[Office]:
    """A console with further settings meanwhile."""
    before, office.extra = office.extra, extra
    office.stop()
    office.start()
    try:
        yield office
    finally:
        office.extra = before
        office.stop()
        office.start()


@pytest.fixture
def officer(trial: ConsoleTrial, mo: Office) -> Visitor:
    return Visitor.with_session(mo, trial.session("mo", "officer"))


@dataclass(frozen=True)
class SignIn:
    """What became of a form of sign-in."""

    status: int
    took_s: float

    @classmethod
    def by(cls, send: Callable[[], Answer]) -> Self:
        began = time.monotonic()
        return cls(send().status, time.monotonic() - began)

    @property
    def waited_in_vain(self) -> bool:
        """It had its whole time to wait, on a machine that is too busy for all."""
        return self.status == 503 and self.took_s >= STRANGERS_WAIT_S


@contextmanager
def signing_in(office: Office, count: int = FORMS) -> Iterator[list[SignIn]]:
    """Strangers who send the form of sign-in again and again, each in a thread; what became of each."""
    token_of = Visitor(office)
    token = token_of.csrf("/sign-in")
    sign_ins: list[SignIn] = []
    done = threading.Event()

    def go_on(number: int) -> None:
        visitor = Visitor(office, dict(token_of.cookies))
        form = {"csrf": token, "person": f"nobody-{number}", "password": "wrong"}
        while not done.is_set():
            sign_ins.append(SignIn.by(lambda: visitor.post("/sign-in", form)))

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(sign_ins) >= count // 4, within_s=60)
        yield sign_ins
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
    """A morning: everybody's form comes at once, and each is answered; on a busy machine none is sent away early."""
    trial.session("mo", "officer")
    with signing_in(mo, 2 * STRANGERS) as sign_ins:
        officers = SignIn.by(lambda: Visitor(mo).sign_in("officer", mo.passwords["officer"]))
    assert officers.status == 303 or officers.waited_in_vain
    assert {sign_in.status for sign_in in sign_ins if not sign_in.waited_in_vain} == {401}


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
        ("/files/AAAA/upload", b"401"),
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
        refused = len(slow) - UPLOADS_OF_A_SESSION
        assert first_statuses(slow, refused, within_s=10.0) == [b"503"] * refused
        assert other.post("/watchlists/import/upload", {"csrf": "x"}).status == 403


def _has_answer(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        one.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True  # or an end without one


@contextmanager
def half_sent(office: Office, count: int, length: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """Strangers' forms of sign-in of which the rest never comes."""
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", office.port), timeout=30))
            with suppress(OSError):  # refused before all of it was sent
                one.sendall(head(office, "/sign-in", length) + sent)
            made.append(one)
        yield made


def first_statuses(connections: list[socket.socket], count: int, *, within_s: float) -> list[bytes]:
    """Statuses of so many first answers; empty where a connection ended without one."""
    answered: list[socket.socket] = []

    def enough() -> bool:
        answered[:] = [one for one in connections if _has_answer(one)]
        return len(answered) >= count

    eventually(enough, within_s=within_s)
    return [status_of(one) for one in answered]


def status_of(one: socket.socket) -> bytes:
    return answer_of(one)[9:12]


def test_half_sent_forms_of_strangers_take_no_persons_page(trial: ConsoleTrial, mo: Office, officer: Visitor) -> None:
    assert officer.get(HOME).status == 200
    with half_sent(mo, HALF_SENT, 100) as strangers:
        assert officer.get(HOME).status == 200
        assert officer.post("/sign-out", {"csrf": "x"}).status == 403  # read, and refused for its token
        eventually(
            lambda: sum(_has_answer(one) for one in strangers) >= HALF_SENT - STRANGERS_RECEIVING,
            within_s=STRANGER_BODY_S - 1,
        )
        refused = Visitor(mo).post("/sign-in", {"csrf": "x"})
        assert refused.status == 503
        assert refused.headers["Retry-After"]
        # those that were received end soon, and strangers can sign in again
        eventually(lambda: all(_has_answer(one) for one in strangers), within_s=STRANGER_BODY_S + 5)
        assert Visitor(mo).sign_in("officer", mo.passwords["officer"]).status == 303


def test_large_forms_of_strangers_take_no_persons_form(trial: ConsoleTrial, mo: Office, officer: Visitor) -> None:
    assert officer.get(HOME).status == 200
    with half_sent(mo, LARGE_FORMS, LARGE_FORM_BYTES + 1, b"a" * LARGE_FORM_BYTES) as strangers:
        text = {"csrf": "x", "text": "a" * 400_000}
        assert officer.post("/sign-out", text).status == 403  # read, and refused for its token
        held = MAX_STRANGERS_BYTES // LARGE_FORM_BYTES
        first_statuses(strangers, LARGE_FORMS - held, within_s=STRANGER_BODY_S - 1)


def test_an_officer_stays_one_while_the_gateway_is_down(trial: ConsoleTrial, mo: Office) -> None:
    """An upload is told so again and again, not that the session has ended, and goes on when the gateway is back."""
    officer = Visitor.with_session(mo, trial.session("mo", trial.run(mo.newcomer("officer"))))
    assert officer.get(HOME).status == 200
    lines = (f"Cookie: {mo.cookie}={officer.cookies[mo.cookie]}", "X-CSRF-Token: wrong")

    def answer_to_upload() -> bytes:
        with socket.create_connection(("127.0.0.1", mo.port), timeout=30) as one:
            one.sendall(head(mo, "/files/upload", 60 * MEGABYTE, *lines))
            return one.makefile("rb").read()

    assert answer_to_upload()[9:12] == b"403"
    mo.node.stop()
    try:
        eventually(lambda: answer_to_upload()[9:12] != b"403", within_s=REUSED_S + 40)  # then the session is asked for
        for _ in range(2):
            answer = answer_to_upload()
            assert answer[9:12] == b"503"
            assert b"The gateway doesn't answer" in answer
        token = csrf_token(officer.cookies[mo.cookie])
        small = officer.post("/files/upload", {"text": "Seen by night."}, X_CSRF_Token=token)
        assert small.status in (503, 504)  # no form out of date
    finally:
        mo.node.start()
        mo.wait_ready()
    assert officer.post("/files/upload", {"csrf": "x"}).status == 403  # read, and refused for its token
