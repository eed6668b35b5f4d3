"""Pages that forms have led to: kept for one session, shown again with another nonce, in bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any

import pytest
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from gateway.console import shown
from gateway.console.shown import MAX_OF_SESSION, PREFIX, ShownPages

PAGE = '<p nonce="first">what was sent</p>'


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test that runs in an event loop of its own."""

    @wraps(test)
    def run(*fixtures: Any, **named: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*fixtures, **named), 30))  # type: ignore[arg-type]

    return run


def keep(pages: ShownPages, token: str, response: Response, owner: str = "chan") -> Response:
    return pages.keep(token, owner, response, nonce="first")


async def read(pages: ShownPages, token: str, owner: str = "chan") -> str:
    page = pages.get(token, owner)
    assert page is not None
    return b"".join([part async for part in page.content("second")]).decode()


@in_a_loop
async def test_a_forms_page_is_shown_at_an_address_of_its_own() -> None:
    pages = ShownPages()
    answer = keep(pages, "t", HTMLResponse(PAGE, status_code=422, headers={"set-cookie": "a=b"}))
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PREFIX}/t")
    assert answer.headers["set-cookie"] == "a=b"
    page = pages.get("t", "chan")
    assert page is not None
    assert page.status == 422
    for _ in range(2):
        assert await read(pages, "t") == '<p nonce="second">what was sent</p>'
    assert pages.get("t", "wong") is None, "of another session"
    assert pages.get("other", "chan") is None


@in_a_loop
async def test_what_is_no_page_goes_as_it_is() -> None:
    pages = ShownPages()
    for response in (RedirectResponse("/inbox", status_code=303), Response(b"a,b", media_type="text/csv")):
        assert keep(pages, "t", response) is response
    assert pages.get("t", "chan") is None


@in_a_loop
async def test_a_page_in_pieces_is_read_while_it_comes_and_again_when_it_is_whole() -> None:
    pages, more = ShownPages(), asyncio.Event()

    async def content() -> AsyncIterator[str]:
        yield "head "
        await more.wait()
        yield "tail"

    keep(pages, "t", StreamingResponse(content(), media_type="text/html"))
    page = pages.get("t", "chan")
    assert page is not None
    reading = page.content("second")
    assert await anext(reading) == b"head "
    assert not page.is_whole
    more.set()
    assert await anext(reading) == b"tail"
    assert [part async for part in reading] == []
    assert await read(pages, "t") == "head tail"


@in_a_loop
async def test_a_page_that_breaks_off_ends_and_a_closed_console_waits_for_none() -> None:
    pages = ShownPages()

    async def broken() -> AsyncIterator[str]:
        yield "head"
        raise RuntimeError("gone")

    async def endless() -> AsyncIterator[str]:
        yield "head"
        await asyncio.Event().wait()

    keep(pages, "t", StreamingResponse(broken(), media_type="text/html"))
    assert await read(pages, "t") == "head"
    keep(pages, "u", StreamingResponse(endless(), media_type="text/html"))
    reading = asyncio.create_task(read(pages, "u"))
    await asyncio.sleep(0.01)
    pages.close()
    assert await asyncio.wait_for(reading, 5) == "head"
    assert pages.get("u", "chan") is None


@in_a_loop
async def test_old_pages_and_more_than_a_session_may_have_go(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    pages = ShownPages(clock=lambda: now)
    keep(pages, "theirs", HTMLResponse(PAGE), owner="wong")
    for number in range(MAX_OF_SESSION + 3):
        keep(pages, str(number), HTMLResponse(PAGE))
    assert [pages.get(str(number), "chan") is None for number in range(4)] == [True, True, True, False]
    assert pages.get("theirs", "wong") is not None, "others lose nothing"
    now = shown.KEPT_S + 1
    assert pages.get("5", "chan") is None
    monkeypatch.setattr(shown, "MAX_BYTES", 10)
    keep(pages, "a", HTMLResponse(PAGE))
    keep(pages, "b", HTMLResponse(PAGE), owner="wong")
    assert pages.get("a", "chan") is None
    assert pages.get("b", "wong") is not None
