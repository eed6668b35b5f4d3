"""Compares the cores of organisations' names.

Cores recur, so agreements are cached. Tokens that explain them are made on demand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache, partial
from itertools import accumulate
from typing import NamedTuple

from rapidfuzz.distance import OSA, Indel

from gateway.screening.organisations.keys import MIN_PHONETIC_KEY, MIN_SLIP, MIN_SLIP_WORD
from gateway.screening.organisations.lexicon import Weight
from gateway.screening.organisations.near import is_brand, sounds_near
from gateway.screening.organisations.syllables import is_syllables, spellings_of, syllabic
from gateway.screening.organisations.terms import pair_terms
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.result import TokenMatch, Tokens
from gateway.screening.text.kanji import is_loan, loans, spells, units_of
from gateway.screening.text.normalisation import has_han
from gateway.screening.text.phonetic_key import phonetic_key
from gateway.screening.text.scripts import Script, sound_alike
from gateway.screening.text.sounds import ANY_SYLLABLE, SCHEME_NAMES, SYLLABLES, RomanisationScheme

ROMANISED = 0.95
TRANSLATED = 0.95
MIXED = 0.85
OTHER_ROMANISATION = 0.85
OTHER_ORDER = 0.95
SPELT_ALIKE = 0.85
ONE_SLIP = 0.85
NEAR_ROMANISED = 0.7
"""Enough only with a common line of business."""
BRAND = 0.8
"""Of a name that says the same otherwise."""
UNTRANSLATED_CORE = 0.72
MAX_REST_CHARACTERS = 4
"""Final Han characters that may be words beyond the vocabulary."""
MIN_ALIKE = 0.8
MIN_PINYIN = 5
"""Letters left over that can't be an English word by chance (fan, long)."""

_SCHEMES = (
    RomanisationScheme.MAINLAND,
    RomanisationScheme.HONG_KONG,
    RomanisationScheme.MACAO,
    RomanisationScheme.CANTONESE,
)
_WHOLE_SCHEMES = (RomanisationScheme.MAINLAND, RomanisationScheme.HONG_KONG, RomanisationScheme.MACAO)
_ANY_SCHEME = sum(1 << scheme for scheme in _SCHEMES)

_REMEMBERED = 8_192
"""Cached pairs of cores: some hundred searches, a few megabytes."""

_Names = tuple[tuple[int, int, frozenset[str]], ...]


class CoreAgreement(NamedTuple):
    """How cores agree. `rest`: words left over in one name where the other has a line of business."""

    agreement: float
    tokens: Tokens
    rest: bool = False


def compare_cores(query: OrganisationVariant, candidate: OrganisationVariant) -> CoreAgreement | None:
    """None if the cores don't agree, or one is missing."""
    if query.han and candidate.han:
        return CoreAgreement(1.0, partial(_same_han, query.core)) if query.core == candidate.core else None
    if query.han:
        return _han_latin(query, candidate)
    if candidate.han:
        found = _han_latin(candidate, query)
        return found and found._replace(tokens=partial(_turned, found.tokens))
    latin = _latin_latin(query.core, query.names, candidate.core, candidate.names)
    if latin is None and (query.script is None) != (candidate.script is None):
        latin = _by_sound(query.script or candidate.script, query.core, candidate.core)
    return latin and CoreAgreement(latin[0], partial(_one_token, query.core, candidate.core, " ", latin[1], latin[0]))


def _by_sound(script: Script | None, mine: tuple[str, ...], yours: tuple[str, ...]) -> tuple[float, str] | None:
    """`mine` may be of either name."""
    if script is None:
        return None
    one, other = "".join(mine), "".join(yours)
    if has_han(one) or has_han(other):
        japanese, latin = (one, other) if has_han(one) else (other, one)
        read = script == Script.KANA and any(spells(units_of(japanese), text, False) for text in loans(latin))
        return (SPELT_ALIKE, "Japanese reading") if read else None
    alike = sound_alike(script, one, other)
    if not alike and script != Script.CYRILLIC:
        alike = is_loan(one, other) or is_loan(other, one)
    return (SPELT_ALIKE, f"one sound, romanised from {script}") if alike else None


def _same_han(core: tuple[str, ...]) -> tuple[TokenMatch, ...]:
    text = "".join(core)
    return (TokenMatch(text, text, "same Han core", 1.0),)


def _turned(tokens: Tokens) -> tuple[TokenMatch, ...]:
    return tuple(TokenMatch(token.candidate, token.query, token.rule, token.agreement) for token in tokens())


def _one_token(
    mine: tuple[str, ...], yours: tuple[str, ...], gap: str, rule: str, agreement: float
) -> tuple[TokenMatch, ...]:
    return (TokenMatch(gap.join(mine), " ".join(yours), rule, agreement),)


def _han_latin(han: OrganisationVariant, latin: OrganisationVariant) -> CoreAgreement | None:
    """Romanised or translated throughout, as far as the vocabulary goes, or nearly."""
    reached = _align_cores(han.core, han.names, latin.core, latin.names) if _may_align(han, latin) else _NOWHERE
    if reached.whole is not None:
        tokens = partial(_align, han, latin, len(han.core), len(latin.core), reached.whole)
        return CoreAgreement(ROMANISED if reached.whole != RomanisationScheme.CANTONESE else MIXED, tokens)
    if reached.beginnings and (core := _beyond_vocabulary(han, latin, reached.beginnings)) is not None:
        return core
    if sounds_near(han.core, latin.core):
        return CoreAgreement(
            NEAR_ROMANISED, partial(_one_token, han.core, latin.core, "", "sounds near the pinyin", NEAR_ROMANISED)
        )
    if is_brand(han, latin):
        rule = "a brand that sounds near the pinyin"
        return CoreAgreement(BRAND, partial(_one_token, han.core, latin.core, "", rule, BRAND))
    return None


class _Beginning(NamedTuple):
    """Units and words that agree by a scheme; unknown words may follow."""

    units: int
    words: int
    scheme: RomanisationScheme


class _CoreAlignment(NamedTuple):
    """`whole`: the scheme of full agreement; else `beginnings`."""

    whole: RomanisationScheme | None
    beginnings: tuple[_Beginning, ...]


_NOWHERE = _CoreAlignment(None, ())


def _may_align(han: OrganisationVariant, latin: OrganisationVariant) -> bool:
    """Whether the first unit is spelt as the first letters, or may be translated; most cores differ there."""
    if han.names and latin.names:
        return True
    return "".join(latin.core).startswith(_spellings(han.core[0]))


@lru_cache(maxsize=_REMEMBERED)
def _align_cores(
    han: tuple[str, ...], han_names: _Names, latin: tuple[str, ...], latin_names: _Names
) -> _CoreAlignment:
    """Follows all schemes at once: each reaches a position only from one that it reached."""
    letters = "".join(latin)
    meanings = _by_letter(latin, latin_names) if han_names and latin_names else {}
    ends: tuple[dict[int, int], ...] = ({0: _ANY_SCHEME}, *({} for _ in han))
    """Letters reached, with schemes as bits, by units of the Han core."""
    for unit, character in enumerate(han):
        if not ends[unit]:
            continue
        spelt, lengths = _spelt(character)
        following = ends[unit + 1]
        for at, schemes in ends[unit].items():
            if at == len(letters):
                continue
            for length in lengths:
                end = at + length
                if end <= len(letters) and (kept := schemes & spelt.get(letters[at:end], 0)):
                    following[end] = following.get(end, 0) | kept
            if at in meanings:
                end, concepts = meanings[at]
                for start, stop, meant in han_names:
                    if start == unit and meant & concepts:
                        ends[stop][end] = ends[stop].get(end, 0) | schemes
    throughout = ends[-1].get(len(letters), 0)
    if throughout:
        return _CoreAlignment(next(scheme for scheme in _SCHEMES if throughout >> scheme & 1), ())
    return _CoreAlignment(None, tuple(_beginnings(ends, _offsets(latin), han_names, latin_names)))


def _beginnings(
    ends: Sequence[dict[int, int]], offsets: Sequence[int], han_names: _Names, latin_names: _Names
) -> Iterator[_Beginning]:
    """Longest first, without a word of known meaning behind."""
    for units in range(len(ends) - 1, max(1, len(ends) - 2 - MAX_REST_CHARACTERS), -1):
        if not ends[units] or _is_known(han_names, units):
            continue
        for count in range(len(offsets) - 1, 0, -1):
            schemes = ends[units].get(offsets[count], 0)
            scheme = next((s for s in _WHOLE_SCHEMES if schemes >> s & 1), None)
            if scheme is not None and not _is_known(latin_names, count):
                yield _Beginning(units, count, scheme)


def _is_known(names: _Names, end: int) -> bool:
    """At or behind `end`."""
    return any(stop > end for _, stop, _ in names)


@cache
def _spellings(character: str) -> tuple[str, ...]:
    return tuple(_spelt(character)[0])


@cache
def _spelt(character: str) -> tuple[dict[str, int], tuple[int, ...]]:
    """Spellings with schemes as bits, and lengths."""
    found: dict[str, int] = {}
    for scheme in _SCHEMES:
        for spelling in spellings_of(character, scheme):
            found[spelling] = found.get(spelling, 0) | 1 << scheme
    return found, tuple({len(spelling) for spelling in found})


def _by_letter(latin: tuple[str, ...], names: _Names) -> dict[int, tuple[int, frozenset[str]]]:
    """Ends and meanings of translated stretches, by first letter."""
    offsets = _offsets(latin)
    return {offsets[start]: (offsets[end], concepts) for start, end, concepts in names}


def _offsets(latin: tuple[str, ...]) -> list[int]:
    """In letters, of words and the end."""
    return [0, *accumulate(map(len, latin))]


def _beyond_vocabulary(
    han: OrganisationVariant, latin: OrganisationVariant, beginnings: Sequence[_Beginning]
) -> CoreAgreement | None:
    """Takes words left over in both names for one line beyond the vocabulary, beside a known one that both have.

    Words left over in one alone are no line that the other names by a known word: the vocabulary would have them. Nor
    are longer ones in pinyin, which translates nothing.
    """
    pairs, *_ = pair_terms(han.terms, latin.terms)
    if not any(unit.term.weight == Weight.ACTIVITY for unit, _ in pairs):
        return None
    for units, count, scheme in beginnings:
        if units < len(han.core) and count < len(latin.core) and not _is_pinyin(latin.core[count:]):
            return CoreAgreement(UNTRANSLATED_CORE, partial(_align, han, latin, units, count, scheme), rest=True)
    return None


def _is_pinyin(words: Sequence[str]) -> bool:
    return len("".join(words)) >= MIN_PINYIN and all(is_syllables(word, RomanisationScheme.MAINLAND) for word in words)


class _Alignment(NamedTuple):
    """First units of a Han core read from letters by a scheme; `dead` are dead ends."""

    han: OrganisationVariant
    units: int
    letters: str
    meanings: dict[int, tuple[int, frozenset[str]]]
    scheme: RomanisationScheme
    dead: set[tuple[int, int]]

    def tokens(self, unit: int, at: int) -> tuple[TokenMatch, ...] | None:
        """Tokens from a unit and a letter on; None where the rest differs."""
        if unit == self.units:
            return () if at == len(self.letters) else None
        if at >= len(self.letters) or (unit, at) in self.dead:
            return None
        core = self.han.core
        stop, concepts = self.meanings.get(at, (0, frozenset[str]()))
        for start, end, meant in self.han.names:
            if start == unit and meant & concepts and (rest := self.tokens(end, stop)) is not None:
                return (TokenMatch("".join(core[unit:end]), self.letters[at:stop], "translation", ROMANISED), *rest)
        for spelling in spellings_of(core[unit], self.scheme):
            if self.letters.startswith(spelling, at):
                rest = self.tokens(unit + 1, at + len(spelling))
                if rest is not None:
                    return (_syllable(core[unit], spelling, self.scheme), *rest)
        self.dead.add((unit, at))
        return None


def _align(
    han: OrganisationVariant, latin: OrganisationVariant, units: int, count: int, scheme: RomanisationScheme
) -> tuple[TokenMatch, ...]:
    """Only for words that `_align_cores` found to fit."""
    letters, meanings = "".join(latin.core[:count]), _by_letter(latin.core, latin.names)
    return _Alignment(han, units, letters, meanings, scheme, set()).tokens(0, 0) or ()


def _syllable(unit: str, spelling: str, scheme: RomanisationScheme) -> TokenMatch:
    rule = f"{SCHEME_NAMES[scheme]} of {unit}" if has_han(unit) else "same word"
    return TokenMatch(unit, spelling, rule, ROMANISED)


@lru_cache(maxsize=_REMEMBERED)
def _latin_latin(
    mine: tuple[str, ...], my_names: _Names, yours: tuple[str, ...], your_names: _Names
) -> tuple[float, str] | None:
    """Agreement and rule."""
    ours, theirs = "".join(mine), "".join(yours)
    if ours == theirs:
        return 1.0, "same Latin letters"
    if len(ours) == len(theirs) and sorted(mine) == sorted(yours):
        return OTHER_ORDER, "same words in another order"
    if _same_meaning(mine, my_names, yours, your_names):
        return TRANSLATED, "translation"
    if _one_han(mine, yours):
        return OTHER_ROMANISATION, "syllables of the same Han characters"
    if _are_spelt_alike(ours, theirs):
        return SPELT_ALIKE, "spelt alike"
    return (ONE_SLIP, "one slip of a letter") if _is_slip(mine, yours) else None


def _is_slip(mine: Sequence[str], yours: Sequence[str]) -> bool:
    """A letter left out, added, replaced, or two turned round, in one long word of a long core.

    Not where both words are syllables, which differ by a sound, and not with digits: unit 168 isn't unit 188.
    """
    if len(mine) != len(yours) or min(sum(map(len, mine)), sum(map(len, yours))) < MIN_SLIP:
        return False
    pairs = [pair for pair in zip(mine, yours, strict=True) if pair[0] != pair[1]]
    if len(pairs) != 1:
        return False
    one, other = pairs[0]
    if min(len(one), len(other)) < MIN_SLIP_WORD or OSA.distance(one, other, score_cutoff=1) != 1:
        return False
    syllables = is_syllables(one, RomanisationScheme.MAINLAND) and is_syllables(other, RomanisationScheme.MAINLAND)
    return one.isalpha() and other.isalpha() and not syllables


def _are_spelt_alike(one: str, other: str) -> bool:
    """Syllables of one scheme never are."""
    code = phonetic_key(one)
    if len(code) < MIN_PHONETIC_KEY or code != phonetic_key(other) or syllabic(one) & syllabic(other):
        return False
    return Indel.normalized_similarity(one, other) >= MIN_ALIKE


def _same_meaning(mine: tuple[str, ...], my_names: _Names, yours: tuple[str, ...], your_names: _Names) -> bool:
    """Whether both are translated words of equal meaning."""
    if len(my_names) != len(your_names) or not my_names:
        return False
    if any(sum(b - a for a, b, _ in names) != len(core) for core, names in ((mine, my_names), (yours, your_names))):
        return False
    return all(one[2] & other[2] for one, other in zip(my_names, your_names, strict=True))


def _one_han(mine: Sequence[str], yours: Sequence[str]) -> bool:
    """By two schemes, or in single syllables."""
    if len(mine) != len(yours) or len(mine) < 2 or not ANY_SYLLABLE.get(mine[0], 0) & ANY_SYLLABLE.get(yours[0], 0):
        return False
    for scheme in _SCHEMES:
        for other in _SCHEMES:
            pairs = zip(mine, yours, strict=True)
            if scheme != other and all(SYLLABLES[scheme].get(a, 0) & SYLLABLES[other].get(b, 0) for a, b in pairs):
                return True
    return False
