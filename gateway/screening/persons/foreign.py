"""Reads persons' names in Hangul, kana, Cyrillic and Thai, and compares them with Latin ones by sound."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from gateway.screening.persons.reading import MAX_WORDS, PersonVariant
from gateway.screening.result import Explanation, MatchClass, TokenMatch, Verdict, score_of, weigh
from gateway.screening.text import hangul
from gateway.screening.text.normalisation import words
from gateway.screening.text.scripts import Script, romanised, sound_alike, sound_code

SURNAME_WEIGHT = 0.4
GIVEN_WEIGHT = 0.6
CUSTOMARY = 0.9
"""Agreement of a romanisation with another spelling of the sound."""
_PARTS = 2
"""Surname and given name."""


def read_foreign_person(text: str, script: Script) -> tuple[PersonVariant, ...]:
    """A variant for each spelling of a name; a Hangul surname has those that bearers use."""
    if script == Script.HANGUL and (named := hangul.person(text)) is not None:
        surnames, given = named
        return (PersonVariant(f"{surnames[0]} {given}", "", (surnames[0], given), (), script, surnames),)
    found = [words(spelt)[:MAX_WORDS] for spelt in romanised(text, script)]
    return tuple(PersonVariant(" ".join(each), "", each, (), script) for each in dict.fromkeys(found) if each)


class _Split(NamedTuple):
    """Which words of a Latin name stand for the two parts of the other."""

    surname: str
    spelt: str
    given: str


def compare_foreign(foreign: PersonVariant, latin: PersonVariant, swapped: bool) -> Verdict | None:
    """By surname and given name, in either order; `swapped`: the Latin name is the query. None if they differ."""
    script = foreign.script
    if script is None or len(foreign.words) != _PARTS:
        return None
    split = next((each for each in _splits(foreign, latin) if _agree(script, foreign, each)), None)
    if split is None:
        return None
    exact = split.spelt == split.surname and split.given == foreign.words[1]
    value = 1.0 if exact else CUSTOMARY
    raw = (("surname", SURNAME_WEIGHT, value), ("given name", GIVEN_WEIGHT, value))
    texts = (latin.text, foreign.text) if swapped else (foreign.text, latin.text)
    explain = partial(_explain, script, foreign.words[1], split, value, swapped)
    return Verdict(*texts, score_of(raw), MatchClass.COMPATIBLE, explain)


def _splits(foreign: PersonVariant, latin: PersonVariant) -> list[_Split]:
    found, code = [], name_code(latin.words)
    for cut in range(1, len(latin.words)):
        front, back = "".join(latin.words[:cut]), "".join(latin.words[cut:])
        for surname in foreign.surnames or foreign.words[:1]:
            if code == name_code((surname, foreign.words[1])):
                found += [_Split(surname, front, back), _Split(surname, back, front)]
    return found


def _agree(script: Script, foreign: PersonVariant, split: _Split) -> bool:
    """A surname of a list in that spelling alone; other words by sound."""
    given = foreign.words[1]
    if foreign.surnames:
        if split.surname != split.spelt:
            return False
    elif split.surname != split.spelt and not sound_alike(script, split.surname, split.spelt):
        return False
    return given == split.given or sound_alike(script, given, split.given)


def name_code(parts: tuple[str, ...]) -> str:
    """Consonants of a name in alphabetical order, each once: equal however its parts are ordered and spelt."""
    return "".join(sorted({consonant for part in parts for consonant in sound_code(part)}))


def _explain(script: Script, given: str, split: _Split, value: float, swapped: bool) -> Explanation:
    raw = (("surname", SURNAME_WEIGHT, value), ("given name", GIVEN_WEIGHT, value))
    pairs = [(split.surname, split.spelt), (given, split.given)]
    tokens = [
        TokenMatch(
            *((b, a) if swapped else (a, b)), f"one sound in {script}" if a != b else f"romanised from {script}", value
        )
        for a, b in pairs
    ]
    return Explanation("several names are romanised so", weigh(raw), tuple(tokens))
