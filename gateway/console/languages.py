"""Chooses language, locale and time zone: by person, then cookie, then browser. Keeps choices in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from starlette.responses import Response

from gateway.translation.messages import LANGUAGES, SOURCE, language_of
from gateway.v1.person_pb2 import Preferences

LANGUAGE_COOKIE: Final = "language"

THEME_COOKIE: Final = "theme"
THEMES: Final = ("light", "dark")

_YEAR_S: Final = 365 * 24 * 3600

MAX_ACCEPT_CHARS: Final = 256
"""Characters of Accept-Language that are read; browsers send some sixty."""

NAMES: Final = {"en": "English", "zh-Hans": "简体中文", "zh-Hant": "繁體中文", "pt": "Português"}
"""Each language in its own."""

_LOCALES: Final = {"en": "en_GB", "pt": "pt_MO", "zh-Hans": "zh_Hans_CN", "zh-Hant": "zh_Hant_HK"}


@dataclass(frozen=True, slots=True)
class ReaderLocale:
    """How dates, numbers and texts are written for a reader."""

    language: str
    zone: ZoneInfo

    @property
    def locale(self) -> Locale:
        return locale_of(self.language)


@cache
def locale_of(language: str) -> Locale:
    """The locale whose dates and numbers belong to a language here."""
    return Locale.parse(_LOCALES[language])


def chosen_language(*, person: str, cookie: str, accepted: str) -> str:
    """The first that is a language here: the person's, the cookie's, the browser's; else English."""
    for tag in (person, cookie):
        if tag in LANGUAGES:
            return tag
    return accepted_language(accepted) or SOURCE


def accepted_language(header: str) -> str | None:
    """The language that a browser wants most (RFC 9110, 12.5.4), None where none is here."""
    weighted = []
    for number, part in enumerate(header[:MAX_ACCEPT_CHARS].split(",")):
        tag, _, parameter = part.partition(";")
        language = language_of(tag.strip()) if tag.strip() else None
        weight = _weight(parameter)
        if language is not None and weight > 0:
            weighted.append((-weight, number, language))
    return min(weighted)[2] if weighted else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def chosen_theme(person: Preferences | None, cookies: Mapping[str, str]) -> str:
    """Light or dark, of a person who is signed in or of the browser; empty: as the device has it."""
    chosen = person.theme if person is not None else cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def zone_named(name: str) -> ZoneInfo:
    """The time zone of a name; UTC for one that isn't known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def remembered(response: Response, name: str, value: str) -> Response:
    """The response, with a choice that the browser keeps for a year."""
    response.set_cookie(name, value, max_age=_YEAR_S, path="/", secure=True, httponly=True, samesite="lax")
    return response
