"""Reads an organisation's name in Latin letters: English, Portuguese or romanised.

Ambiguous words give several variants: tin is a metal and 天 (Hoi Tin), da is Portuguese and 大 (Hong Da), Chenzhou a
city and a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from gateway.screening.organisations.abbreviations import written_out
from gateway.screening.organisations.lexicon import (
    LATIN_LEGAL_FORMS,
    LATIN_PLACES,
    LATIN_TERMS,
    NOISE,
    Weight,
    corrected,
    folded,
)
from gateway.screening.organisations.numbers import is_spelt, latin_numbers
from gateway.screening.organisations.variant import NameParts, OrganisationVariant, Unit
from gateway.screening.text.normalisation import latin_letters, words
from gateway.screening.text.sounds import SCHEMES_OF, splits

MAX_WORDS = 24

MAX_RIGHT = 4
"""Ways to put a slip in a word of business right."""

_SPACED = re.compile(r"\b[a-z](?: [a-z]){3,}\b")
"""Letters apart: four at least, since three are often a legal form (sp. z o.o.)."""
_MESSRS = re.compile(r"\s*m/s\.?\s")
_ABBREVIATION = re.compile(r"\b(?:[a-z][./]){1,4}[a-z]\b\.?")
_BRANCHES = frozenset({"branch", "sucursal", "filial", "subsidiary", "representative"})
_AREAS = ("shi", "sheng")
_AREA_WORDS = (["shi"], ["sheng"], ["city"], ["province"], ["municipality"])
_DISTRICTS = ("qu", "xian", "zhen")
_LEADING_LEGAL = frozenset(
    {"ooo", "oao", "zao", "pao", "ao", "nao", "cong", "cty", "ctcp", "doanh", "dntn", "sociedad", "pt", "cv"}
    | {"llc", "jsc", "ojsc", "pjsc", "cjsc", "perseroan", "obshchestvo", "aktsionernoe", "aktsionernoye"}
)
"""First words of legal forms that stand before the name: OOO Vostok, Cong ty TNHH Hoa Binh."""
_LEADING_PHRASES = frozenset({"limited", "joint", "public", "private", "open", "closed"})
"""The same, of forms in several words: Limited Liability Company Vostok."""
_ANYWHERE_LEGAL = frozenset({"ltd", "limited", "lda", "limitada", "ltda", "inc", "llc", "gmbh", "plc", "co", "corp"})


@lru_cache(maxsize=65_536)
def latin_words(text: str) -> tuple[str, ...]:
    """Words with abbreviations joined: S.A. → sa."""
    lowered = _SPACED.sub(lambda match: match.group().replace(" ", ""), latin_letters(text))
    if messrs := _MESSRS.match(lowered):
        lowered = lowered[messrs.end() :]
    joined = _ABBREVIATION.sub(lambda match: re.sub(r"[./]", "", match.group()), lowered)
    return words(joined)[:MAX_WORDS]


def read_latin(text: str) -> tuple[OrganisationVariant, ...]:
    """Variants of the Latin part, likeliest first; none without words."""
    tokens = list(latin_words(text))
    if not tokens:
        return ()
    forms = _read(tokens)
    right = [[*tokens[:at], word, *tokens[at + 1 :]] for at, token in enumerate(tokens) for word in corrected(token)]
    others = [*right[:MAX_RIGHT], *written_out(tokens)]
    if not others:
        return forms
    return tuple(dict.fromkeys((*forms, *(form for tokens in others for form in _read(tokens)))))


def _read(tokens: list[str]) -> tuple[OrganisationVariant, ...]:
    branch = bool(_BRANCHES & set(tokens))
    tokens = [t for t in tokens if t not in _BRANCHES and t != "office"] or tokens
    if any(token.endswith(_AREAS) for token in tokens):
        tokens = [t for token in tokens for t in _with_area(token)]
    if any(token.endswith(_DISTRICTS) for token in tokens[1:]):
        tokens = _without_districts(tokens)
    tokens, legal, legal_text = _legal(tokens)
    text = " ".join(tokens)
    tokens, numbers = latin_numbers(tokens)
    telling = [t for t in tokens if t not in NOISE] or tokens
    readings = [first := _split(telling)]
    if first.is_ambiguous:
        readings += [_split(telling, names=MAX_WORDS), _split(telling, names=1)]
    if len(telling) < len(tokens) and any(t in NOISE and is_syllabic(t) for t in tokens):
        readings.append(_split(tokens, names=MAX_WORDS))
        if is_spelt(tokens):
            readings.append(_split(tokens))
    if len(first.places) > 1:
        readings.append(_split(telling, places_are_core=1))
    if first.places and not first.parts.core and is_syllabic(telling[0]):
        readings.append(_split(telling, places_are_core=0))
    forms = [
        OrganisationVariant(text, "", *parts, reading.places, legal, legal_text, branch, numbers)
        for reading in readings
        for parts in _branded(reading)
        if parts.core or parts.terms or reading.places
    ]
    return tuple(forms) if len(forms) == 1 else tuple(dict.fromkeys(forms))


def _with_area(token: str) -> list[str]:
    """A Chinese place with the word for city or province joined: shenzhenshi."""
    for area in _AREAS:
        if token.endswith(area) and LATIN_PLACES.exactly((token.removesuffix(area),)) is not None:
            return [token.removesuffix(area), area]
    return [token]


def _without_districts(tokens: list[str]) -> list[str]:
    """Without the word for district, county or town behind a place of two syllables that follows a city.

    Foshan shi Shunde qu, Foshan Shundequ; but Hongzhen of two syllables is a name.
    """
    found = tokens[:1]
    for at, token in enumerate(tokens[1:], 1):
        if token in _DISTRICTS and at > 1 and tokens[at - 2] in _AREAS and tokens[at - 1] not in SCHEMES_OF:
            continue
        behind_place = tokens[at - 1] in _AREAS or LATIN_PLACES.exactly((tokens[at - 1],)) is not None
        stem = next((token.removesuffix(area) for area in _DISTRICTS if token.endswith(area)), "")
        found.append(stem if stem and behind_place and is_syllabic(stem) and not is_syllabic(token) else token)
    return found


def is_syllabic(word: str) -> bool:
    """One or two syllables in some scheme."""
    return bool(splits(word))


class _Reading(NamedTuple):
    """`is_ambiguous`: a word of known meaning may also be syllables."""

    parts: NameParts
    places: frozenset[str]
    is_ambiguous: bool


def _branded(reading: _Reading) -> Iterator[NameParts]:
    parts = reading.parts
    yield parts
    branded = parts.branded(parts.terms[0].text.split()) if parts.terms else None
    if branded is not None:
        yield branded


def _split(tokens: Sequence[str], names: int = 0, places_are_core: int = MAX_WORDS) -> _Reading:
    """The first `names` ambiguous phrases, and what follows `places_are_core` places, belong to the core."""
    core: list[str] = []
    meant: list[tuple[int, int, frozenset[str]]] = []
    terms: list[Unit] = []
    places: set[str] = set()
    plain = [folded(token) for token in tokens]
    position, is_ambiguous = 0, False
    while position < len(tokens):
        place, term = LATIN_PLACES.at(tokens, position), LATIN_TERMS.at(plain, position)
        alone = tokens[position]
        if place is not None and (term is None or place[0] >= term[0]) and len(places) < places_are_core:
            places.add(place[1])
            position = place[0]
            if tokens[position : position + 1] in _AREA_WORDS:
                is_ambiguous = True
                position += names < MAX_WORDS
        elif term is None or (names and all(map(is_syllabic, tokens[position : term[0]]))):
            if term is not None and names < MAX_WORDS:
                names -= 1
                core += tokens[position : term[0] - 1]
                position = term[0] - 1
                alone = tokens[position]
            if not _is_acronym(alone, tokens):
                core.append(alone)
            position += 1
        else:
            phrase = tokens[position : term[0]]
            is_ambiguous = is_ambiguous or all(map(is_syllabic, phrase))
            if term[1].weight == Weight.NAME:
                meant.append((len(core), len(core) + len(phrase), term[1].concepts))
                core += phrase
            else:
                terms.append(Unit(" ".join(phrase), term[1]))
            position = term[0]
    return _Reading(NameParts(tuple(core), tuple(meant), tuple(terms)), frozenset(places), is_ambiguous)


def _is_acronym(word: str, tokens: Sequence[str]) -> bool:
    """Companhia de Electricidade de Macau – CEM."""
    if not 2 < len(word) <= len(tokens):
        return False
    return word == "".join(t[0] for t in tokens if t != word and t not in NOISE)


def _legal(tokens: list[str]) -> tuple[list[str], frozenset[str], str]:
    """All at the end, and unmistakable ones anywhere."""
    legal: frozenset[str] = frozenset()
    legal_tokens: list[str] = []
    least = 1 if tokens[0] in _LEADING_LEGAL else 3 if tokens[0] in _LEADING_PHRASES else MAX_WORDS
    if (leading := LATIN_LEGAL_FORMS.at(tokens, 0)) and least <= leading[0] < len(tokens):
        legal, legal_tokens, tokens = leading[1], tokens[: leading[0]], tokens[leading[0] :]
    while len(tokens) > 1 and (ending := LATIN_LEGAL_FORMS.ending(tokens)) is not None and ending[0] > 0:
        start, classes = ending
        legal = legal & classes or classes if legal else classes
        legal_tokens = tokens[start:] + legal_tokens
        tokens = tokens[:start]
    for position, token in enumerate(tokens[1:], 1):
        if token in _ANYWHERE_LEGAL:
            match = LATIN_LEGAL_FORMS.at(tokens, position)
            if match is not None:
                end, classes = match
                return (
                    tokens[:position] + tokens[end:],
                    legal or classes,
                    " ".join(legal_tokens or tokens[position:end]),
                )
    return tokens, legal, " ".join(legal_tokens)
