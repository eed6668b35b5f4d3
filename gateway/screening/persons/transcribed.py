"""Compares names of people who aren't Han, transcribed in Han, with Latin ones: 艾尔肯·图尔逊, Erkin Tursun.

A transcription is cut into two names. One is known (`person_names.csv`); the other too, or its characters in pinyin
have the consonants of the Latin word: 安德烈·索科洛夫, Andrei Sokolov.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import NamedTuple

from gateway.screening.persons.cultures import HAN_NAMES, name_of
from gateway.screening.persons.reading import PersonVariant
from gateway.screening.persons.words import units_of
from gateway.screening.result import Explanation, MatchClass, RawPart, TokenMatch, Verdict, score_of, weigh
from gateway.screening.text.phonetic_key import phonetic_key
from gateway.screening.text.scripts import Script
from gateway.screening.text.sounds import mandarin

KNOWN, TRANSCRIBED = 0.95, 0.85
SHORTEST = 4
"""Characters of a transcribed name."""
MIN_CODE = 3
"""Consonants by which an unknown name is recognised."""
_MERGED = str.maketrans({"r": "l", "f": "p", "w": "p", "m": "n", "c": "s"})
_DOUBLED = re.compile(r"(.)\1+")


@lru_cache(maxsize=65_536)
def _code(word: str) -> str:
    """Consonants that Chinese syllables keep."""
    return _DOUBLED.sub(r"\1", phonetic_key(word).removeprefix("a").translate(_MERGED))


class _Name(NamedTuple):
    """A part of a transcription: Latin names that it writes, or none, and the codes of its consonants."""

    han: str
    names: tuple[str, ...]
    codes: tuple[str, ...]


@lru_cache(maxsize=16_384)
def _parts(han: str) -> tuple[tuple[_Name, _Name], ...]:
    if len(han) < SHORTEST:
        return ()
    cuts = [(_name(han[:at]), _name(han[at:])) for at in range(1, len(han))]
    return tuple((one, other) for one, other in cuts if one and other and (one.names or other.names))


def _name(han: str) -> _Name | None:
    if (names := HAN_NAMES.get(han)) is not None:
        return _Name(han, names, tuple(dict.fromkeys(map(_code, names))))
    if len(han) < MIN_CODE:
        return None
    code = _code("".join([(mandarin(character) or ("",))[0] for character in han]))
    return _Name(han, (), (code,)) if len(code) >= MIN_CODE else None


def compare_transcribed(han: PersonVariant, latin: PersonVariant, swapped: bool) -> Verdict | None:
    """`swapped`: the Latin name is the query. None if the names differ."""
    words = _words(latin)
    for parts in _parts(han.han) if words else ():
        for order in (words, words[::-1]):
            values = [_agreement(part, word) for part, word in zip(parts, order, strict=True)]
            if all(values):
                raw = (("first name", 0.5, values[0]), ("second name", 0.5, values[1]))
                texts = (latin.text, han.text) if swapped else (han.text, latin.text)
                explain = partial(_explain, parts, order, raw, swapped)
                return Verdict(*texts, score_of(raw), MatchClass.COMPATIBLE, explain)
    return None


def _words(latin: PersonVariant) -> tuple[str, ...]:
    """Both units of a Latin name, or of one in Cyrillic; empty for another number of them, and for a Chinese name."""
    if latin.script not in (None, Script.CYRILLIC) or latin.is_full:
        return ()
    units = units_of(latin.words).units
    return units if len(units) == 2 else ()


def _agreement(part: _Name, word: str) -> float:
    if part.names:
        return KNOWN if (name_of(word) or word) in part.names else 0.0
    return TRANSCRIBED if _code(word) in part.codes else 0.0


def transcription_keys(person: PersonVariant) -> set[str]:
    """What `compare_transcribed` needs to have in common."""
    if person.han:
        return {_key(mine, yours) for one, other in _parts(person.han) for mine in one.codes for yours in other.codes}
    words = _words(person)
    return {_key(*(_code(name_of(word) or word) for word in words))} if words else set()


def _key(one: str, other: str) -> str:
    return f"{one}+{other}" if one < other else f"{other}+{one}"


def _explain(
    parts: tuple[_Name, _Name], words: tuple[str, ...], raw: tuple[RawPart, RawPart], swapped: bool
) -> Explanation:
    tokens = [
        TokenMatch(
            *((word, part.han) if swapped else (part.han, word)),
            "transcription of a known name" if part.names else "same consonants as in pinyin",
            value,
        )
        for part, word, (_, _, value) in zip(parts, words, raw, strict=True)
    ]
    return Explanation("several names are transcribed so", weigh(raw), tuple(tokens))
