"""Language and colours: of the person where one is signed in, else of the browser."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import own_path
from gateway.console.languages import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, remembered
from gateway.console.page import (
    console_of,
    form,
    page_route,
    redirect,
    session_or_none,
)
from gateway.translation.messages import LANGUAGES


async def choose_language(request: Request) -> Response:
    """Keeps the language that a button of the footer names."""
    language = form(request).text("language")
    if language not in LANGUAGES:
        return redirect(own_path(form(request).text("back")))
    await _keep(request, language=language)
    return _back(request, LANGUAGE_COOKIE, language)


async def choose_theme(request: Request) -> Response:
    """Keeps light, dark, or as the device has it."""
    theme = form(request).text("theme")
    theme = theme if theme in THEMES else ""
    await _keep(request, theme=theme)
    return _back(request, THEME_COOKIE, theme)


async def _keep(request: Request, **changes: str) -> None:
    present = session_or_none(request)
    if present is None:
        return
    own = present.signed_in.preferences
    kept = {"language": own.language, "zone": own.zone, "theme": own.theme} | changes
    await present.client.persons.set_preferences(**kept)
    console_of(request).sessions.forget(present.token)


def _back(request: Request, name: str, value: str) -> Response:
    """Back to the page; the cookie holds for the browser, also before sign-in."""
    return remembered(redirect(own_path(form(request).text("back"))), name, value)


routes = [
    page_route("/language", choose_language, methods=("POST",), public=True),
    page_route("/theme", choose_theme, methods=("POST",), public=True),
]
