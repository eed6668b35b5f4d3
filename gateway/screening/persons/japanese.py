"""Reads Japanese persons' names in kanji and kana, and compares them with Latin ones by the readings of characters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from gateway.screening.persons.reading import PersonVariant
from gateway.screening.result import Explanation, MatchClass, TokenMatch, Verdict, score_of, weigh
from gateway.screening.text.kana import is_kana
from gateway.screening.text.kanji import code, codes, folded, spells, surnames
from gateway.screening.text.normalisation import has_han, latin_letters, simplified

SURNAME_WEIGHT = 0.4
GIVEN_WEIGHT = 0.6
READ = 0.9
LONGEST, SHORTEST = 7, 3
"""Characters of a name."""
_USUAL = {3: (2, 1), 4: (2, 3), 5: (2, 3), 6: (3, 2), 7: (3,)}
"""Characters of the surname, by those of the name."""
KEY_LENGTH = 3
"""Consonants of a surname's key."""


def read_mixed(text: str) -> tuple[PersonVariant, ...]:
    """A variant of a name in kanji and kana: 山下てつお."""
    name = simplified("".join(c for c in text if has_han(c) or is_kana(c)))
    return (PersonVariant(name, name, (), ()),)


def may_be_japanese(person: PersonVariant) -> bool:
    """Of a name in Han: not if it is a Chinese surname with a given name, unless it begins with a Japanese surname."""
    if not person.han or not SHORTEST <= len(person.han) <= LONGEST:
        return False
    return not person.is_full or any(person.han[:length] in surnames() for length in (2, 3))


def compare_japanese(japanese: PersonVariant, latin: PersonVariant, swapped: bool) -> Verdict | None:
    """By surname and given name, in either order; `swapped`: the Latin name is the query. None if they differ."""
    if not _may_be_read(latin) or not may_be_japanese(japanese):
        return None
    split = next(_splits(japanese, latin), None)
    if split is None:
        return None
    raw = (("surname", SURNAME_WEIGHT, READ), ("given name", GIVEN_WEIGHT, READ))
    texts = (latin.text, japanese.text) if swapped else (japanese.text, latin.text)
    return Verdict(*texts, score_of(raw), MatchClass.COMPATIBLE, partial(_explain, split, swapped))


def _may_be_read(latin: PersonVariant) -> bool:
    """Of two words that aren't a Chinese name."""
    return len(latin.words) == 2 and latin.script is None and not latin.is_full


class _Split(NamedTuple):
    """Characters, and the Latin words that spell them."""

    surname: tuple[str, ...]
    spelt: str
    given: tuple[str, ...]
    given_spelt: str


def _splits(japanese: PersonVariant, latin: PersonVariant) -> Iterator[_Split]:
    one, other = map(latin_letters, latin.words)
    for surname, given in parts(japanese):
        for front, back in ((one, other), (other, one)):
            begins = code(folded(front))[:KEY_LENGTH] in surname_codes(surname)
            if begins and spells(surname, front) and spells(given, back):
                yield _Split(surname, front, given, back)


def parts(japanese: PersonVariant) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Ways to part a name: behind a listed surname, else as most names are; a surname mostly has two characters."""
    characters, known = tuple(japanese.han), surnames()
    lengths = [n for n in (3, 2) if n < len(characters) and japanese.han[:n] in known]
    for length in lengths or _USUAL[len(characters)]:
        yield characters[:length], characters[length:]


def surname_codes(characters: tuple[str, ...]) -> frozenset[str]:
    """First consonants of the surname as it may be read."""
    return codes(characters, KEY_LENGTH)


def japanese_keys(person: PersonVariant) -> set[str]:
    """What `compare_japanese` needs to have in common: of a Japanese name, or of a Latin one of two words."""
    if person.han:
        if not may_be_japanese(person):
            return set()
        return {key for surname, _ in parts(person) for key in surname_codes(surname)}
    if not _may_be_read(person):
        return set()
    return {code(folded(latin_letters(word)))[:KEY_LENGTH] for word in person.words} - {""}


def _explain(split: _Split, swapped: bool) -> Explanation:
    raw = (("surname", SURNAME_WEIGHT, READ), ("given name", GIVEN_WEIGHT, READ))
    pairs = (("".join(split.surname), split.spelt), ("".join(split.given), split.given_spelt))
    tokens = [TokenMatch(*((b, a) if swapped else (a, b)), f"Japanese reading of {a}", READ) for a, b in pairs]
    return Explanation("several Japanese names are read so", weigh(raw), tuple(tokens))
