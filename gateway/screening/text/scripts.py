"""Names the scripts beside Latin and Han that are romanised, and compares what they spell by sound.

Published systems leave one spelling where bearers use many (Samseong, Samsung): two writings agree if their consonants
do, in order, and what is left of the vowels once customary spellings are taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache

from rapidfuzz.distance import Indel

from gateway.screening.text import cyrillic, hangul, kana, thai
from gateway.screening.text.phonetic_key import phonetic_key

MIN_ALIKE = 0.7
"""Least likeness of letters whose sounds agree by consonants alone."""
MIN_CODE = 3
"""Fewer consonants agree by chance."""
MIN_KANA = 2
"""Kana that make a text Japanese; one among Han may stand for a similar character."""


class Script(StrEnum):
    """A script that is romanised, with its system."""

    HANGUL = "Hangul (Revised Romanization)"
    KANA = "kana (Hepburn)"
    CYRILLIC = "Cyrillic (BGN/PCGN)"
    THAI = "Thai (Royal Thai General System)"


_FOREIGN = re.compile("[\u0400-\u04ff\u0e01-\u0e4e\u3041-\u3096\u30a1-\u30fa\uac00-\ud7a3]")
_TESTS: tuple[tuple[Script, Callable[[str], bool], int], ...] = (
    (Script.HANGUL, hangul.is_hangul, 1),
    (Script.THAI, thai.is_thai, 1),
    (Script.CYRILLIC, cyrillic.is_cyrillic, 1),
    (Script.KANA, kana.is_kana, MIN_KANA),
)


def script_of(text: str) -> Script | None:
    """The script to romanise; None for Latin, Han and others."""
    if text.isascii() or not _FOREIGN.search(text):
        return None
    return next((script for script, belongs, least in _TESTS if sum(map(belongs, text)) >= least), None)


def in_script(character: str, script: Script) -> bool:
    """Whether a character belongs to a script."""
    return next(belongs for each, belongs, _ in _TESTS if each == script)(character)


def romanised(text: str, script: Script) -> tuple[str, ...]:
    """Spellings of a text, the published one first; other characters stay."""
    match script:
        case Script.HANGUL:
            return tuple(filter(None, (hangul.romanise(text), hangul.spelt_out(text))))
        case Script.KANA:
            return (kana.romanise(text),)
        case Script.CYRILLIC:
            return cyrillic.romanise(text)
        case Script.THAI:
            return (thai.romanise(text),)


_CUSTOMS: dict[Script, tuple[tuple[str, str], ...]] = {
    Script.HANGUL: (
        ("yeo|yu|you", "yo"), ("ae|ai|ay|oe|oi", "E"), ("oo|eu|ou", "u"), ("ee|wi|ui", "i"), ("eo|u", "o"), ("w", ""),
        ("ch", "j"), ("sh", "s"), ("ck|kk|gg|q", "k"), ("g(?!$)", "k"), ("d", "t"), ("b", "p"), ("r", "l"),
        ("h(?![aeiouy])", ""),
    ),
    Script.KANA: (
        ("r(?![aeiouy])", ""), ("oh(?![aeiou])|ou|oo", "o"), ("uu", "u"), ("m(?=[bp])", "n"), ("l", "r"), ("v", "b"),
    ),
    Script.CYRILLIC: (
        ("shch|sch", "sh"), ("x", "ks"), ("(?:iy|yy|ii|yi|ij)", "i"), ("[ij]e|ye", "e"), ("yo|io|jo", "e"),
        ("yu|iu|ju", "u"), ("ya|ia|ja", "a"), ("e[yij]", "e"), ("y", "i"), ("w", "v"),
    ),
    Script.THAI: (
        ("r(?![aeiouy])", ""), ("ph", "p"), ("th", "t"), ("kh", "k"), ("oo|ou", "u"), ("ee", "i"), ("aa", "a"),
        ("r", "l"), ("[vw]", "w"), ("j", "ch"),
    ),
}  # fmt: skip
_RULES = {
    script: tuple((re.compile(pattern), instead) for pattern, instead in rules) for script, rules in _CUSTOMS.items()
}
_DOUBLED = re.compile(r"(.)\1+")
_MERGED = str.maketrans({"r": "l", "f": "p", "m": "n", "w": None})
_CLUSTERS = re.compile("shch|sch")
_UNSOUNDED = re.compile("r(?![aeiouy])")


@lru_cache(maxsize=65_536)
def folded_sound(script: Script, letters: str) -> str:
    """Letters with customary spellings of a script taken for one."""
    for rule, instead in _RULES[script]:
        letters = rule.sub(instead, letters)
    return _DOUBLED.sub(r"\1", letters)


@lru_cache(maxsize=65_536)
def sound_code(letters: str) -> str:
    """Consonants that a romanisation and a customary spelling have in common; for keys of every script."""
    if "sch" in letters or "shch" in letters:
        letters = _CLUSTERS.sub("sh", letters)
    if "r" in letters:
        letters = _UNSOUNDED.sub("", letters)
    return _merged(phonetic_key(letters.replace("x", "ks") if "x" in letters else letters))


@lru_cache(maxsize=16_384)
def _merged(code: str) -> str:
    return _DOUBLED.sub(r"\1", code.removeprefix("a").translate(_MERGED))


@lru_cache(maxsize=16_384)
def sound_alike(script: Script, one: str, other: str) -> bool:
    """Whether a romanised text may be another's customary spelling."""
    code = sound_code(one)
    if not code or code != sound_code(other):
        return False
    mine, yours = folded_sound(script, one), folded_sound(script, other)
    return mine == yours or (len(code) >= MIN_CODE and Indel.normalized_similarity(mine, yours) >= MIN_ALIKE)
