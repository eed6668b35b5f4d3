"""Tells two spellings of a word from two words: by customs of transliteration, vowels, and one slip of a letter."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from rapidfuzz.distance import OSA

from gateway.screening.text.phonetic_key import phonetic_key

MIN_SLIP = 5
"""Letters of the longer word of a slip; the shorter may lack one."""
_VOWELS = re.compile("[aeiouy]+")
_CLASSES = {"a": "a", "e": "i", "i": "i", "y": "i", "o": "u", "u": "u"}
_NEAR = frozenset({("a", "e"), ("e", "a")})
"""Vowels that transliterations of Arabic interchange (Ahmad, Ahmed), once in a word."""
_FINAL = "aeiou"

_Customs = tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]
_SLAVIC: _Customs = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        ("schtsch|shch|tsch|tch|sch", "s"), ("ch(?=[rl])|kh", "h"), ("ch|sh|zh|ts|tz|cz", "s"), ("c(?=[eivy]|$)", "s"),
        ("c", "k"), ("z", "s"), ("x", "ks"), ("ou", "u"), ("w", "v"), ("ff?$", "v"), ("(?<=[iy])[iyj]", ""),
        ("(?<![yij])[yij]+([aeou])", lambda found: "e" if found[1] in "eo" else found[1]),
        ("([aeou])[yij]+", r"\1"), ("[yj]+", "i"), (r"(.)\1+", r"\1"),
    )
)  # fmt: skip
"""Russian and Ukrainian by BGN/PCGN, ICAO Doc 9303, ISO 9, German and French custom: one writing for all."""


@lru_cache(maxsize=32_768)
def slavic(word: str) -> str:
    """A Slavic word with the customs of its transliterations taken for one: Schewtschenko, Shevchenko → sevsenko."""
    for pattern, instead in _SLAVIC:
        word = pattern.sub(instead, word)
    return word


def consonants(word: str) -> str:
    """A word without vowels."""
    return _VOWELS.sub("", word)


@lru_cache(maxsize=32_768)
def spelt_alike(one: str, other: str, *, lenient: bool) -> bool:
    """Whether two words have the same consonants, carelessly spelt, and the same vowels, in classes.

    Args:
        lenient: one a may be an e, as in transliterations of Arabic.
    """
    if min(len(one), len(other)) <= 3 or abs(len(one) - len(other)) > 2 or phonetic_key(one) != phonetic_key(other):
        return False
    mine, yours = _VOWELS.findall(one), _VOWELS.findall(other)
    if len(mine) != len(yours):
        return False
    near = 0
    for ours, theirs in zip(mine, yours, strict=True):
        letters = ours.lstrip("y")[:1] or "y", theirs.lstrip("y")[:1] or "y"
        if _CLASSES[letters[0]] != _CLASSES[letters[1]]:
            near += 1
            if not lenient or near > 1 or letters not in _NEAR:
                return False
    return lenient or _ending(one) == _ending(other)


def _ending(word: str) -> str:
    """Of a final vowel: Maria isn't Marie."""
    return _CLASSES.get(word[-1], "") if word[-1] in _FINAL else ""


@lru_cache(maxsize=32_768)
def is_slip(one: str, other: str) -> bool:
    """Whether a letter was left out, added or replaced, or two were turned round.

    Not in a final vowel, which tells man from woman.
    """
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    if len(longer) < MIN_SLIP or not one.isalpha() or not other.isalpha():
        return False
    if OSA.distance(one, other, score_cutoff=1) != 1 or one[0] != other[0]:
        return False
    if longer[:-1] == shorter and longer[-1] in _FINAL:
        return False
    return not (one[:-1] == other[:-1] and one[-1] in _FINAL and other[-1] in _FINAL)
