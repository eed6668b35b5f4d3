"""Takes the names apart that one field has: a former name, a trade name, an alias."""

from __future__ import annotations

import re
import string

_LATIN = re.compile(
    r"(?<=[\s,;(])((?:formerly|previously|now|also|better) known as|(?:formerly|previously) (?:named|called)|formerly|"
    r"previously|(?:former|previous|old) name|(?:also )?trading (?:as|under the name(?: of)?)|doing business as|"
    r"operating as|(?<=\()ex|née|"
    r"f/k/a|a/k/a|n/k/a|t/a|d/b/a|o/a|a\.k\.a\.|f\.k\.a\.|n\.k\.a\.|d\.b\.a\.|t\.a\.|"
    r"fka|aka|nka|dba|alias|@)(?=[:\s])",
    re.IGNORECASE,
)
_HAN = re.compile(
    r"(原名称?为?|前身[为為]|更名前|(?<=\()原(?=[^名称稱])|曾用名|前称|前名"
    r"|旧名|又名|别名|亦称|又称|以前叫|舊稱|舊名|前稱|亦稱|又稱|原名稱|別名)"
)
_EITHER = re.compile(f"(?:{_LATIN.pattern}|{_HAN.pattern})", re.IGNORECASE)
_AROUND = string.whitespace + "\u00a0\u3000,;():"
"""What may stand around a name of several."""
_HINT = re.compile(
    r"[/@名称稱原前]|\.[akb]\.|known as|formerly|previous|former name|old name|\(ex |née |"
    r"ing (?:as|bus|under)|fka|aka|nka|dba|alias"
)
"""What a text has in lower case that has several names; most have none of it."""
_SHORTEST = 2
"""Characters of a name."""


def several_names(text: str) -> tuple[tuple[str, str], ...]:
    """Each name of a text, with the word before it, empty for the first; the whole text alone if it has one name."""
    if _HINT.search(text.lower()) is None:
        return ((text, ""),)
    marks = _LATIN if text.isascii() else _EITHER
    names, before, at = list[tuple[str, str]](), "", 0
    for mark in marks.finditer(text):
        names.append((text[at : mark.start()], before))
        before, at = next(filter(None, mark.groups())).lower(), mark.end()
    names.append((text[at:], before))
    found = tuple((name.strip(_AROUND), word) if len(names) > 1 else (name, word) for name, word in names)
    return found if all(len(name) >= _SHORTEST for name, _ in found) else ((text, ""),)
