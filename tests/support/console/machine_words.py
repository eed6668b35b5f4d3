"""Finds words of machines in what a page shows or says: rules of validators, names of fields, codes and UUIDs.

Titles, lists of suggestions and the attributes that a browser shows or reads out count too. What stands in `<code>` is
there to be copied, e.g. the number under which evidence is exported; names of time zones are
those that the world has given them.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from playwright.sync_api import Page

MACHINE_WORD = re.compile(r"regex|list \[0\]|[a-z]+_[a-z]+|\b[0-9a-f]{8}-")

ATTRIBUTES = ("title", "aria-label", "alt", "placeholder", "aria-description", "label")
"""Attributes whose words people see or hear."""

_UNSEEN = frozenset(("script", "style", "template", "code"))
_ZONE = re.compile(r"(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[\w/+-]+")

SHOWN = """attributes => {
  const shown = [];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (!parent.closest("script, style, template, code")) shown.push(walker.currentNode.data);
  }
  for (const each of document.querySelectorAll(attributes.map(name => `[${name}]`).join())) {
    if (!each.closest("code")) shown.push(...attributes.map(name => each.getAttribute(name) ?? ""));
  }
  return shown;
}"""


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        if not self._unseen:
            self.shown += [value for name, value in attrs if name in ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.shown.append(data)


def in_html(html: str) -> list[str]:
    """Texts of an answer that have a machine's word."""
    reader = _Text()
    reader.feed(html)
    reader.close()
    return _found(reader.shown)


def in_page(page: Page) -> list[str]:
    """Texts of a page that have a machine's word."""
    return _found(page.evaluate(SHOWN, ATTRIBUTES))


def _found(texts: list[str]) -> list[str]:
    return [" ".join(text.split())[:200] for text in texts if MACHINE_WORD.search(_ZONE.sub("", text))]
