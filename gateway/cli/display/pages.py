"""Reads pages up to a limit of rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sized
from typing import Any, Protocol, TypeVar

MAX_PAGE = 500
"""Most rows asked for at once."""


class ListedPage(Protocol):
    """A response with rows."""

    @property
    def next_page_token(self) -> str: ...


PageT = TypeVar("PageT", bound=ListedPage)


async def pages_of(
    fetch: Callable[..., Awaitable[PageT]], rows: Callable[[PageT], Sized], limit: int, **request: Any
) -> tuple[list[PageT], bool]:
    """Pages with `limit` rows at most (0: all), and whether there are more.

    Args:
        fetch: takes page_size, page_token and `request`.
        rows: of a page.
    """
    pages: list[PageT] = []
    count, token = 0, ""
    while True:
        page_size = min(limit - count, MAX_PAGE) if limit else MAX_PAGE
        page = await fetch(page_size=page_size, page_token=token, **request)
        pages.append(page)
        count, token = count + len(rows(page)), page.next_page_token
        if not token or (limit and count >= limit):
            return pages, bool(token)
