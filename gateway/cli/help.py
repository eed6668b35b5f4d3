"""Translates the help of a command, paragraph by paragraph; examples are commands and stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from inspect import cleandoc

from gateway.translation.messages import gettext

current_command: ContextVar[str] = ContextVar("current_command", default="")
"""The command that runs, as it is typed: `gateway alert list`."""

_KEPT = "\b\n"
"""Begins a paragraph whose lines aren't joined (click)."""


def translated_help(docstring: str) -> str:
    """The docstring of a command in the current language."""
    return "\n\n".join(
        start + gettext(text) if translatable else start + text for start, text, translatable in _parts(docstring)
    )


def help_messages(docstring: str) -> list[str]:
    """Texts of a docstring that are translated."""
    return [text for start, text, translated in _parts(docstring) if translated]


def _parts(docstring: str) -> Iterator[tuple[str, str, bool]]:
    """Paragraphs: how each begins, its text, whether the text is translated."""
    for paragraph in cleandoc(docstring).split("\n\n"):
        if not paragraph.startswith(_KEPT):
            yield "", " ".join(paragraph.split()), True
            continue
        text = paragraph.removeprefix(_KEPT)
        yield _KEPT, text, not text.startswith("Example")
