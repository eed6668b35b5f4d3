"""Reads kanji as Japanese names do: each character in one of its readings, with the changes of sound inside a word.

Source of the readings: KANJIDIC2 (`kanji_readings.csv`); of surnames that no reading of their characters gives, or
that look Chinese: `japanese_surnames.csv`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib import resources

import opencc
from rapidfuzz.distance import Indel

from gateway.screening.text.kana import is_kana, romanise
from gateway.screening.text.normalisation import has_han, simplified

MAX_CHARACTERS = 10
"""Longer names aren't read: they are sentences, or many words."""
MAX_CODES = 256
"""Beginnings of a name that are kept; a name of four characters has some dozens."""

_Spellings = tuple[tuple[str, re.Pattern[str], str], ...]
"""Replacements in order: letters without which none is due, pattern, and what takes its place."""


def _spellings(*rules: tuple[str, str, str]) -> _Spellings:
    return tuple((needed, re.compile(pattern), instead) for needed, pattern, instead in rules)


_FOLDS = _spellings(
    ("l", "l", "r"), ("tch", "tch", "ch"), ("sy", "sy", "sh"), ("ty", "ty", "ch"), ("y", "[zj]y", "j"),
    ("si", "si", "shi"), ("ti", "ti", "chi"), ("zi", "zi", "ji"), ("tu", "tu", "tsu"), ("hu", "(?<![sc])hu", "fu"),
    ("d", "dz?u", "zu"), ("oh", "oh(?![aeiouy])", "o"), ("ou", "ou", "o"), ("m", "m(?=[bp])", "n"),
    ("", r"(.)\1+", r"\1"),
)  # fmt: skip
"""Customs of spelling: long vowels, Kunrei, doubled letters."""
_VOICED = (("ch", "j"), ("sh", "j"), ("ts", "z"), ("k", "g"), ("s", "z"), ("t", "d"), ("h", "b"), ("f", "b"))
_PLOSIVE = (("h", "p"), ("f", "p"))
_CLIPPED = ("tsu", "chi", "ku", "ki")
"""Endings that become a doubled consonant before another character: 一 + 生, issei."""
_LINKS = ("", "no")
"""What stands unwritten between two characters: 木下, Kinoshita."""
_SOUNDS = {"k": "kgqc", "s": "szj", "t": "td", "n": "nm", "h": "hfbpv", "r": "rl"}


class _Coded(dict[int, str | None]):
    """Drops letters that have no class."""

    def __missing__(self, letter: int) -> None:
        return None


_CODED = _Coded({ord(letter): sound for sound, letters in _SOUNDS.items() for letter in letters})
_SIBILANTS = re.compile("ch|sh|ts")
_REPEATED = re.compile(r"(.)\1+")


def _rows(name: str) -> Iterable[dict[str, str]]:
    text = resources.files("gateway.reference").joinpath(name).read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())


@cache
def _readings(of_persons: bool) -> dict[str, tuple[str, ...]]:
    """By canonical character, and by that of its form before 1946: 浜 and 濱.

    Persons' names have readings of their own.
    """
    found: dict[str, tuple[str, ...]] = {}
    columns = ("on", "kun", "names") if of_persons else ("on", "kun")
    for row in _rows("kanji_readings.csv"):
        kinds = [reading for kind in columns for reading in row[kind].split("/") if reading]
        for canonical in {simplified(row["character"]), chinese_form(row["character"])}:
            found[canonical] = tuple(dict.fromkeys((*found.get(canonical, ()), *kinds)))
    return found


_OLD_FORMS = opencc.OpenCC("jp2t")


def chinese_form(text: str) -> str:
    """Canonical form of a text in kanji: 薬 as 药."""
    return simplified(_OLD_FORMS.convert(text))


@cache
def surnames() -> dict[str, tuple[str, ...]]:
    """Spellings by canonical surname."""
    return {simplified(row["surname"]): tuple(row["readings"].split("/")) for row in _rows("japanese_surnames.csv")}


@lru_cache(maxsize=65_536)
def folded(letters: str) -> str:
    """Letters with customs of spelling Japanese taken for one: Ohno, Oono and Ono."""
    return _spelt(letters, _FOLDS)


def _spelt(letters: str, spellings: _Spellings) -> str:
    for needed, pattern, instead in spellings:
        if needed in letters:  # most aren't there, and looking for a pattern takes ten times as long
            letters = pattern.sub(instead, letters)
    return letters


@lru_cache(maxsize=65_536)
def code(letters: str) -> str:
    """Consonants of folded letters by kind, each once in a row, `a` for a vowel at the beginning."""
    coded = _SIBILANTS.sub("s", letters).translate(_CODED)
    return ("a" if letters[:1] in "aeiouyw" else "") + _REPEATED.sub(r"\1", coded)


_LOANS = _spellings(
    ("ion", "tion|sion", "shon"), ("ph", "ph", "f"), ("th", "th", "s"), ("qu", "qu", "kw"),
    ("", "q|ck|c(?![eiyh])", "k"), ("c", "c(?=[eiy])", "s"), ("x", "x", "ks"), ("v", "v", "b"),
    ("y", "(?<=[bcdfghjklmnpqrstvwxz])y(?![aeiou])", "ai"), ("r", "r(?![aeiouy])", ""), ("w", "w(?![aeiou])", ""),
)  # fmt: skip
"""English spellings as kana, Hangul and Thai write them."""
_EPENTHETIC = re.compile("eu")
"""The vowel that Hangul writes between English consonants: 스카이, seukai."""
MIN_LOAN = 3
"""Fewer consonants agree by chance."""
MIN_LOAN_ALIKE = 0.75


@lru_cache(maxsize=65_536)
def loans(letters: str) -> tuple[str, ...]:
    """Folded letters of a Latin word, as romanised Japanese and as an English word in kana: techno, tekuno."""
    spelt = [letters]
    for hard in ("k", "ch") if "ch" in letters else ("ch",):
        spelt.append(_spelt(letters.replace("ch", hard), _LOANS))
    return tuple(dict.fromkeys(map(folded, spelt)))


def latin_codes(letters: str, length: int) -> frozenset[str]:
    """First consonants of `loans`."""
    return frozenset(code(text)[:length] for text in loans(letters)) - {""}


@lru_cache(maxsize=16_384)
def is_loan(romanised: str, letters: str) -> bool:
    """Whether romanised kana write a Latin word by its sound: tekunopuro, TechnoPro."""
    mine = folded(_EPENTHETIC.sub("", romanised))
    coded = code(mine)
    return len(coded) >= MIN_LOAN and any(
        coded == code(text) and Indel.normalized_similarity(mine, text) >= MIN_LOAN_ALIKE for text in loans(letters)
    )


@lru_cache(maxsize=65_536)
def _spoken(unit: str, is_first: bool, is_last: bool, of_persons: bool) -> tuple[str, ...]:
    """Spellings of a character, of kana or of a Latin word within a name."""
    if not has_han(unit):
        return (romanise(unit) if all(map(is_kana, unit)) else unit,)
    found = dict.fromkeys(_readings(of_persons).get(unit, ()))
    for reading in tuple(found):
        if not is_last:
            found |= {reading[: -len(e)]: None for e in _CLIPPED if reading.endswith(e) and len(reading) > len(e)}
    if not is_first:
        changes = (*_VOICED, *_PLOSIVE)
        found |= {b + r[len(a) :]: None for r in tuple(found) for a, b in changes if r.startswith(a)}
    return tuple(found)


def _units(characters: Sequence[str]) -> list[str]:
    """々 as the character before it."""
    units: list[str] = []
    for character in characters:
        units.append(units[-1] if character == "々" and units else character)
    return units


_UNITS = re.compile("[a-z0-9]+|.")


@lru_cache(maxsize=16_384)
def units_of(text: str) -> tuple[str, ...]:
    """Characters, and runs of Latin letters."""
    return tuple(_UNITS.findall(text))


@lru_cache(maxsize=16_384)
def spells(characters: tuple[str, ...], letters: str, of_persons: bool = True) -> bool:
    """Whether the characters may be read so."""
    if not characters or len(characters) > MAX_CHARACTERS:
        return False
    sought = folded(letters)
    if sought in map(folded, surnames().get("".join(characters), ())):
        return True
    begun = {""}
    units = _units(characters)
    for at, unit in enumerate(units):
        links = _LINKS if of_persons and at and has_han(unit) else ("",)
        spoken = _spoken(unit, at == 0, at == len(units) - 1, of_persons)
        longer = {before + link + spelt for before in begun for link in links for spelt in spoken}
        begun = {text for text in longer if sought.startswith(folded(text)[:-1])}
        if not begun:
            return False
    return any(folded(text) == sought for text in begun)


@lru_cache(maxsize=2_048)
def codes(characters: tuple[str, ...], length: int, of_persons: bool = True) -> frozenset[str]:
    """First consonants of all ways to read the characters, as `code` has them."""
    found = {code(folded(known))[:length] for known in surnames().get("".join(characters), ())}
    begun = {""}
    units = _units(characters[:MAX_CHARACTERS])
    for at, unit in enumerate(units):
        spoken = {code(folded(spelt)) for spelt in _spoken(unit, at == 0, at == len(units) - 1, of_persons)}
        links = ("", "n") if of_persons and at and has_han(unit) else ("",)
        begun = {_joined(before, link, after)[:length] for before in begun for link in links for after in spoken}
        if len(begun) > MAX_CODES:
            return frozenset()
    return frozenset(found | begun - {""})


def _joined(before: str, link: str, after: str) -> str:
    """A vowel within a word has no consonant."""
    text = before + link
    return _REPEATED.sub(r"\1", text + (after.removeprefix("a") if text else after))
