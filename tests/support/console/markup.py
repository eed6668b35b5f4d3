"""What of a page's HTML is the same in every language: elements, what names them, and whether there is a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_WORDS = frozenset(("aria-label", "title", "alt", "placeholder", "lang", "content", "value", "datetime"))
_KEPT = re.compile(r"role|id|for|type|name|scope|tabindex|class|aria-.*")
_OF_A_PICTURE = re.compile(r"\bp[0-9a-f]{8}-")
"""The digest of a picture's words in its ids."""


@dataclass
class _Element:
    name: str
    attributes: tuple[object, ...]
    is_empty: bool = True


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.language = ""
        self.elements: list[_Element] = []
        self._open: list[_Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.language = self.language or given.get("lang", "")
        self._fill()
        made = _Element(tag, tuple(_attribute(*one) for one in given.items()))
        if (tag, given.get("name")) != ("button", "language"):  # that of the page's language is marked
            self.elements.append(made)
        if tag not in _VOID:
            self._open.append(made)

    def handle_endtag(self, tag: str) -> None:
        if any(one.name == tag for one in self._open):
            while self._open.pop().name != tag:
                pass

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._fill()

    def _fill(self) -> None:
        if self._open:
            self._open[-1].is_empty = False


def _attribute(name: str, value: str) -> object:
    if name in _WORDS:
        return name, not value.strip()
    return (name, _OF_A_PICTURE.sub("", value)) if _KEPT.fullmatch(name) else name


def language_and_shape(html: str) -> tuple[str, list[tuple[object, ...]]]:
    """The language that a page says it is in, and its shape."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.language, [(one.name, one.is_empty, *one.attributes) for one in reader.elements]
