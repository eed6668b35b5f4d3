"""The way of forms that send something: nothing goes before it was shown, and nothing written is lost."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

import gateway.console
from gateway.console.flow import Carried, Flow
from gateway.console.form import Form
from gateway.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    PermissionDeniedError,
    StoreUnavailableError,
    Violation,
)

CONSOLE = Path(gateway.console.__file__).parent


@dataclass
class Counter:
    """A form that sends one word, and what came of it."""

    refusal: Exception | None = None
    refused_at: str = "send"
    sent: list[str] = field(default_factory=list)
    hidden: Carried = field(default_factory=dict)

    async def subject(self, request: Request) -> str:
        return "the subject"

    async def first(self, request: Request, subject: str) -> dict[str, str | list[str]]:
        return {"word": "first"}

    async def show(self, request: Request, subject: str, sent: Form, status: int) -> Response:
        return PlainTextResponse(f"form {sent.raw('word')} {sorted(sent.problems.items())}", status)

    async def read(self, request: Request, subject: str, sent: Form) -> str | None:
        self.refuse("read")
        return sent.required("word", "no word") or None

    async def check(self, request: Request, subject: str, said: str, hidden: Carried) -> Response:
        self.refuse("check")
        self.hidden = hidden
        return PlainTextResponse(f"check {said}")

    async def send(self, request: Request, subject: str, said: str) -> Response:
        self.refuse("send")
        self.sent.append(said)
        return PlainTextResponse("done")

    def refuse(self, at: str) -> None:
        if self.refusal is not None and self.refused_at == at:
            raise self.refusal

    def take(self, **values: str) -> tuple[int, str]:
        return self._answer(Flow.take, Form.with_values(values))

    def ask(self) -> tuple[int, str]:
        return self._answer(Flow.ask, Form())

    def _answer(self, step: object, sent: Form) -> tuple[int, str]:
        request = Request({"type": "http", "method": "POST", "headers": [], "path": "/", "query_string": b""})
        request.state.form = sent
        flow = Flow(
            subject=self.subject,
            first=self.first,
            show=self.show,
            read=self.read,
            check=self.check,
            send=self.send,
            violations={"message.word": "word"},
        )
        response = asyncio.run(step(flow, request))  # type: ignore[operator]
        return response.status_code, bytes(response.body).decode()


def test_the_first_view_sends_nothing() -> None:
    counter = Counter()
    assert counter.ask() == (200, "form first []")
    assert counter.sent == []


def test_it_is_shown_first_and_sent_the_second_time() -> None:
    counter = Counter()
    assert counter.take(word="yes", request_id="1", csrf="secret", do="preview") == (200, "check yes")
    assert counter.sent == []
    assert counter.hidden == {"word": ["yes"], "request_id": ["1"]}, "fields of one sending aren't carried"
    assert counter.take(word="yes", request_id="1", confirmed="yes") == (200, "done")
    assert counter.sent == ["yes"]


@pytest.mark.parametrize("button", [{"edit": "yes"}, {"do": "more-goods"}])
@pytest.mark.parametrize("confirmed", ["", "yes"])
def test_a_button_of_the_form_sends_nothing(button: dict[str, str], confirmed: str) -> None:
    counter = Counter()
    assert counter.take(word="kept", confirmed=confirmed, **button) == (200, "form kept []")
    assert counter.sent == []


def test_what_cant_be_read_comes_back_also_when_it_was_confirmed() -> None:
    counter = Counter()
    assert counter.take(confirmed="yes") == (422, "form  [('word', 'no word')]")
    assert counter.sent == []


@pytest.mark.parametrize("at", ["read", "check", "send"])
@pytest.mark.parametrize(
    ("refusal", "status", "name"),
    [
        (InvalidRequestError([Violation("message.word", "a.rule", "is too long")], "refused"), 422, "word"),
        (InvalidRequestError([Violation("another", "a.rule", "is too long")], "refused"), 422, ""),
        (IllegalTransitionError("it has ended"), 409, ""),
        (PermissionDeniedError("the agreement doesn't allow it"), 403, ""),
    ],
)
def test_a_refusal_comes_back_with_what_was_written(at: str, refusal: Exception, status: int, name: str) -> None:
    counter = Counter(refusal, at)
    answered, text = counter.take(word="written", confirmed="yes" if at == "send" else "")
    assert answered == status
    assert text.startswith(f"form written [('{name}', ")
    assert counter.sent == []


def test_an_outage_is_no_refusal_of_the_form() -> None:
    with pytest.raises(StoreUnavailableError):
        Counter(StoreUnavailableError("the database is away")).take(word="written", confirmed="yes")


ANOTHER_WAY = {
    "inbox/close.html": "begins with rows that were chosen in a list",
    "operations/directory_preview.html": "carries a file that was uploaded, not fields",
    "watchlists/import_preview.html": "carries a file that was uploaded, not fields",
}


@pytest.mark.drift
def test_all_pages_that_ask_before_they_send_are_of_one_way() -> None:
    """Pages that show what would be sent are rendered by the check of a flow, or say why not."""
    asking = {
        str(path.relative_to(CONSOLE / "templates"))
        for path in (CONSOLE / "templates").rglob("*.html")
        if "confirm.send_form(" in path.read_text(encoding="utf-8")
    }
    checks = re.compile(r"async def _check\(.*?(?=\n(?:async )?def |\Z)", re.DOTALL)
    of_flows = {
        name
        for path in (CONSOLE / "pages").rglob("*.py")
        for check in checks.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r'"([a-z_/]+\.html)"', check)
    }
    assert asking == of_flows | ANOTHER_WAY.keys()
