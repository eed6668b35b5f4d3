"""Knows the words of organisations' names in Han, English and Portuguese: legal forms, places, lines of business."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache
from importlib import resources
from typing import Generic, TypeVar

from gateway.screening.text.normalisation import simplified, words
from gateway.screening.text.sounds import mandarin, splits
from gateway.screening.text.spelling import is_slip

T = TypeVar("T")

NOISE = frozenset(
    {
        "of",
        "and",
        "the",
        "de",
        "da",
        "do",
        "dos",
        "das",
        "e",
        "for",
        "y",
        "du",
        "la",
        "le",
        "les",
        "d",
        "em",
        "no",
        "na",
    }
    | {"al", "el", "los", "las", "del", "va"}
)
"""English or Portuguese words without meaning; some are syllables too (Hong Da)."""

_PLURALS = (("ies", "y"), ("oes", "ao"), ("s", ""))


class Weight(IntEnum):
    """How a word identifies a party.

    `NONE`: not at all (集团, Holdings). `WEAK`: little (贸易, Technology). `ACTIVITY`: the line of business, which
    separates sister companies (银行, Properties). `NAME`: a translated word of the name proper (银河, Galaxy).
    """

    NONE = 0
    WEAK = 1
    ACTIVITY = 2
    NAME = 3


@dataclass(frozen=True, slots=True)
class VocabularyTerm:
    """Meanings of a word, and their lowest weight; `may_be_name`: it has a meaning of weight `NAME` besides (环球)."""

    concepts: frozenset[str]
    weight: Weight
    may_be_name: bool = False


class Phrases(Generic[T]):
    """Word sequences by content; those of single characters also as parts of a text."""

    def __init__(self, table: Mapping[tuple[str, ...], T]) -> None:
        self._table: dict[tuple[str, ...] | str, T] = {}
        for phrase, value in table.items():
            self._table[phrase] = value
            if _is_characters(phrase):
                self._table["".join(phrase)] = value
        self._beginning = _lengths(table, 0)
        self._closing = _lengths(table, -1)

    def exactly(self, phrase: tuple[str, ...] | str) -> T | None:
        """Value of a phrase; of single characters also as text."""
        return self._table.get(phrase)

    def words(self) -> Iterator[tuple[str, ...]]:
        """Every phrase as its tokens."""
        return (phrase for phrase in self._table if isinstance(phrase, tuple))

    def at(self, tokens: Sequence[str], start: int) -> tuple[int, T] | None:
        """End and value of the longest phrase that begins at `start`."""
        left = len(tokens) - start
        for length in self._beginning.get(tokens[start], ()) if left > 0 else ():
            if length <= left:
                phrase = tokens[start : start + length]
                found = self._table.get(phrase if isinstance(phrase, str) else tuple(phrase))
                if found is not None:
                    return start + length, found
        return None

    def ending(self, tokens: Sequence[str], end: int = -1) -> tuple[int, T] | None:
        """Start and value of the longest phrase that ends at `end` (-1: at the last token)."""
        end = len(tokens) if end < 0 else end
        for length in self._closing.get(tokens[end - 1], ()) if end else ():
            if length <= end:
                phrase = tokens[end - length : end]
                found = self._table.get(phrase if isinstance(phrase, str) else tuple(phrase))
                if found is not None:
                    return end - length, found
        return None


def _is_characters(phrase: tuple[str, ...]) -> bool:
    return all(len(token) == 1 for token in phrase)


def _lengths(table: Iterable[tuple[str, ...]], place: int) -> dict[str, tuple[int, ...]]:
    """Longest first, by first or last token."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for phrase in table:
        found[phrase[place]].add(len(phrase))
    return {token: tuple(sorted(lengths, reverse=True)) for token, lengths in found.items()}


@lru_cache(maxsize=65_536)
def folded(word: str) -> str:
    """A word without its plural ending: águas and água are one."""
    if len(word) < 4 or word.endswith("ss"):
        return word
    ending, instead = next((pair for pair in _PLURALS if word.endswith(pair[0])), ("", ""))
    return word[: len(word) - len(ending)] + instead


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files("gateway.reference").joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


def _han(cell: str) -> list[tuple[str, ...]]:
    return [tuple(simplified(writing)) for writing in cell.split("|") if writing]


def _spelt(cell: str) -> list[tuple[str, ...]]:
    """Words without small ones, unless nothing would be left."""
    phrases = [words(writing) for writing in cell.split("|") if writing]
    return [tuple(w for w in phrase if w not in NOISE) or phrase for phrase in phrases]


def _latin(cell: str) -> list[tuple[str, ...]]:
    """As `_spelt`, without plural endings."""
    return [tuple(folded(word) for word in phrase) for phrase in _spelt(cell)]


def _in_pinyin(writing: tuple[str, ...]) -> list[tuple[str, ...]]:
    """(maoyi,) and (mao, yi); of three and more characters also in two words, (xin, cailiao) and (xiyou, jinshu).

    Ü is u or v.
    """
    typed = tuple((mandarin(character) or ("",))[0] for character in writing)
    syllables = tuple(syllable.replace("v", "u") for syllable in typed)
    cuts = {3: (1, 2), 4: (2,), 5: (2, 3)}.get(len(syllables), ())
    parted = [("".join(syllables[:cut]), "".join(syllables[cut:])) for cut in cuts]
    with_v = [("".join(typed),), typed] if typed != syllables else []
    return [("".join(syllables),), syllables, *parted, *with_v]


def _load_terms() -> tuple[Phrases[VocabularyTerm], Phrases[VocabularyTerm]]:
    tables: tuple[dict[tuple[str, ...], VocabularyTerm], ...] = ({}, {})
    for row in _rows("organisation_terms.csv"):
        weight = Weight[row["weight"].upper()]
        han = _han(row["han"])
        latin = _latin(row["latin"]) + [spelt for writing in han if len(writing) > 1 for spelt in _in_pinyin(writing)]
        for table, writings in zip(tables, (han, latin), strict=True):
            for writing in writings:
                known = table.get(writing, VocabularyTerm(frozenset(), weight))
                lowest = min(known.weight, weight)
                named = lowest < Weight.NAME and (known.may_be_name or Weight.NAME in (known.weight, weight))
                table[writing] = VocabularyTerm(known.concepts | {row["concept"]}, lowest, named)
    _add_brands(*tables)
    return Phrases(tables[0]), Phrases(tables[1])


def _add_brands(*tables: dict[tuple[str, ...], VocabularyTerm]) -> None:
    """Names that firms have in both scripts and no rule gives: 长荣, Evergreen. A word of business stays one."""
    for row in _rows("organisation_brands.csv"):
        concept = f"brand {row['han']}"
        for table, writings in zip(tables, (_han(row["han"]), _latin(row["latin"])), strict=True):
            for writing in writings:
                known = table.get(writing, VocabularyTerm(frozenset(), Weight.NAME))
                if known.weight == Weight.NAME:
                    table[writing] = VocabularyTerm(known.concepts | {concept}, Weight.NAME)


def _load_english() -> dict[str, str]:
    found: dict[str, str] = {}
    for row in _rows("organisation_terms.csv"):
        if row["latin"] and row["weight"] != "name":
            found.setdefault(row["concept"], row["latin"].partition("|")[0])
    return found


def english_of(term: VocabularyTerm) -> str:
    """A Latin writing of the first meaning of a word of business; empty for none."""
    if term.weight == Weight.NAME:
        return ""
    return next((_ENGLISH[concept] for concept in sorted(term.concepts) if concept in _ENGLISH), "")


def _load_legal_forms() -> tuple[Phrases[frozenset[str]], Phrases[frozenset[str]]]:
    han: dict[tuple[str, ...], frozenset[str]] = {}
    latin: dict[tuple[str, ...], frozenset[str]] = {}
    for row in _rows("legal_forms.csv"):
        classes = frozenset(row["classes"].split("|"))
        for writing in row["writings"].split("|"):
            if writing.isascii():
                latin[words(writing)] = classes
            else:
                han[tuple(simplified(writing))] = classes
                for spelt in _in_pinyin(tuple(simplified(writing))) if len(writing) > 2 else ():
                    latin.setdefault(spelt, classes)
    return Phrases(han), Phrases(latin)


def _load_places() -> tuple[Phrases[str], Phrases[str], dict[str, str]]:
    han: dict[tuple[str, ...], str] = {}
    latin: dict[tuple[str, ...], str] = {}
    within: dict[str, str] = {}
    for row in _rows("organisation_places.csv"):
        within[row["place"]] = row["within"]
        writings = _han(row["han"])
        han |= dict.fromkeys(writings, row["place"])
        latin |= dict.fromkeys(_spelt(row["latin"]), row["place"])
        if row["place"] == "CN" or row["within"].startswith("CN"):
            latin |= {_in_pinyin(writing)[1]: row["place"] for writing in writings if len(writing) > 1}
    return Phrases(han), Phrases(latin), within


HAN_TERMS, LATIN_TERMS = _load_terms()
HAN_LEGAL_FORMS, LATIN_LEGAL_FORMS = _load_legal_forms()
HAN_PLACES, LATIN_PLACES, _WITHIN = _load_places()
_ENGLISH = _load_english()
PLACES = tuple(sorted(_WITHIN))


MIN_CORRECTED = 5
"""Letters of a word of business in which a slip is put right."""
MAX_CORRECTED = 2


@cache
def _near_words() -> dict[str, list[str]]:
    """Words of business, and their plurals, by length with beginning or end, one of which a slip leaves as it is."""
    phrases = [*LATIN_TERMS.words(), *LATIN_LEGAL_FORMS.words()]
    words = {word for phrase in phrases for word in phrase if len(word) >= MIN_CORRECTED and word.isalpha()}
    found: dict[str, list[str]] = {}
    for word in words:
        term = LATIN_TERMS.exactly((word,))
        if splits(word) or (term is not None and term.weight == Weight.NAME):
            continue
        for written in (word, f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"):
            for end in (written[:2], f"{written[0]}-{written[-2:]}"):
                found.setdefault(f"{len(written)}{end}", []).append(written)
    return found


@lru_cache(maxsize=16_384)
def corrected(word: str) -> tuple[str, ...]:
    """Words of business that a word is with one slip of a letter, at most `MAX_CORRECTED`; none of a known word."""
    if len(word) < MIN_CORRECTED - 1 or not word.isalpha() or LATIN_TERMS.exactly((folded(word),)) or splits(word):
        return ()
    table, ends = _near_words(), (word[:2], f"{word[0]}-{word[-2:]}")
    near = {known for n in range(len(word) - 1, len(word) + 2) for end in ends for known in table.get(f"{n}{end}", ())}
    if not near or word in near:
        return ()
    return tuple(sorted({folded(known) for known in near if is_slip(known, word)}))[:MAX_CORRECTED]


def is_within(place: str, other: str) -> bool:
    """Whether places are equal, or nested: Shenzhen in Guangdong."""
    while place:
        if place == other:
            return True
        place = _WITHIN.get(place, "")
    return False


@lru_cache(maxsize=4_096)
@lru_cache(maxsize=4_096)
def province(places: frozenset[str]) -> str:
    """The province or territory of a name's places; empty for none, a whole country or several."""
    found = set()
    for place in places:
        above = place
        while _WITHIN.get(above, "") not in ("", "CN"):
            above = _WITHIN[above]
        found.add(above)
    found.discard("CN")
    return found.pop() if len(found) == 1 else ""
