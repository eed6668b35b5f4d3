"""Writes out abbreviated words of organisations' Latin names, as bills of lading and registers shorten them.

A word is looked up in a table (natl, bros, eqpt). Behind the first word, which names the firm, one that isn't in it may
also be the beginning of a word of business (pharmaceut), that without vowels (aviatn), or two words without a space.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from importlib import resources
from itertools import islice, product

from gateway.screening.organisations.lexicon import (
    LATIN_LEGAL_FORMS,
    LATIN_TERMS,
    Weight,
    english_of,
    folded,
)
from gateway.screening.organisations.syllables import syllabic

MIN_SHORTENED = 4
"""Letters of a word that isn't in the table; shorter ones stand for too many."""
MIN_CUT_OFF, MIN_LEFT_OUT = 4, 2
"""Letters that a shortened word lacks at the end, or within: East is no Eastern."""
MAX_MEANT = 4
"""Meanings that a shortened word may have; one with more has none."""
MAX_READINGS = 6
"""Ways to write out a name."""
MIN_PART, MIN_LAST = 4, 3
"""Letters of words that are written as one."""
_FACTORY = "chang"
_VOWELS = frozenset("aeiou")


def written_out(tokens: Sequence[str]) -> Iterator[list[str]]:
    """A name's words with all abbreviations written out, in each way, at most `MAX_READINGS`; usually none."""
    choices = [_meant(token, behind=at > 0) for at, token in enumerate(tokens)]
    if any(choices):
        ways = product(*(meant or (token,) for token, meant in zip(tokens, choices, strict=True)))
        yield from (" ".join(way).split() for way in islice(ways, MAX_READINGS))


@lru_cache(maxsize=16_384)
def _meant(word: str, *, behind: bool) -> tuple[str, ...]:
    """Words that one may stand for, of several with one meaning the first."""
    if not word.isalpha() or word in _legal_words():
        return ()
    meant = _abbreviations().get(word, ())
    if term := LATIN_TERMS.exactly((folded(word),)):
        usual = english_of(term)
        meant = (usual, *meant) if usual.isalpha() and _is_short_for(word, usual) else meant
    elif not meant and behind and len(word) >= MIN_SHORTENED and word not in _known_words() and not syllabic(word):
        meant = tuple(known for known in _words_by_letter().get(word[0], ()) if _is_short_for(word, known))
    if not meant and not term and behind:
        return _parted(word)
    of_meanings = {_meaning(known): known for known in reversed(meant)}
    return tuple(reversed(of_meanings.values())) if meant and len(of_meanings) <= MAX_MEANT else ()


def _parted(word: str) -> tuple[str, ...]:
    """The two words that one is, with a space: a word of business and one or a legal form (maoyigongsi, tradingltd)."""
    for cut in range(MIN_PART, len(word) - MIN_LAST + 1):
        first, last = word[:cut], word[cut:]
        if _is_business(first) and (last in _legal_words() or last == _FACTORY or _is_business(last)):
            return (f"{first} {last}",)
    return ()


def _is_business(word: str) -> bool:
    term = LATIN_TERMS.exactly((folded(word),))
    return len(word) >= MIN_PART and term is not None and term.weight != Weight.NAME


def _meaning(word: str) -> str:
    term = LATIN_TERMS.exactly((folded(word),))
    return "+".join(sorted(term.concepts)) if term else word


def _is_short_for(word: str, whole: str) -> bool:
    """Whether a word is the beginning of another, or that without vowels from the first letter to the last."""
    if whole.startswith(word):
        return len(word) + MIN_CUT_OFF <= len(whole)
    is_framed = word[0] == whole[0] and word[-1] == whole[-1]
    return is_framed and len(word) + MIN_LEFT_OUT <= len(whole) and _is_skeleton(word, whole)


def _is_skeleton(word: str, whole: str) -> bool:
    """Letters in order, fewer of them vowels."""
    rest, vowels = iter(whole), [sum(letter in _VOWELS for letter in text) for text in (word, whole)]
    return vowels[0] < vowels[1] and all(letter in rest for letter in word)


@cache
def _abbreviations() -> dict[str, tuple[str, ...]]:
    """Words by abbreviation; one that is a legal form stays one."""
    text = resources.files("gateway.reference").joinpath("organisation_abbreviations.csv").read_text(encoding="utf-8")
    found: dict[str, tuple[str, ...]] = {}
    for row in csv.DictReader(text.splitlines()):
        for short in row["abbreviations"].split("|"):
            found[short] = (*found.get(short, ()), row["word"])
    return found


@cache
def _words_by_letter() -> dict[str, list[str]]:
    """Words of business that aren't syllables, by first letter."""
    found: dict[str, list[str]] = {}
    for phrase in LATIN_TERMS.words():
        term = LATIN_TERMS.exactly(phrase)
        if len(phrase) == 1 and term and term.weight != Weight.NAME and phrase[0].isalpha() and not syllabic(phrase[0]):
            found.setdefault(phrase[0][0], []).append(phrase[0])
    return found


@cache
def _known_words() -> frozenset[str]:
    """Words of the vocabulary, also those that have a meaning only beside others (rare earth)."""
    return frozenset(word for phrase in LATIN_TERMS.words() for word in phrase)


@cache
def _legal_words() -> frozenset[str]:
    return frozenset(word for phrase in LATIN_LEGAL_FORMS.words() for word in phrase)
