"""Cuts texts into the words of the search index.

Words of alphabets are folded: width, case, accents. Runs of Han, kana and Hangul have no spaces, so each two
neighbouring characters are a word, and the last one alone: a search for one character is one for a beginning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST_WORD = 64
"""Characters of a word; longer ones are cut, here and in a search."""

MOST_WORDS = 20_000
"""Words of one alert: a partner's longest texts."""

_RUN = re.compile(r"[⺀-⻿぀-ヿ㐀-䶿一-鿿豈-﫿가-힯\U00020000-\U0003FFFF]+|[^\W_]+")
_ASCII_RUN = re.compile("[a-z0-9]+")
_OTHER_ASCII = re.compile("[^a-z0-9]+")
_HAN = re.compile(r"[⺀-⻿぀-ヿ㐀-䶿一-鿿豈-﫿가-힯\U00020000-\U0003FFFF]")
_ALPHABETIC = re.compile(r"[^⺀-⻿぀-ヿ㐀-䶿一-鿿豈-﫿가-힯\U00020000-\U0003FFFF]+")


def folded(text: str) -> str:
    """The text in one width and case, without accents."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFC", "".join(one for one in apart if not unicodedata.combining(one)))


def compact(text: str) -> str:
    """Letters and digits alone, folded: how numbers are compared, however they are written."""
    plain = folded(text)
    if plain.isalnum():
        return plain[:LONGEST_WORD]
    if plain.isascii():
        return _OTHER_ASCII.sub("", plain)[:LONGEST_WORD]
    return "".join(one for one in plain if one.isalnum())[:LONGEST_WORD]


def words_of(text: str) -> Iterator[str]:
    """Words under which a text is found."""
    if text.isascii():
        yield from (run[:LONGEST_WORD] for run in _ASCII_RUN.findall(text.lower()))
        return
    for run in _runs(text):
        if _HAN.match(run):
            yield from (run[at : at + 2] for at in range(len(run)))
        else:
            yield run[:LONGEST_WORD]


def searched_words(text: str) -> list[tuple[str, bool]]:
    """Words of a search, each once; True where it may be a beginning: the last, and a single Han character."""
    runs = list(_runs(text))
    found: dict[str, bool] = {}
    for number, run in enumerate(runs, 1):
        if not _HAN.match(run):
            found[run[:LONGEST_WORD]] = number == len(runs) or found.get(run[:LONGEST_WORD], False)
        elif len(run) == 1:
            found[run] = True
        else:
            found.update((run[at : at + 2], False) for at in range(len(run) - 1))
    return list(found.items())


def _runs(text: str) -> Iterator[str]:
    for match in _RUN.finditer(folded(text)):
        run = match.group()
        if _HAN.match(run):
            yield run
        else:  # letters and Han stand side by side: "99.9%氧化镓Ga2O3"
            at = 0
            for part in _ALPHABETIC.finditer(run):
                if part.start() > at:
                    yield run[at : part.start()]
                yield part.group()
                at = part.end()
            if at < len(run):
                yield run[at:]
