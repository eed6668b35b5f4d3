"""Guesses the culture of a person's name from its words, each culture with a probability.

A name's probability in a culture is the product of its words': known words weigh most, then words that the culture's
syllables allow. `person_names.csv` has the words, and which spellings are of one name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from importlib import resources

from gateway.screening.persons.given_names import WESTERN
from gateway.screening.persons.surnames import ANY_SPELLING
from gateway.screening.text.sounds import splits


class Culture(StrEnum):
    """By whose rules a name is compared."""

    CHINESE = "Chinese"
    ARABIC = "Arabic or Malay"
    PORTUGUESE = "Portuguese or Spanish"
    VIETNAMESE = "Vietnamese"
    KOREAN = "Korean"
    SLAVIC = "Slavic"
    OTHER = "other"


_CULTURES = {
    "arabic": Culture.ARABIC, "malay": Culture.ARABIC, "uyghur": Culture.ARABIC,
    "portuguese": Culture.PORTUGUESE, "spanish": Culture.PORTUGUESE,
    "vietnamese": Culture.VIETNAMESE, "korean": Culture.KOREAN, "slavic": Culture.SLAVIC,
    "western": Culture.OTHER, "tibetan": Culture.OTHER, "han": Culture.OTHER,
}  # fmt: skip

PATRONYMIC = frozenset({"bin", "binti", "ibn", "bint", "bt", "bte", "binte", "bti", "son of", "daughter of"})
"""Before a father's name; `a/l`, `s/o` and the like are joined to the last two."""
PARTICLES = frozenset(
    "de da do dos das di du del della van von der den vd ten ter zu la le los las y e".split()  # noqa: SIM905
)
"""Before or between family names."""
GENERIC_MIDDLE = frozenset({"thi", "van"})
"""Vietnamese middle names that tell sex, no more."""

MIN_CHINESE = 0.25
"""Least probability with which a name is read as Chinese too."""

_PRIOR = {Culture.CHINESE: 3.0, Culture.VIETNAMESE: 0.1, Culture.KOREAN: 0.2}
_MARKED, _KNOWN, _FITS, _UNKNOWN, _FOREIGN = 0.05, 0.01, 0.004, 0.001, 0.0001
_SURNAME, _BESIDE_SURNAME, _DISTINCTIVE, _WESTERN, _UNLISTED = 0.02, 0.0005, 0.2, 0.002, 0.001

_VIETNAMESE_SYLLABLE = re.compile(
    r"(?:ngh?|nh|th|tr|ch|gh|gi|kh|ph|qu|[bcdghklmnprstvx])?[aeiouy]{1,3}(?:ch|ng|nh|[cmnpt])?"
)
_SLAVIC_ENDING = re.compile(
    r".{2,}(?:[oey]v|[oe]ff?|[oe]w|[oei]va|[oe]wa|[aeiou]ev|j[eo]v|j[eo]w|[^aeiou]in|[^aeiou]ina|sk[iy]|skiy|skij|skaya|"
    r"[ct]s?ch?enko|enko|chuk|tschuk|[aeou]vich|[aeo]vna|vitch)"
)


def _rows() -> Iterator[tuple[str, str, list[list[str]]]]:
    text = resources.files("gateway.reference").joinpath("person_names.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        yield row["culture"], row["kind"], [group.split("|") for group in row["names"].split(" ")]


_ROWS = tuple(_rows())


def _load() -> tuple[dict[str, frozenset[Culture]], dict[str, str], dict[str, tuple[str, ...]]]:
    """Cultures of words; by word, the first spelling of its name; by Han writing, the Latin names."""
    cultures: dict[str, set[Culture]] = {}
    names: dict[str, str] = {}
    han: dict[str, list[str]] = {}
    for culture, _, groups in _ROWS:
        for group in groups:
            spellings = [word for word in group if not _is_han(word)]
            for word in spellings:
                cultures.setdefault(word, set()).add(_CULTURES[culture])
            for word in group:
                if _is_han(word):
                    han.setdefault(word, []).append(spellings[0])
            if culture != "korean":
                _join(names, spellings)
    return (
        {word: frozenset(found) for word, found in cultures.items()},
        {word: _first(names, word) for word in names},
        {word: tuple(dict.fromkeys(_first(names, name) for name in found)) for word, found in han.items()},
    )


def _is_han(word: str) -> bool:
    return "\u3400" <= word[0] <= "\u9fff"


def _first(names: Mapping[str, str], word: str) -> str:
    while names[word] != word:
        word = names[word]
    return word


def _join(names: dict[str, str], spellings: Sequence[str]) -> None:
    """Takes spellings for one name, and names that share a spelling."""
    for word in spellings:
        names.setdefault(word, word)
        first, other = _first(names, spellings[0]), _first(names, word)
        names[other] = first


_SPANISH_FAMILIES = frozenset(
    spelling
    for culture, kind, groups in _ROWS
    for group in groups
    for spelling in group
    if (culture, kind) == ("spanish", "family")
)
VIETNAMESE_FAMILIES = frozenset(
    group[0] for culture, kind, groups in _ROWS for group in groups if (culture, kind) == ("vietnamese", "family")
)

_CULTURES_OF, NAMES, HAN_NAMES = _load()
"""`NAMES`: spelling → one spelling of that name, equal for all. `HAN_NAMES`: Han writing → such names."""


def name_of(word: str) -> str | None:
    """One spelling of the name that a word is a spelling of, equal for all of them; None for an unknown word."""
    return NAMES.get(word) or (NAMES.get(word[:-1]) if word.endswith("ah") else None)


def is_slavic(word: str) -> bool:
    """Whether a word ends as Slavic family names do, in any usual transliteration."""
    return _SLAVIC_ENDING.fullmatch(word) is not None


def is_spanish(word: str) -> bool:
    """Whether a word is a Spanish family name, so that the one before it is the father's."""
    return word in _SPANISH_FAMILIES or word.endswith("ez")


def is_vietnamese(word: str) -> bool:
    """Whether a word without marks may be a Vietnamese syllable."""
    return _VIETNAMESE_SYLLABLE.fullmatch(word) is not None


@lru_cache(maxsize=16_384)
def cultures(words: tuple[str, ...]) -> Mapping[Culture, float]:
    """Probabilities of the cultures that a Latin name may belong to; they sum to 1."""
    weights = {culture: _PRIOR.get(culture, 1.0) * _weight(words, culture) for culture in Culture}
    total = sum(weights.values())
    return {culture: weight / total for culture, weight in weights.items()}


def may_be_chinese(words: tuple[str, ...]) -> bool:
    """Whether a Latin name is read as a Chinese one too: any of Chinese syllables alone, or with one Western given name
    and a surname beside it, and what else is likely.
    """
    if _MARKERS.isdisjoint(words[1:-1]) and all(map(splits, words)):
        return True
    return _is_westernised(words) or cultures(words)[Culture.CHINESE] >= MIN_CHINESE


def _is_westernised(words: tuple[str, ...]) -> bool:
    """Whether a Western given name stands before or behind nothing but Chinese syllables, one of them a surname at an
    end: words that look like particles are syllables there ("Peter Le Ya").
    """
    return any(
        western in WESTERN
        and len(others) > 1
        and not ANY_SPELLING.keys().isdisjoint((others[0], others[-1]))
        and all(map(splits, others))
        for western, others in ((words[0], words[1:]), (words[-1], words[:-1]))
    )


def common_culture(ours: tuple[str, ...], theirs: tuple[str, ...]) -> Culture:
    """The likeliest culture of two Latin names that are one person's."""
    mine, yours = cultures(ours), cultures(theirs)
    return max(Culture, key=lambda culture: mine[culture] * yours[culture])


def _weight(words: tuple[str, ...], culture: Culture) -> float:
    weight, named = 1.0, False
    for place, word in enumerate(words):
        is_end = place in (0, len(words) - 1)
        if culture == Culture.CHINESE:
            is_surname = not named and word in ANY_SPELLING and (is_end or (len(word) > 1 and word not in _MARKERS))
            named = named or is_surname
            weight *= _SURNAME if is_surname else _chinese(word, is_end or len(words) < 3)
        else:
            weight *= _of_word(word, culture, is_end)
    return weight if named or culture != Culture.CHINESE else weight * _FOREIGN


_MARKERS = PATRONYMIC | PARTICLES | {"abdul", "abu", "al", "el", "thi"}


def _chinese(word: str, is_end: bool) -> float:
    if word == "thi" or (word in _MARKERS and not is_end):
        return _UNKNOWN if word in PARTICLES else _FOREIGN
    if splits(word):
        return _FITS
    if len(word) == 1:
        return _UNKNOWN
    return _WESTERN if word in WESTERN else _UNLISTED


def _of_word(word: str, culture: Culture, is_end: bool) -> float:
    known = culture in _CULTURES_OF.get(word, ())
    if culture == Culture.VIETNAMESE:
        return _vietnamese(word, known, is_end)
    if word in PATRONYMIC and not is_end:
        return _MARKED if culture == Culture.ARABIC else _FOREIGN
    if word in PARTICLES and not is_end:
        return _MARKED if culture in (Culture.PORTUGUESE, Culture.OTHER) else _FOREIGN
    if known:
        return _MARKED if culture == Culture.KOREAN and is_end else _KNOWN
    return _of_unknown(word, culture)


def _of_unknown(word: str, culture: Culture) -> float:
    if culture == Culture.KOREAN:
        return _FITS if _KOREAN_SYLLABLES.fullmatch(word) else _FOREIGN / 10
    if culture == Culture.SLAVIC:
        return _KNOWN if is_slavic(word) else _BESIDE_SURNAME
    return _BESIDE_SURNAME if word in ANY_SPELLING else _UNKNOWN


_KOREAN_SYLLABLES = re.compile(
    r"(?:(?:ch|kk|ss|sh|tt|pp|[bcdghjklmnprst])?(?:y?[aeiou]{1,3}|w[aeio]{1,2})(?:ng|ck|[bgklmnpt])?){1,2}"
)


def _vietnamese(word: str, known: bool, is_end: bool) -> float:
    if is_end and word in VIETNAMESE_FAMILIES:
        return _MARKED if word in ANY_SPELLING and word != "nguyen" else _DISTINCTIVE
    if word in GENERIC_MIDDLE and not is_end:
        return _MARKED
    if known:
        return _KNOWN
    return _WESTERN if is_vietnamese(word) else _FOREIGN / 10
