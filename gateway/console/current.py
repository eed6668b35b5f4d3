"""What filters and components of templates need of the request that is being answered."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from gateway.console.languages import ReaderLocale


@dataclass(frozen=True, slots=True)
class CurrentPage:
    """The page being made."""

    place: ReaderLocale
    csrf_token: str
    """For forms; another mask at each page."""
    nonce: str
    """Allows this page's htmx attributes, and nothing that was injected."""


_page: ContextVar[CurrentPage] = ContextVar("page")


def current_page() -> CurrentPage:
    """The page that is being made in this context."""
    return _page.get()


def set_current_page(page: CurrentPage) -> None:
    """Begins a page in this context."""
    _page.set(page)
