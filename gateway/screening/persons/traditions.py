"""Compares Han names with Latin ones by readings other than Chinese: Hokkien and Teochew, Korean, Vietnamese.

A whole name is read in one tradition, `dialect_readings.csv`: 林志強 is Lim Chee Keong in Malaysia, 金英洙 Kim Yong-su,
黎明俊 Lê Minh Tuấn. The surname is written as its bearers do, in front, a Korean
one also behind.
"""

from __future__ import annotations

import csv
from enum import StrEnum
from functools import lru_cache, partial
from importlib import resources
from itertools import product
from typing import NamedTuple

from gateway.screening.persons.cultures import is_vietnamese
from gateway.screening.persons.reading import PersonVariant
from gateway.screening.result import Explanation, MatchClass, TokenMatch, Verdict, score_of, weigh
from gateway.screening.text import hangul
from gateway.screening.text.scripts import Script, sound_alike

SURNAME_WEIGHT = 0.4
GIVEN_WEIGHT = 0.6
READ = 0.9
_RAW = (("surname", SURNAME_WEIGHT, READ), ("given name", GIVEN_WEIGHT, READ))
SHORTEST, LONGEST = 2, 4
"""Characters of a name."""
MAX_WORDS = 5


class Tradition(StrEnum):
    """How characters are read."""

    HOKKIEN = "Hokkien or Teochew"
    KOREAN = "Korean"
    VIETNAMESE = "Vietnamese"


class _Readings(NamedTuple):
    """Of a character: spellings as a surname and in a given name; Korean ones in Hangul."""

    surname: tuple[str, ...]
    hokkien: tuple[str, ...]
    korean: tuple[str, ...]
    vietnamese: tuple[str, ...]


def _load() -> dict[str, _Readings]:
    text = resources.files("gateway.reference").joinpath("dialect_readings.csv").read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()[1:])
    return {
        character: _Readings(*[tuple(filter(None, cell.split("/"))) for cell in cells]) for character, *cells in rows
    }


_READINGS = _load()
_HOKKIEN_SURNAMES: dict[str, list[str]] = {}
for _character, _found in _READINGS.items():
    for _spelling in _found.surname:
        _HOKKIEN_SURNAMES.setdefault(_spelling, []).append(_character)


_VIETNAMESE_SURNAMES = frozenset([spelt for found in _READINGS.values() for spelt in found.vietnamese])


class _Part(NamedTuple):
    """A Han name in a tradition: the surname's key and spellings, and readings of each character of the given name."""

    tradition: Tradition
    surname: str
    spelt: tuple[str, ...]
    given: tuple[tuple[str, ...], ...]


@lru_cache(maxsize=16_384)
def _read(han: str) -> tuple[_Part, ...]:
    if not SHORTEST <= len(han) <= LONGEST or any(character not in _READINGS for character in han):
        return ()
    first, *rest = [_READINGS[character] for character in han]
    found = list[_Part]()
    if first.surname and all(each.hokkien for each in rest):
        found.append(_Part(Tradition.HOKKIEN, han[0], first.surname, tuple([each.hokkien for each in rest])))
    if all(each.korean for each in rest):
        given = tuple([tuple(map(hangul.romanise, each.korean)) for each in rest])
        for syllable in first.korean:
            if spelt := hangul.surname_spellings(syllable):
                found.append(_Part(Tradition.KOREAN, spelt[0], spelt, given))
    if all(each.vietnamese for each in rest):
        given = tuple([each.vietnamese for each in rest])
        found += [_Part(Tradition.VIETNAMESE, surname, (surname,), given) for surname in first.vietnamese]
    return tuple(found)


def compare_traditions(han: PersonVariant, latin: PersonVariant, swapped: bool) -> Verdict | None:
    """`latin` may be romanised from Hangul; `swapped`: it is the query. None if no tradition reads the name so."""
    if latin.script not in (None, Script.HANGUL):
        return None
    for part in _read(han.han) if 1 < len(latin.words) <= MAX_WORDS else ():
        if (found := _split(part, latin)) is not None:
            texts = (latin.text, han.text) if swapped else (han.text, latin.text)
            explain = partial(_explain, part, han.han, *found, swapped)
            return Verdict(*texts, score_of(_RAW), MatchClass.COMPATIBLE, explain)
    return None


def _split(part: _Part, latin: PersonVariant) -> tuple[str, str] | None:
    """Surname and joined given name of a Latin name, or of one in Hangul, that a Han name is read as.

    A Korean given name may be joined, and its surname behind; in other traditions each word is a character.
    """
    words = latin.words
    if part.tradition != Tradition.KOREAN:
        pairs = zip(words[1:], part.given, strict=False)
        is_read = latin.script is None and words[0] in part.spelt and len(words) == len(part.given) + 1
        is_read = is_read and (part.tradition != Tradition.VIETNAMESE or all(map(is_vietnamese, words)))
        return (words[0], "".join(words[1:])) if is_read and all(word in read for word, read in pairs) else None
    if words[0] in part.spelt and _is_korean(part, given := "".join(words[1:])):
        return words[0], given
    is_behind = latin.script is None and len(words) > 2 and words[-1] in part.spelt
    return (words[-1], given) if is_behind and _is_korean(part, given := "".join(words[:-1])) else None


def _is_korean(part: _Part, letters: str) -> bool:
    return any(spelt == letters or sound_alike(Script.HANGUL, spelt, letters) for spelt in _joined(part.given))


def _joined(given: tuple[tuple[str, ...], ...]) -> list[str]:
    spelt = [""]
    for options in given:
        spelt = [before + option for before in spelt for option in options]
    return spelt


_ONSETS = {
    ord(letter): to
    for letters, to in (
        ("cjz", "c"), ("sx", "s"), ("kgqhf", "k"), ("pbm", "p"), ("td", "t"), ("lrn", "l"), ("aeiouywv", "a"),
    )
    for letter in letters
}  # fmt: skip
_CODAS = {
    ord(letter): to
    for letters, to in (("ng", "n"), ("m", "m"), ("kc", "k"), ("td", "t"), ("p", "p"), ("l", "l"), ("aeiouhwyr", "a"))
    for letter in letters
}


def tradition_keys(person: PersonVariant) -> set[str]:
    """What `compare_traditions` needs to have in common: a surname and sounds of the given name."""
    if person.han:
        return {f"{part.tradition}.{part.surname}.{sounds}" for part in _read(person.han) for sounds in _sounds(part)}
    words = person.words
    if person.script not in (None, Script.HANGUL) or not 1 < len(words) <= MAX_WORDS:
        return set()
    found = _korean_keys(words[0], words[1][0], words[-1][-1])
    if person.script is None:
        if len(words) > 2:
            found |= _korean_keys(words[-1], words[0][0], words[-2][-1])
        if len(words) <= LONGEST:
            sounds = "".join([word[0].translate(_ONSETS) for word in words[1:]])
            found.update([f"{Tradition.HOKKIEN}.{han}.{sounds}" for han in _HOKKIEN_SURNAMES.get(words[0], ())])
            if words[0] in _VIETNAMESE_SURNAMES and all(map(is_vietnamese, words)):
                found.add(f"{Tradition.VIETNAMESE}.{words[0]}.{sounds}")
    return found


def _korean_keys(surname: str, first: str, last: str) -> set[str]:
    sounds = first.translate(_ONSETS) + last.translate(_CODAS)
    return {f"{Tradition.KOREAN}.{name}.{sounds}" for name in hangul.SURNAMES_SPELT.get(surname, ())}


def _sounds(part: _Part) -> set[str]:
    """First sounds of all syllables; in Korean, where they may be joined, the first and the last sound."""
    sounds = [{spelt[0].translate(_ONSETS) for spelt in read} for read in part.given]
    if part.tradition == Tradition.KOREAN:
        sounds = [sounds[0], {spelt[-1].translate(_CODAS) for spelt in part.given[-1]}]
    return set(map("".join, product(*sounds)))


def _explain(part: _Part, han: str, surname: str, given: str, swapped: bool) -> Explanation:
    pairs = ((han[0], surname), (han[1:], given))
    tokens = [TokenMatch(*((b, a) if swapped else (a, b)), f"{part.tradition} reading of {a}", READ) for a, b in pairs]
    return Explanation(f"several Han names are read so in {part.tradition}", weigh(_RAW), tuple(tokens))
