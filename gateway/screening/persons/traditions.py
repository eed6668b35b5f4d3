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
from typing import NamedTuple

from gateway.screening.persons.cultures import is_vietnamese
from gateway.screening.persons.reading import PersonVariant
from gateway.screening.result import Explanation, MatchClass, TokenMatch, Verdict, score_of, weigh
from gateway.screening.text import hangul
from gateway.screening.text.scripts import Script, sound_alike

SURNAME_WEIGHT = 0.4
GIVEN_WEIGHT = 0.6
READ = 0.9
SHORTEST, LONGEST = 2, 4
"""Characters of a name; two are read so in too many ways."""
MAX_WORDS = 5
MAX_SYLLABLE = 5
"""Letters of a syllable; more are two, joined."""


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
            raw = (("surname", SURNAME_WEIGHT, READ), ("given name", GIVEN_WEIGHT, READ))
            texts = (latin.text, han.text) if swapped else (han.text, latin.text)
            explain = partial(_explain, part, han.han, *found, swapped)
            return Verdict(*texts, score_of(raw), MatchClass.COMPATIBLE, explain)
    return None


def _split(part: _Part, latin: PersonVariant) -> tuple[str, str] | None:
    """Surname and joined given name of a Latin name, or of one in Hangul, that a Han name is read as."""
    is_korean, words = part.tradition == Tradition.KOREAN, latin.words
    if latin.script is not None and not is_korean:
        return None
    if part.tradition == Tradition.VIETNAMESE and not all(map(is_vietnamese, words)):
        return None
    if part.tradition == Tradition.HOKKIEN and not _is_apart(words):
        return None
    if words[0] in part.spelt and _is_given(part, given := "".join(words[1:])):
        return words[0], given
    is_behind = is_korean and latin.script is None and words[-1] in part.spelt
    return (words[-1], given) if is_behind and _is_given(part, given := "".join(words[:-1])) else None


def _is_apart(words: tuple[str, ...]) -> bool:
    """Whether the syllables of a given name are written apart, as Hokkien names have them."""
    return len(words) > 2 or len(words[-1]) <= MAX_SYLLABLE


def _is_given(part: _Part, letters: str) -> bool:
    if part.tradition != Tradition.KOREAN:
        return _spells(part.given, letters)
    return _spells(part.given, letters) or any(
        sound_alike(Script.HANGUL, spelt, letters) for spelt in _joined(part.given)
    )


def _joined(given: tuple[tuple[str, ...], ...]) -> list[str]:
    spelt = [""]
    for options in given:
        spelt = [before + option for before in spelt for option in options]
    return spelt


def _spells(given: tuple[tuple[str, ...], ...], letters: str) -> bool:
    reached = {0}
    for options in given:
        reached = {at + len(option) for at in reached for option in options if letters.startswith(option, at)}
    return len(letters) in reached


_ONSETS = {
    ord(letter): to
    for letters, to in (
        ("cjzsx", "s"), ("kgqh", "k"), ("pbfm", "p"), ("td", "t"), ("lrn", "l"), ("aeiouywv", "a"),
    )
    for letter in letters
}  # fmt: skip
_CODAS = {ord(letter): to for letters, to in (("nmg", "n"), ("kctdp", "k"), ("aeiouhwyrl", "a")) for letter in letters}


def tradition_keys(person: PersonVariant) -> set[str]:
    """What `compare_traditions` needs to have in common: surname, first and last sound of the given name."""
    if person.han:
        return {
            f"{part.tradition}.{part.surname}.{first[0].translate(_ONSETS)}{last[-1].translate(_CODAS)}"
            for part in _read(person.han)
            if part.given
            for first in part.given[0]
            for last in part.given[-1]
        }
    if person.script not in (None, Script.HANGUL) or not 1 < len(person.words) <= MAX_WORDS:
        return set()
    first, *others = person.words
    found = _latin_keys(first, "".join(others), is_hokkien=person.script is None and _is_apart(person.words))
    if person.script is None:
        if first in _VIETNAMESE_SURNAMES and all(map(is_vietnamese, others)):
            found.append(f"{Tradition.VIETNAMESE}.{first}.{_sound(''.join(others))}")
        *others, last = person.words
        found += _latin_keys(last, "".join(others), is_hokkien=False)
    return set(found)


def _latin_keys(surname: str, given: str, *, is_hokkien: bool) -> list[str]:
    found = [f"{Tradition.KOREAN}.{name}" for name in hangul.SURNAMES_SPELT.get(surname, ())]
    if is_hokkien:
        found += [f"{Tradition.HOKKIEN}.{han}" for han in _HOKKIEN_SURNAMES.get(surname, ())]
    return [f"{key}.{_sound(given)}" for key in found]


def _sound(given: str) -> str:
    return given[0].translate(_ONSETS) + given[-1].translate(_CODAS)


def _explain(part: _Part, han: str, surname: str, given: str, swapped: bool) -> Explanation:
    raw = (("surname", SURNAME_WEIGHT, READ), ("given name", GIVEN_WEIGHT, READ))
    pairs = ((han[0], surname), (han[1:], given))
    tokens = [TokenMatch(*((b, a) if swapped else (a, b)), f"{part.tradition} reading of {a}", READ) for a, b in pairs]
    return Explanation(f"several Han names are read so in {part.tradition}", weigh(raw), tuple(tokens))
