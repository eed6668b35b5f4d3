"""Translates text for people, into the language of the environment or of a `with in_language(…)`.

    from gateway.translation.messages import N_, ngettext
    from gateway.translation.messages import gettext as _

    output.note(_("Written: {path}", path=path))
    output.note(ngettext("{number} field withheld", "{number} fields withheld", count))

`scripts/catalogues.py` finds these calls by their names. What goes to a partner or a program stays English.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final

from gateway.errors import ConfigurationError

SOURCE: Final = "en"

LANGUAGES: Final = (SOURCE, "pt", "zh-Hans", "zh-Hant")
"""Tags (BCP 47) of the languages that there are."""

CATALOGUES: Final = Path(__file__).parent / "catalogues"
"""`zh_Hans.po` is written by translators; the installation compiles it to `zh_Hans.mo`."""

_VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Environment variables that name a language, the first that is set wins (GNU gettext)."""

_TRADITIONAL: Final = frozenset({"hant", "hk", "mo", "tw"})
"""Scripts and territories of Chinese in traditional characters, in lower case."""

_chosen: ContextVar[str | None] = ContextVar("chosen", default=None)


def gettext(message: str, /, **values: object) -> str:
    """The message in the current language, its `{placeholders}` filled in."""
    return _filled(_catalogue(language()).gettext(message), values) if message else ""


def ngettext(singular: str, plural: str, number: int, /, **values: object) -> str:
    """As `gettext`, in the form for this number; `{number}` is filled in too."""
    return _filled(_catalogue(language()).ngettext(singular, plural, number), {"number": number, **values})


def pgettext(context: str, message: str, /) -> str:
    """As `gettext`, for a word that means something else elsewhere."""
    return _catalogue(language()).pgettext(context, message)


def listed(parts: Iterable[str]) -> str:
    """`a, b, c` as the language lists things."""
    return gettext(", ").join(parts)


def N_(message: str, /) -> str:
    """Marks a message that is translated when it is shown."""
    return message


def marked(*messages: str) -> tuple[str, ...]:
    """Marks several messages: names of columns, which are the keys of JSON too."""
    return messages


def language() -> str:
    """Tag of the current language."""
    return _chosen.get() or environment_language()


@contextmanager
def in_language(tag: str) -> Iterator[None]:
    """Translates into this language within the block.

    Raises:
        ConfigurationError: there is no such language here.
    """
    token = _chosen.set(known_language(tag))
    try:
        yield
    finally:
        _chosen.reset(token)


def known_language(tag: str) -> str:
    """The language for a tag or locale.

    Raises:
        ConfigurationError: there is none.
    """
    found = language_of(tag)
    if found is None:
        known = ", ".join(LANGUAGES)
        raise ConfigurationError(gettext("{tag!r} isn't a language here; there are {known}", tag=tag, known=known))
    return found


def language_of(tag: str) -> str | None:
    """The language for a tag or locale: zh-Hant for `zh_HK.UTF-8`; None where there is none."""
    first, *more = tag.lower().replace("-", "_").partition(".")[0].partition("@")[0].split("_")
    if first == "zh":
        return "zh-Hant" if _TRADITIONAL.intersection(more) and "hans" not in more else "zh-Hans"
    return {"en": SOURCE, "c": SOURCE, "posix": SOURCE, "pt": "pt"}.get(first)


def environment_language() -> str:
    """The language that the environment names; English without one."""
    named = next(filter(None, map(os.environ.get, _VARIABLES)), "")
    return next(filter(None, map(language_of, named.split(":"))), SOURCE)


@cache
def _catalogue(tag: str) -> NullTranslations:
    """Texts stay English where the catalogue isn't compiled."""
    file = CATALOGUES / f"{tag.replace('-', '_')}.mo"
    if tag == SOURCE or not file.exists():
        return NullTranslations()
    with file.open("rb") as compiled:
        return GNUTranslations(compiled)


def _filled(message: str, values: dict[str, object]) -> str:
    return message.format_map(values) if values else message
