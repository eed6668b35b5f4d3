"""Reduces a Latin word to the consonants that survive careless spelling: Mohammed, Muhammad → mt."""

from __future__ import annotations

import re
from functools import lru_cache

_DIGRAPHS = re.compile(r"tch|tsz|sch|zh|ch|sh|kh|gh|ph|th|dh|ts|tz|hs|dj|ck|qu|gw|kw|ng|ou|.")
_CODES = {
    "tch": "c", "tsz": "c", "sch": "s", "zh": "c", "ch": "c", "ts": "c", "tz": "c", "dj": "c", "j": "c", "sh": "s",
    "hs": "s", "x": "s", "s": "s", "z": "s", "kh": "k", "gh": "k", "k": "k", "g": "k", "q": "k", "ck": "k", "qu": "k",
    "c": "k", "gw": "k", "kw": "k", "ph": "f", "f": "f", "b": "p", "p": "p", "t": "t", "th": "t", "d": "t", "dh": "t",
    "m": "m", "n": "n", "ng": "n", "l": "l", "r": "r", "v": "w", "w": "w",
}  # fmt: skip
_NO_SOUND = frozenset("aeiouyh") | {"ou"}


@lru_cache(maxsize=131_072)
def phonetic_key(word: str) -> str:
    """Consonants and digits of a lower-case word, `a` for a vowel at the beginning.

    Letters of other scripts stay: without them any two words would be alike.
    """
    coded: list[str] = ["a"] if word[:1] in "aeiou" else []
    for part in _DIGRAPHS.findall(word) if word.isalpha() else word:
        code = "" if part in _NO_SOUND else _CODES.get(part, part)
        if code and (not coded or coded[-1] != code):
            coded.append(code)
    return "".join(coded)
