"""Finds the script of a name by ISO 15924."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LETTERS = tuple(
    (script, re.compile(f"[{ranges}]"))
    for script, ranges in (
        ("Latn", "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"),
        ("Hani", "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"),
        ("Arab", "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufeff"),
        ("Cyrl", "\u0400-\u052f"),
        ("Hang", "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"),
        ("Kana", "\u3040-\u30ff\u31f0-\u31ff"),
        ("Hebr", "\u0590-\u05ff"),
        ("Grek", "\u0370-\u03ff"),
        ("Deva", "\u0900-\u097f"),
        ("Thai", "\u0e00-\u0e7f"),
        ("Mymr", "\u1000-\u109f"),
        ("Geor", "\u10a0-\u10ff"),
        ("Armn", "\u0530-\u058f"),
    )
)


def script_of(text: str) -> str:
    """The only script in a text; empty if there are several or none known.

    Chinese characters are Hani: a short name doesn't always show Hans or Hant. Together with kana they are Jpan.
    """
    if text.isascii():
        return "Latn" if _LETTERS[0][1].search(text) else ""
    found = set(_scripts(text))
    if found in ({"Hani", "Kana"}, {"Kana"}):
        return "Jpan"
    return found.pop() if len(found) == 1 else ""


def _scripts(text: str) -> Iterator[str]:
    for script, letters in _LETTERS:
        if letters.search(text):
            yield script
