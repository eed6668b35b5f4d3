"""Reads a name as it looks: letters of other scripts, digits and kana that stand for similar letters.

A name is read as written, and also as it looks if that differs; a genuine name in Cyrillic or Greek loses nothing. The
characters are Unicode's confusables (`gateway/reference/lookalikes.csv`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from importlib import resources
from itertools import product
from typing import NamedTuple

MAX_SPELLINGS = 10
"""Further ways to read a name; each has keys of its own."""

MAX_CHOICES = 3
"""Digits 1 of a name that are read as i and as l in all combinations; of more, all as i or all as l."""

_DIGITS = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b"}
_DIGIT = re.compile(r"[0134578]")
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]+")
_WITH_DIGIT = re.compile(r"[A-Za-z][0134578]|[0134578][A-Za-z]")
_LETTERS = re.compile(r"[^\W\d_]+")

OVERRIDE = "its letters were put in the order in which control characters show them"
DIGITS = "digits were read as letters that they look like"
LETTERS = "letters were read as the ones that they look like"


class Spelling(NamedTuple):
    """A way to read a name. `note` says what was changed, in a sentence."""

    text: str
    note: str


def _read() -> dict[str, str]:
    text = resources.files("gateway.reference").joinpath("lookalikes.csv").read_text(encoding="utf-8")
    return {line[0]: line[2] for line in text.splitlines()[1:]}


_SIMILAR = _read()
_SUSPECT = re.compile(f"[{''.join(_SIMILAR)}]")
_TO_LATIN = str.maketrans({a: b for a, b in _SIMILAR.items() if b.isascii()})
_TO_HAN = str.maketrans({a: b for a, b in _SIMILAR.items() if not b.isascii()})


def _from_latin(script: str) -> dict[int, str]:
    """The first letter of a script for each Latin one."""
    pairs = [(b, a) for a, b in reversed(_SIMILAR.items()) if unicodedata.name(a).startswith(script)]
    return str.maketrans(dict(pairs))


_ALPHABETS = {script: _from_latin(script) for script in ("CYRILLIC", "GREEK")}
"""Scripts whose words may hide Latin letters."""


def letters_as_seen(text: str) -> str:
    """The text with words in one script that look the same; unchanged if none need it.

    A word with letters of several scripts becomes Latin if all look Latin, or else Cyrillic or Greek. Words wholly of
    another script become Latin only if all words do: РОССО may be POCCO, Анна Иванова isn't Latin.
    """
    if text.isascii() or not _SUSPECT.search(text):
        return text
    text = text.translate(_TO_HAN)
    words = _LETTERS.findall(text)
    all_look_latin = all(map(_looks_latin, words))
    return _LETTERS.sub(lambda match: _word(match.group(), all_look_latin), text)


def _looks_latin(word: str) -> bool:
    return all(map(_is_latin_or_han, word.translate(_TO_LATIN)))


def _is_latin_or_han(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith(("LATIN", "CJK"))


def _word(word: str, all_look_latin: bool) -> str:
    if word.isascii() or not _SUSPECT.search(word):
        return word
    scripts = {unicodedata.name(c, "?").partition(" ")[0] for c in word}
    if len(scripts) > 1 or all_look_latin or scripts == {"LATIN"}:
        latin = word.translate(_TO_LATIN)
        if all(map(_is_latin_or_han, latin)):
            return latin
        for script, from_latin in _ALPHABETS.items():
            other = word.translate(from_latin)
            if script in scripts and all(unicodedata.name(c, "?").startswith(script) for c in other):
                return other
    return word


def other_spellings(text: str, *, least_letters: int) -> tuple[Spelling, ...]:
    """A name as it looks, in every way that differs from how it is written; usually none.

    Args:
        least_letters: letters that a word needs for its digits to be read as letters too; 0: never, as on plates.
    """
    seen = letters_as_seen(text)
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
