"""Reads lists to their end, page after page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

RowT = TypeVar("RowT")
PageT = TypeVar("PageT", bound="Page")


class Page(Protocol):
    """One page of a list."""

    next_page_token: str


async def all_rows(
    get_page: Callable[[str], Awaitable[PageT]], rows: Callable[[PageT], Iterable[RowT]]
) -> AsyncGenerator[RowT, None]:
    """All rows of a list in order; `get_page` takes a page token, empty for the first page."""
    token = ""
    while True:
        page = await get_page(token)
        for row in rows(page):
            yield row
        token = page.next_page_token
        if not token:
            return
