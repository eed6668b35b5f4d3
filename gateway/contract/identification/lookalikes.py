"""Reads text as it looks: words with letters of other scripts that stand for similar ones, in one script."""

from __future__ import annotations

import re
import unicodedata

from gateway.contract.identification.lookalike_letters import SIMILAR

_LETTERS = re.compile(r"[^\W\d_]+")
_SUSPECT = re.compile(f"[{''.join(SIMILAR)}]")
_MIXED = re.compile("[A-Za-z][\u0370-\u03ff\u0400-\u04ff]|[\u0370-\u03ff\u0400-\u04ff][A-Za-z]")
_TO_LATIN = str.maketrans({a: b for a, b in SIMILAR.items() if b.isascii()})
_TO_HAN = str.maketrans({a: b for a, b in SIMILAR.items() if not b.isascii()})


def _from_latin(script: str) -> dict[int, str]:
    """The first letter of a script for each Latin one."""
    pairs = [(b, a) for a, b in reversed(SIMILAR.items()) if unicodedata.name(a).startswith(script)]
    return str.maketrans(dict(pairs))


_ALPHABETS = {script: _from_latin(script) for script in ("CYRILLIC", "GREEK")}
"""Scripts whose words may hide Latin letters."""


def letters_as_seen(text: str) -> str:
    """The text with words in one script that look the same; unchanged if none need it.

    A word with letters of several scripts becomes Latin if all look Latin, or else Cyrillic or Greek. Words wholly of
    another script become Latin only if all words do: РОССО may be POCCO, Анна Иванова isn't Latin.
    """
    if text.isascii() or not (_SUSPECT.search(text) or _MIXED.search(text)):
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
    if word.isascii() or not (_SUSPECT.search(word) or _MIXED.search(word)):
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
