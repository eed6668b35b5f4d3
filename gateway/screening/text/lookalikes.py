"""Reads a name as it looks: letters of other scripts, digits and kana that stand for similar letters.

A name is read as written, and also as it looks if that differs; a genuine name in Cyrillic or Greek loses nothing. The
characters are Unicode's confusables (`gateway.contract.identification.lookalike_letters`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from gateway.contract.identification.lookalikes import letters_as_seen

MAX_SPELLINGS = 10
"""Further ways to read a name; each has keys of its own."""

MAX_CHOICES = 3
"""Digits 1 of a name that are read as i and as l in all combinations; of more, all as i or all as l."""

_DIGITS = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b"}
_DIGIT = re.compile(r"[0134578]")
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]+")
_WITH_DIGIT = re.compile(r"[A-Za-z][0134578]|[0134578][A-Za-z]")

_SYMBOLS = {"@": "a", "$": "s", "!": "i", "|": "l", "€": "e", "£": "l"}
_SYMBOL = re.compile(r"(?<=[^\W\d_])[@$!|€£](?=[^\W\d_])|(?<!\S)[$€£](?=[^\W\d_])")
"""Between letters, or a currency's that begins a word."""
_NO_VOWEL = re.compile(r"\b(?=[A-Z]*V)[B-DF-HJ-NP-TV-XZ]{4,}\b")
"""A longer word in capitals without a vowel, in which a V may be a U, as on inscriptions."""

OVERRIDE = "its letters were put in the order in which control characters show them"
STORED = "its letters were read in the order in which they are stored"
DIGITS = "digits were read as letters that they look like"
LETTERS = "letters were read as the ones that they look like"


class Spelling(NamedTuple):
    """A way to read a name. `note` says what was changed, in a sentence."""

    text: str
    note: str


def other_spellings(text: str, *, least_letters: int) -> tuple[Spelling, ...]:
    """A name as it looks, in every way that differs from how it is written; usually none.

    Args:
        least_letters: letters that a word needs for its digits to be read as letters too; 0: never, as on plates.
    """
    seen = _SYMBOL.sub(lambda match: _SYMBOLS[match.group()], letters_as_seen(text))
    if least_letters:
        seen = _NO_VOWEL.sub(lambda match: match.group().replace("V", "U"), seen)
    ways = [Spelling(seen, LETTERS)] if seen != text else []
    if least_letters and _DIGIT.search(seen) and _WITH_DIGIT.search(seen):
        note = DIGITS if seen == text else f"{LETTERS}; {DIGITS}"
        ways += [Spelling(spelling, note) for spelling in _without_digits(seen, least_letters) if spelling != seen]
    return tuple(ways[:MAX_SPELLINGS])


def _without_digits(text: str, least_letters: int) -> Iterator[str]:
    """Words of letters and fewer digits, as letters."""
    parts: list[str] = []
    at = 0
    for word in _ALPHANUMERIC.finditer(text):
        if _hides_letters(word.group(), least_letters):
            parts += [text[at : word.start()], *re.split(r"([0134578])", word.group())]
            at = word.end()
    parts.append(text[at:])
    if parts.count("1") > MAX_CHOICES:
        for letter in _DIGITS["1"]:
            yield "".join(letter if part == "1" else _DIGITS.get(part, part) for part in parts)
    else:
        yield from map("".join, product(*(_DIGITS.get(part, (part,)) for part in parts)))


def _hides_letters(word: str, least: int) -> bool:
    digits = len(_DIGIT.findall(word))
    letters = sum(map(str.isalpha, word))
    return digits > 0 and letters >= least and letters >= digits and letters + digits == len(word)
